"""Writes `catalogs/timm-imagenet/{catalog,scores}.csv` from timm's published tables of results.

    git clone https://github.com/huggingface/pytorch-image-models && git -C pytorch-image-models checkout COMMIT
    python docs/make_timm_catalog.py pytorch-image-models/results COMMIT

Scores and test settings are read from the tables. Family (timm's module), licence and tag are asked of the installed
timm, and so is the number of parameters: each model is built without memory for its weights (about 2 minutes).
"""

import csv
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from checkpoints.torchvision_import import import_timm  # noqa: E402

TARGET = ROOT / "catalogs" / "timm-imagenet"


@dataclass(frozen=True, slots=True)
class TestSet:
    """A table of results: its file, what it was measured on, and how many images that has."""

    file: str
    dataset: str
    split: str
    n_test: int


# The first has a row for every model; two test sets are the part of the validation images that is of 200 classes.
TEST_SETS = (
    TestSet("results-imagenet.csv", "imagenet-1k", "val", 50_000),
    TestSet("results-imagenet-real.csv", "imagenet-real", "val", 46_837),
    TestSet("results-imagenetv2-matched-frequency.csv", "imagenetv2-mf", "test", 10_000),
    TestSet("results-imagenet-a.csv", "imagenet-a", "test", 7_500),
    TestSet("results-imagenet-a-clean.csv", "imagenet-a-clean", "val", 10_000),
    TestSet("results-imagenet-r.csv", "imagenet-r", "test", 30_000),
    TestSet("results-imagenet-r-clean.csv", "imagenet-r-clean", "val", 10_000),
    TestSet("results-sketch.csv", "imagenet-sketch", "test", 50_889),
)

# What came before or beside the labels of ImageNet-1k, by the name with its tag: the first that is found holds.
PRETRAIN = (
    (r"clip_|openai_|laion|webli", "image-text"),
    (r"ns_jft", "jft"),
    (r"fb_s?wsl_ig1b", "ig-1b"),
    (r"swag_", "ig-3.6b"),
    (r"seer_", "ig-ssl"),
    (r"yfcc", "yfcc-ssl"),
    (r"mim_m38m_ft_in1k", "mixed-ssl"),
    (r"in12k", "in12k"),
    (r"in2[12]k", "in21k"),
    # Teachers that the tag names, then those that it does not.
    (r"dist_|distilled", "distilled"),
    (r"ssld|usi_in1k|^flexivit|^volo|^beitv2", "distilled"),
    (r"fcmae|mae_in1k", "in1k-ssl"),
    (r"in1k", "in1k"),
)
UNNAMED_TEACHERS = {
    "ssld": "taught with the outputs of a larger net",
    "usi_in1k": "taught with the outputs of a larger net",
    "flexivit": "taught with the outputs of a larger net",
    "volo": "taught with a label for each patch that another net gave",
    "beitv2": "pretrained on codes of a net that knew image-text pairs",
}
LICENCES = {
    "apache-2.0": "Apache-2.0",
    "mit": "MIT",
    "bsd-3-clause": "BSD-3-Clause",
    "cc-by-nc-4.0": "CC-BY-NC-4.0",
    "cc-by-4.0": "CC-BY-4.0",
    "cvnets-license": "LicenseRef-cvnets",
    "fastvit-license": "LicenseRef-fastvit",
    "mobileone-license": "LicenseRef-mobileone",
    "seer-license": "LicenseRef-seer",
}


def main(results: Path, commit: str) -> None:
    """Write both files from the tables in a folder, which are those of a commit."""
    tables = {test_set: _rows(results / test_set.file) for test_set in TEST_SETS}
    names = list(dict.fromkeys(row["model"] for row in tables[TEST_SETS[0]]))
    timm = import_timm()
    described = sorted((_described(timm, name, names) for name in names), key=lambda row: (row["params"], row["model"]))
    test_size = {name: _test_size(timm, name) for name in names}
    scores = []
    for row in described:
        for test_set in TEST_SETS:
            own = [each for each in tables[test_set] if f"timm:{each['model']}" == row["model"]]
            for each in sorted(own, key=lambda each: int(each["img_size"])):
                primary = int(each["img_size"]) == test_size[each["model"]]
                if primary or test_set is TEST_SETS[0]:
                    scores.append(_score(each, test_set, primary, commit))
    _write(TARGET / "catalog.csv", described)
    _write(TARGET / "scores.csv", scores)


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def _described(timm: Any, name: str, names: list[str]) -> dict[str, Any]:
    import torch

    config = timm.models.get_pretrained_cfg(name)
    architecture, _, tag = name.partition(".")
    with torch.device("meta"):
        params = sum(each.numel() for each in timm.create_model(name).parameters())
    toy = architecture.startswith("test_")
    conv_twin = name.replace("levit_conv_", "levit_")
    twins = [other for other in names if other.replace("levit_conv_", "levit_") == conv_twin]
    notes = ["toy net of timm's own tests"] if toy else []
    notes += [note for part, note in UNNAMED_TEACHERS.items() if re.search(rf"^{part}|\.(.*_)?{part}", name)]
    notes += [] if config.hf_hub_id else ["no repository on the hub: a plain URL that timm knows"]
    return {
        "model": f"timm:{name}",
        "family": "toy" if toy else timm.models._registry._model_to_module[architecture],
        "architecture": architecture,
        "pretrain": next(found for pattern, found in PRETRAIN if re.search(pattern, name)),
        "recipe": tag,
        "params": params,
        "licence": LICENCES.get(config.license, ""),
        "duplicate_group": conv_twin if len(twins) > 1 else "",
        "notes": "; ".join(notes),
    }


def _test_size(timm: Any, name: str) -> int:
    config = timm.models.get_pretrained_cfg(name)
    return int((config.test_input_size or config.input_size)[-1])


def _score(row: dict[str, str], test_set: TestSet, primary: bool, commit: str) -> dict[str, Any]:
    return {
        "model": f"timm:{row['model']}",
        "dataset": test_set.dataset,
        "split": test_set.split,
        "metric": "acc@1",
        "value": f"{float(row['top1']):g}",
        "unit": "percent",
        "n_test": test_set.n_test,
        "setting": f"img{row['img_size']}/crop{float(row['crop_pct'])}/{row['interpolation']}",
        "primary": str(primary).lower(),
        "provenance": f"github:huggingface/pytorch-image-models@{commit}:results/{test_set.file}",
    }


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])

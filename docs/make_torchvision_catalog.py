"""Writes `catalogs/torchvision-imagenet/{catalog,scores}.csv` from what the installed torchvision says of its weights.

pip install torchvision==0.28.0
python docs/make_torchvision_catalog.py
"""

import csv
import math
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from checkpoints.torchvision_import import import_torchvision  # noqa: E402

TARGET = ROOT / "catalogs" / "torchvision-imagenet"
IMAGES = 50_000
ARGUMENTS = {"resize_size": 256, "interpolation": "bilinear"}
"""What torchvision's preset for classification takes where the weights say nothing."""


def main() -> None:
    """Write both files."""
    torchvision = import_torchvision()
    version = torchvision.__version__.partition("+")[0]
    models, scores = [], []
    for model in torchvision.models.list_models(module=torchvision.models):
        for weights in torchvision.models.get_model_weights(model):
            if not math.isnan(_accuracy(weights)):  # one set of weights is for features alone
                models.append(_described(model, weights))
                scores.append(_score(model, weights, version))
    order = sorted(range(len(models)), key=lambda i: (models[i]["params"], models[i]["model"]))
    _write(TARGET / "catalog.csv", [models[i] for i in order])
    _write(TARGET / "scores.csv", [scores[i] for i in order])


def _accuracy(weights: Any) -> float:
    return float(weights.meta["_metrics"]["ImageNet-1K"]["acc@1"])


def _described(model: str, weights: Any) -> dict[str, Any]:
    swag = "SWAG" in weights.name
    return {
        "model": f"torchvision:{model}@{weights.name}",
        "name": f"{model}@{weights.name}",
        "family": type(weights).__module__.rpartition(".")[2],
        "architecture": model,
        "pretrain": "ig-3.6b" if swag else "in1k",
        "recipe": weights.name.removeprefix("IMAGENET1K_"),
        "params": weights.meta["num_params"],
        "licence": "CC-BY-NC-4.0" if swag else "BSD-3-Clause",
        "notes": "weights under the licence of facebookresearch/SWAG" if swag else "",
    }


def _score(model: str, weights: Any, version: str) -> dict[str, Any]:
    arguments = ARGUMENTS | weights.transforms.keywords
    interpolation = getattr(arguments["interpolation"], "value", arguments["interpolation"])
    place = f"{type(weights).__module__}.{type(weights).__name__}.{weights.name}"
    return {
        "model": f"torchvision:{model}@{weights.name}",
        "dataset": "imagenet-1k",
        "split": "val",
        "metric": "acc@1",
        "value": f"{_accuracy(weights):g}",
        "unit": "percent",
        "n_test": IMAGES,
        "setting": f"img{arguments['crop_size']}/resize{arguments['resize_size']}/{interpolation}",
        "primary": "true",
        "provenance": f"pip:torchvision=={version}:{place}.meta",
    }


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()

"""The catalogs of timm and torchvision: what is in them, and that it is so for the packages that are installed."""

import csv
import re
from collections import Counter, defaultdict
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from catalogs import Catalog, Score, WeightFile, catalog_names, load_catalog, parse_model_key

VISION = ("timm-imagenet", "timm-in1k", "torchvision-imagenet")
TEST_SETS = {
    "imagenet-1k": ("val", 50_000),
    "imagenet-real": ("val", 46_837),
    "imagenetv2-mf": ("test", 10_000),
    "imagenet-a": ("test", 7_500),
    "imagenet-a-clean": ("val", 10_000),
    "imagenet-r": ("test", 30_000),
    "imagenet-r-clean": ("val", 10_000),
    "imagenet-sketch": ("test", 50_889),
}
PRETRAIN = {
    "timm-imagenet": {
        *("in1k", "in1k-ssl", "distilled", "in12k", "in21k", "image-text"),
        *("jft", "ig-1b", "ig-3.6b", "ig-ssl", "yfcc-ssl", "mixed-ssl"),
    },
    "timm-in1k": {"in1k"},
    "torchvision-imagenet": {"in1k", "ig-3.6b"},
}
CATALOGS = Path(__file__).parents[1] / "catalogs"

needs_timm = pytest.mark.skipif(find_spec("timm") is None, reason="needs timm")


@cache
def files_of(name: str) -> dict[str, WeightFile]:
    return {file.name: file for file in load_catalog(name).files}


def scores_of(catalog: Catalog, model: str) -> dict[tuple[str, bool], Score]:
    return {(score.dataset, score.primary): score for score in catalog.scores if score.model == model}


# --- of all catalogs that come along -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", catalog_names())
def test_each_catalog_says_what_it_is_and_where_its_numbers_are_from(name):
    catalog = load_catalog(name)
    assert catalog.name == name and catalog.title and len(catalog.title) <= 100
    pinned = re.compile(r"github:[\w.-]+/[\w.-]+@[0-9a-f]{40}:.+|pip:[\w.-]+==[\w.]+:.+")
    assert all(score.provenance and pinned.fullmatch(score.provenance) for score in catalog.scores)
    assert (CATALOGS / name / "README.md").is_file()


@pytest.mark.parametrize("name", catalog_names())
def test_no_model_has_two_primary_scores_on_a_dataset(name):
    primary = Counter((score.model, score.dataset) for score in load_catalog(name).scores if score.primary)
    assert set(primary.values()) == {1}


def test_the_demo_comes_first_so_its_names_are_meant():
    assert catalog_names()[0] == "demo"
    assert list(catalog_names()[1:]) == sorted(catalog_names()[1:])
    assert set(VISION) < set(catalog_names())


# --- of the three --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VISION)
def test_scores_are_accuracies_in_percent_one_primary_each(name):
    catalog = load_catalog(name)
    for score in catalog.scores:
        assert (score.metric, score.unit, score.higher_is_better) == ("acc@1", "percent", True)
        assert (score.split, score.n_test) == TEST_SETS[score.dataset]
        assert 0.5 < score.value < 99.5 and score.setting
        assert score.primary or score.dataset == "imagenet-1k"
    have = {(score.model, score.dataset) for score in catalog.scores if score.primary}
    assert have == {(score.model, score.dataset) for score in catalog.scores}
    assert {score.model for score in catalog.scores} == set(catalog.models)


@pytest.mark.parametrize("name", VISION)
def test_values_are_counts_of_images_to_the_digits_printed(name):
    """Three decimals, rounded once more from four: an accuracy on n images is a multiple of 100 / n up to that."""
    for score in load_catalog(name).scores:
        right = score.value * score.n_test / 100
        assert abs(right - round(right)) <= 0.00055 * score.n_test / 100 + 1e-6, score


@pytest.mark.parametrize("name", VISION)
def test_models_are_described(name):
    catalog = load_catalog(name)
    assert len(catalog.files) == len(catalog.models) == len(files_of(name))
    for file in catalog.files:
        assert file.family and file.architecture and file.recipe and file.params
        assert file.pretrain in PRETRAIN[name]
        assert file.file == "" and file.weights_sha256 is None
    params = [file.params for file in catalog.files]
    assert params == sorted(params)  # so that --limit takes the cheapest
    pairs = Counter((file.architecture, file.recipe) for file in catalog.files)
    assert set(pairs.values()) == {1}


# --- timm-imagenet -------------------------------------------------------------------------------------------------


def test_timm_has_1266_models_on_8_test_sets():
    timm = load_catalog("timm-imagenet")
    assert len(timm.models) == 1266
    primary = Counter(score.dataset for score in timm.scores if score.primary)
    assert primary == {dataset: 1266 - (dataset == "imagenet-a") for dataset in TEST_SETS}
    missing = set(timm.models) - {score.model for score in timm.scores if score.dataset == "imagenet-a"}
    assert missing == {"timm:resnet50.tv_in1k"}
    assert sum(not score.primary for score in timm.scores) == 290
    assert "timm:resmlp_24_224.fb_dino" not in timm.models


def test_well_known_facts_of_timm():
    timm, files = load_catalog("timm-imagenet"), files_of("timm-imagenet")
    a1 = files["resnet50.a1_in1k"]
    assert (a1.model, a1.family, a1.architecture) == ("timm:resnet50.a1_in1k", "resnet", "resnet50")
    assert (a1.pretrain, a1.recipe, a1.params, a1.licence) == ("in1k", "a1_in1k", 25_557_032, "Apache-2.0")
    told = scores_of(timm, a1.model)
    assert told["imagenet-1k", True].value == 81.24 and told["imagenet-1k", True].setting == "img288/crop1.0/bicubic"
    assert told["imagenet-1k", False].setting == "img224/crop0.95/bicubic"
    assert told["imagenet-1k", False].value < told["imagenet-1k", True].value
    assert scores_of(timm, "timm:resnet50.tv_in1k")["imagenet-1k", True].value == 76.156
    assert files["vit_base_patch16_224.augreg_in21k_ft_in1k"].params == 86_567_656
    assert max(timm.scores, key=lambda score: score.value * (score.dataset == "imagenet-1k")).value == 90.056


@pytest.mark.parametrize(
    ("name", "pretrain"),
    [
        ("resnet50.fb_swsl_ig1b_ft_in1k", "ig-1b"),
        ("resnet50.fb_ssl_yfcc100m_ft_in1k", "yfcc-ssl"),
        ("regnety_1280.swag_lc_in1k", "ig-3.6b"),
        ("tf_efficientnet_b7.ns_jft_in1k", "jft"),
        ("vit_base_patch16_clip_224.openai_ft_in12k_in1k", "image-text"),
        ("convnext_small.in12k_ft_in1k", "in12k"),
        ("convnextv2_base.fcmae_ft_in22k_in1k", "in21k"),
        ("convnextv2_base.fcmae_ft_in1k", "in1k-ssl"),
        ("beitv2_base_patch16_224.in1k_ft_in1k", "distilled"),
        ("deit_tiny_distilled_patch16_224.fb_in1k", "distilled"),
        ("deit_tiny_patch16_224.fb_in1k", "in1k"),
        ("volo_d1_224.sail_in1k", "distilled"),
        ("caformer_s18.sail_in1k", "in1k"),
        ("tresnet_m.miil_in1k", "in1k"),
        ("eva02_large_patch14_448.mim_m38m_ft_in1k", "mixed-ssl"),
    ],
)
def test_what_models_learned_from(name, pretrain):
    assert files_of("timm-imagenet")[name].pretrain == pretrain


def test_readme_has_the_classes_and_their_sizes():
    counts = Counter(file.pretrain for file in files_of("timm-imagenet").values())
    readme = (CATALOGS / "timm-imagenet" / "README.md").read_text(encoding="utf-8")
    table = readme.partition("## Scores")[0]
    assert {name: int(n) for name, n in re.findall(r"^\| `([\w.-]+)` \| (\d+) \|", table, re.MULTILINE)} == counts
    sets = re.findall(r"^\| `([\w-]+)` \| ([\d,]+) \| ([\d,]+) \|", readme, re.MULTILINE)
    assert {name: int(n.replace(",", "")) for name, n, _ in sets} == {k: n for k, (_, n) in TEST_SETS.items()}


def test_toy_nets_and_twins_are_marked():
    toys = {name for name, file in files_of("timm-imagenet").items() if file.family == "toy"}
    assert len(toys) == 13 and all(name.startswith("test_") for name in toys)
    assert max(files_of("timm-imagenet")[name].params for name in toys) < 1_000_000
    twins = defaultdict(list)
    for name, file in files_of("timm-imagenet").items():
        if file.duplicate_group:
            twins[file.duplicate_group].append(name)
    assert sorted(map(len, twins.values())) == [2] * 5
    for group, (one, other) in twins.items():
        assert {one, other} == {group, group.replace("levit_", "levit_conv_")}
        assert files_of("timm-imagenet")[one].params == files_of("timm-imagenet")[other].params


@needs_timm
def test_every_name_is_one_that_the_installed_timm_can_fetch():
    from checkpoints.timm_source import find_in_timm, timm_names

    names = set(files_of("timm-imagenet"))
    assert names <= timm_names()
    found = {name: find_in_timm(name) for name in names}
    assert all(each.name == name for name, each in found.items())
    at_address = {name for name, each in found.items() if each.repo is None}
    assert len(at_address) == 15 and all(found[name].url.startswith("https://") for name in at_address)
    assert at_address == {n for n, file in files_of("timm-imagenet").items() if "plain URL" in (file.notes or "")}


@needs_timm
def test_licences_and_families_are_those_of_the_installed_timm():
    from checkpoints.torchvision_import import import_timm

    timm = import_timm()
    for name, file in files_of("timm-imagenet").items():
        licence = timm.models.get_pretrained_cfg(name).license
        assert (licence == "unknown") == (file.licence is None), name
        assert (
            file.licence is None or licence.removesuffix("-license") == file.licence.removeprefix("LicenseRef-").lower()
        )
        in_module = file.architecture in timm.list_models(module=file.family) if file.family != "toy" else True
        assert in_module, name


# --- timm-in1k -----------------------------------------------------------------------------------------------------


def test_in1k_is_a_part_of_the_whole():
    whole, part = load_catalog("timm-imagenet"), load_catalog("timm-in1k")
    chosen = [file for file in whole.files if file.pretrain == "in1k" and file.family != "toy"]
    assert list(part.files) == chosen and len(chosen) == 835
    models = {file.model for file in chosen}
    assert list(part.scores) == [score for score in whole.scores if score.model in models]
    assert part.version != whole.version and part.licence == whole.licence and part.title != whole.title


def test_matched_recipes():
    files = files_of("timm-in1k").values()
    recipes = Counter(file.architecture for file in files)
    several = {architecture: n for architecture, n in recipes.items() if n > 1}
    readme = (CATALOGS / "timm-in1k" / "README.md").read_text(encoding="utf-8")
    assert f"{len(several)} architectures are there" in readme and f"{sum(several.values())} models in all" in readme
    assert several["resnet50"] == 16
    for architecture in several:  # a pair has the same matrices, so the same number of parameters
        assert len({file.params for file in files if file.architecture == architecture}) == 1
    sizes = Counter(file.family for file in files)
    assert f"{len(sizes)} families, {sum(n >= 5 for n in sizes.values())} of them" in readme


# --- torchvision-imagenet ------------------------------------------------------------------------------------------


def test_torchvision_has_114_weights_of_80_architectures():
    files = files_of("torchvision-imagenet")
    assert (len(files), len({file.architecture for file in files.values()})) == (114, 80)
    assert Counter(file.recipe for file in files.values()) == {
        "V1": 78,
        "V2": 24,
        "SWAG_E2E_V1": 6,
        "SWAG_LINEAR_V1": 6,
    }
    catalog = load_catalog("torchvision-imagenet")
    values = {score.model.partition(":")[2]: score.value for score in catalog.scores}
    assert values["resnet50@IMAGENET1K_V1"] == 76.13 and values["resnet50@IMAGENET1K_V2"] == 80.858
    assert values["alexnet@IMAGENET1K_V1"] == 56.522
    for name, file in files.items():
        swag = "SWAG" in name
        assert (file.pretrain, file.licence) == (("ig-3.6b", "CC-BY-NC-4.0") if swag else ("in1k", "BSD-3-Clause"))


@pytest.mark.skipif(find_spec("torchvision") is None, reason="needs torchvision")
def test_every_row_is_what_the_installed_torchvision_says():
    from checkpoints.torchvision_import import import_torchvision

    models = import_torchvision().models
    hashed = 0
    for score in load_catalog("torchvision-imagenet").scores:
        key, file = parse_model_key(score.model), files_of("torchvision-imagenet")[score.model.partition(":")[2]]
        weights = models.get_model_weights(key.id)[key.revision]
        assert weights.meta["_metrics"]["ImageNet-1K"]["acc@1"] == score.value
        assert weights.meta["num_params"] == file.params
        assert type(weights).__module__ == f"torchvision.models.{file.family}"
        assert score.provenance.endswith(f":{type(weights).__module__}.{type(weights).__name__}.{key.revision}.meta")
        assert weights.transforms.keywords["crop_size"] == int(re.match(r"img(\d+)/", score.setting)[1])
        hashed += bool(re.search(r"-[0-9a-f]{8}\.pth$", weights.url))
    assert hashed == 110


# --- the scripts that make them --------------------------------------------------------------------------------------


def script(name: str) -> ModuleType:
    """A script of docs/, loaded."""
    spec = spec_from_file_location(name, CATALOGS.parent / "docs" / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.skipif(find_spec("torchvision") is None, reason="needs torchvision")
def test_the_catalog_of_torchvision_is_what_its_script_makes(tmp_path, monkeypatch):
    made = script("make_torchvision_catalog")
    monkeypatch.setattr(made, "TARGET", tmp_path)
    made.main()
    for file in ("catalog.csv", "scores.csv"):
        there = (CATALOGS / "torchvision-imagenet" / file).read_text()
        assert re.sub(r"==[\w.]+:", ":", (tmp_path / file).read_text()) == re.sub(r"==[\w.]+:", ":", there)


@needs_timm
def test_the_catalog_of_timm_is_what_its_script_makes_of_such_tables(tmp_path, monkeypatch):
    """For a toy, two twins, one at a plain URL, one that lacks a test set, one of two sizes; and a stray row."""
    made = script("make_timm_catalog")
    names = ("test_vit.r160_in1k", "levit_128s.fb_dist_in1k", "levit_conv_128s.fb_dist_in1k")
    models = {f"timm:{name}" for name in (*names, "legacy_seresnet18.in1k", "resnet50.tv_in1k", "resnet18.a1_in1k")}
    folder = CATALOGS / "timm-imagenet"
    scores = [row for row in rows_of(folder / "scores.csv") if row["model"] in models]
    for test_set in made.TEST_SETS:
        lines = ["model,top1,img_size,crop_pct,interpolation\n"]
        for row in scores:
            if row["dataset"] == test_set.dataset:
                size, crop, interpolation = re.match(r"img(\d+)/crop([\d.]+)/(\w+)", row["setting"]).groups()
                lines.append(f"{row['model'][5:]},{row['value']},{size},{crop},{interpolation}\n")
        lines += ["resmlp_24_224.fb_dino,0.480,224,0.875,bicubic\n"] * (test_set.dataset == "imagenet-a")
        (tmp_path / test_set.file).write_text("".join(lines))
    monkeypatch.setattr(made, "TARGET", tmp_path)
    made.main(tmp_path, re.search(r"@([0-9a-f]{40}):", scores[0]["provenance"])[1])
    assert rows_of(tmp_path / "scores.csv") == scores
    assert rows_of(tmp_path / "catalog.csv") == [
        row for row in rows_of(folder / "catalog.csv") if row["model"] in models
    ]


def test_classes_are_those_that_the_script_reads_off_the_names():
    made = script("make_timm_catalog")
    for name, file in files_of("timm-imagenet").items():
        found = next(kind for pattern, kind in made.PRETRAIN if re.search(pattern, name))
        assert found == file.pretrain, name

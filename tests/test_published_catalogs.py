"""The catalogs that come with the package: what is true of all of them, and well-known facts in each."""

import re
from collections import Counter
from pathlib import Path
from statistics import fmean

import pytest

from catalogs import Catalog, Score, WeightFile, catalog_names, load_catalog, parse_model_key

ROOT = Path(__file__).parents[1]
DOCS = (ROOT / "docs" / "catalogs.md").read_text(encoding="utf-8")
READ_FROM = re.compile(r"(github:[\w.-]+/[\w.-]+@[0-9a-f]{40}|pip:[\w.+-]+==[\w.+]+):\S+")
LAMBADA, PIQA, MEAN = "lambada-openai", "piqa", "mteb-english-19-tasks"


def named(catalog: str, name: str) -> WeightFile:
    (file,) = load_catalog(catalog).select([name]).files
    return file


def scores_of(catalog: str, name: str, dataset: str) -> dict[str, Score]:
    """Scores of a model on a data set by their metrics."""
    return {score.metric: score for score in load_catalog(catalog).select([name]).scores if score.dataset == dataset}


def value(catalog: str, name: str, dataset: str, metric: str) -> float:
    return scores_of(catalog, name, dataset)[metric].value


def primary(catalog: Catalog, dataset: str) -> dict[str, float]:
    names = {file.model: file.name for file in catalog.files}
    return {names[each.model]: each.value for each in catalog.scores if each.primary and each.dataset == dataset}


# --- what is true of every catalog ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", catalog_names())
def test_every_catalog(name):
    catalog = load_catalog(name)  # units in their ranges, names and rows once: loading checks it
    assert catalog.name == name and catalog.files and catalog.scores
    models = Counter(file.model for file in catalog.files)
    assert [str(parse_model_key(model)) for model in models] == list(models)
    assert len({file.name for file in catalog.files}) == len(models)
    assert all(file.family for file in catalog.files)
    assert all(file.params is None or 1_000 < file.params < 10**12 for file in catalog.files)
    groups = Counter(file.duplicate_group for file in catalog.files if file.duplicate_group)
    assert all(count > 1 for count in groups.values())

    assert {score.model for score in catalog.scores} == set(models)
    assert all(READ_FROM.fullmatch(score.provenance or "") for score in catalog.scores)
    marked = Counter((score.model, score.dataset) for score in catalog.scores if score.primary)
    assert set(marked.values()) == {1}
    kinds = {(score.dataset, score.metric): (score.unit, score.higher_is_better) for score in catalog.scores}
    for score in catalog.scores:  # a number in another unit or direction would be compared with the rest
        assert kinds[score.dataset, score.metric] == (score.unit, score.higher_is_better), score
        assert score.higher_is_better == (not re.search("err|perplexity", score.metric)), score
    for dataset in {score.dataset for score in catalog.scores}:
        sizes = {(score.split, score.n_test) for score in catalog.scores if score.dataset == dataset}
        assert len(sizes) == 1, (dataset, sizes)


@pytest.mark.parametrize("name", catalog_names())
def test_every_catalog_is_told_of(name):
    readme = (ROOT / "catalogs" / name / "README.md").read_text(encoding="utf-8")
    assert readme.startswith(f"# {name}\n")
    assert f"`{name}`" in DOCS
    catalog = load_catalog(name)
    assert f"{len(catalog.models):,}" in readme or name == "demo"


def test_one_key_is_one_model_in_all_catalogs():
    """A key that several catalogs have is the same file under the same name, of the same size."""
    known: dict[str, WeightFile] = {}
    for name in catalog_names():
        for file in load_catalog(name).files:
            other = known.setdefault(f"{file.model} {file.file}", file)
            assert (other.name, other.params) == (file.name, file.params), (name, file.model)


@pytest.mark.parametrize(
    ("name", "models", "scores", "scores_only", "families"),
    [
        ("pytorchcv", 539, 862, 0, 83),
        ("cifar", 93, 173, 55, 28),
        ("pycls", 36, 36, 0, 5),
        ("pythia", 432, 3024, 0, 16),
        ("opt-bloom", 13, 91, 0, 2),
        ("base-llms", 148, 1144, 0, 48),
        ("mteb-encoders", 257, 4604, 25, 194),
    ],
)
def test_counts(name, models, scores, scores_only, families):
    catalog = load_catalog(name)
    assert (len(catalog.models), len(catalog.scores)) == (models, scores)
    sources = [parse_model_key(model).source for model in catalog.models]
    assert sources.count("scores") == scores_only
    assert set(sources) - {"scores"} <= {"hub", "url"}
    assert len({file.family for file in catalog.files}) == families


@pytest.mark.parametrize("name", ["pythia", "opt-bloom", "base-llms"])
def test_fractions_are_of_the_questions_that_there_are(name):
    """A score to six digits is a whole number of right answers, so `n_test` is right, and so is the name of the set."""
    odd = Counter()
    for score in load_catalog(name).scores:
        if (
            score.n_test is not None
            and score.unit == "fraction"
            and not (score.setting or "").startswith("three digits")
        ):
            right = score.value * score.n_test
            odd[score.dataset] += abs(right - round(right)) > 0.5e-6 * score.n_test + 0.01
    assert sum(odd.values()) == 0, odd
    assert len(odd) >= 5


# --- pytorchcv, cifar, pycls ---------------------------------------------------------------------------------------


def test_pytorchcv():
    catalog = load_catalog("pytorchcv")
    pins = Counter(len((parse_model_key(model).revision or "").removeprefix("sha1=")) for model in catalog.models)
    assert pins == {40: 538, 8: 1}
    for file in catalog.files:  # the digits in the name of the file are the first of the whole SHA-1
        key = parse_model_key(file.model)
        assert re.search(r"-(\w{8})\.pth\.zip$", key.id)[1] == key.revision.removeprefix("sha1=")[:8]
    assert value("pytorchcv", "resnet50.osmr", "imagenet-1k", "err@1") == 22.28
    assert value("pytorchcv", "resnet50.osmr", "imagenet-1k", "err@5") == 6.33
    assert value("pytorchcv", "alexnet.osmr", "imagenet-1k", "err@1") == 38.50
    assert named("pytorchcv", "resnet50.osmr").params == 25_557_032
    assert named("pytorchcv", "efficientnet_b0b.osmr").recipe == "from rwightman/pytorch-image-models"
    assert Counter(s.dataset for s in catalog.scores if s.primary) == {
        **{"imagenet-1k": 323, "cifar-10": 70, "cifar-100": 68},
        **{"svhn": 63, "cub-200-2011": 15},
    }
    assert sum(file.licence == "MIT" for file in catalog.files) == 487
    families = Counter(file.family for file in catalog.files)
    assert (families["ResNet"], families["ResNet(A)"], families["ResNet(D)"], families["MENet"]) == (48, 6, 3, 8)


def test_cifar():
    assert value("cifar", "cifar10_resnet20", "cifar-10", "acc@1") == 92.6
    assert value("cifar", "resnet18.weiaicunzai", "cifar-100", "err@1") == 24.39
    catalog = load_catalog("cifar")
    for file in catalog.files:
        key = parse_model_key(file.model)
        if key.source == "url":
            assert key.revision == f"sha256={re.search(r'-([0-9a-f]{8})[.]pt$', key.id)[1]}"
    assert {score.unit for score in catalog.scores} == {"percent"}


def test_pycls():
    catalog = load_catalog("pycls")
    assert {parse_model_key(model).revision for model in catalog.models} == {"unpinned"}
    assert value("pycls", "RegNetX-200MF.pycls", "imagenet-1k", "acc@1") == 68.9
    assert Counter(file.family for file in catalog.files)["RegNetY"] == 12
    ladder = [score for name, score in primary(catalog, "imagenet-1k").items() if name.startswith("RegNetX")]
    assert ladder == sorted(ladder)


# --- language models -----------------------------------------------------------------------------------------------


def test_pythia_has_27_steps_of_16_runs():
    catalog = load_catalog("pythia")
    steps = Counter(file.family for file in catalog.files)
    assert len(steps) == 16 and set(steps.values()) == {27}
    late = {file.model for file in catalog.files if int(file.recipe.removeprefix("step")) >= 1000}
    assert len(late) == 256
    marked = {score.model for score in catalog.scores if score.primary}
    assert marked < late
    # Four models have four primary scores each: one of the 1b run is doubtful, five of 2.8b are told twice.
    left_out = sorted(model.removeprefix("hub:EleutherAI/pythia-") for model in late - marked)
    twice = [f"2.8b-deduped@step{step}" for step in (1000, 13000, 23000, 3000, 33000, 43000)]
    assert left_out == ["1b@step1000", *twice]
    assert {score.dataset for score in catalog.scores if score.primary} == {LAMBADA, PIQA, "sciq", "arc-easy"}


def test_pythia_learns():
    last = {size: value("pythia", f"pythia-{size}@step143000", LAMBADA, "acc") for size in ("70m", "410m", "12b")}
    assert last == {"70m": 0.184553, "410m": 0.516204, "12b": 0.704638}
    for run in {file.family for file in load_catalog("pythia").files}:
        early, late = (scores_of("pythia", f"{run}@step{step}", LAMBADA)["perplexity"] for step in (1000, 143000))
        assert early.value > 3 * late.value and late.unit == "perplexity" and not late.higher_is_better
        assert not scores_of("pythia", f"{run}@step512", LAMBADA)["perplexity"].primary


def test_twins_are_what_the_notes_say():
    """Scores of the two 2.8b runs at one step are the same; those of another size are not."""

    def both(size: str, step: int) -> tuple[dict[str, float], dict[str, float]]:
        names = [f"pythia-{size}{kind}@step{step}" for kind in ("", "-deduped")]
        first, second = (
            {s.dataset + s.metric: s.value for s in load_catalog("pythia").select([n]).scores} for n in names
        )
        return first, second

    first, second = both("2.8b", 1000)
    assert first == second
    assert both("6.9b", 1000)[0] != both("6.9b", 1000)[1]
    for step in (3000, 43000):
        first, second = both("2.8b", step)
        assert first[f"{LAMBADA}perplexity"] == pytest.approx(second[f"{LAMBADA}perplexity"], rel=3e-4)
    assert "one run may have been tested under two names" in named("pythia", "pythia-2.8b@step43000").notes
    assert named("pythia", "pythia-2.8b@step53000").notes is None


@pytest.mark.parametrize(
    ("catalog", "name", "params"),
    [
        # Two embeddings, 12 h^2 + 13 h a layer, the last norm: 50,304 tokens of width 512 in 6 layers.
        ("pythia", "pythia-70m@step0", 2 * 50_304 * 512 + 6 * (12 * 512**2 + 13 * 512) + 2 * 512),
        ("pythia", "pythia-12b@step143000", 11_846_072_320),
        # One embedding of 50,272 tokens, 2,050 positions.
        ("opt-bloom", "opt-125m", (50_272 + 2050) * 768 + 12 * (12 * 768**2 + 13 * 768) + 2 * 768),
        ("opt-bloom", "opt-350m", 331_196_416),
        ("opt-bloom", "opt-6.7b", 6_658_473_984),
        ("opt-bloom", "bloom-560m", 559_214_592),
        ("opt-bloom", "bloom-7b1", 7_069_016_064),
        ("base-llms", "bloom", 176_247_271_424),
        ("base-llms", "open_llama_7b_v2", 7_000_000_000),
        ("base-llms", "Mixtral-8x7B-v0.1", None),
    ],
)
def test_parameters_of_language_models(catalog, name, params):
    assert named(catalog, name).params == params


def test_opt_and_bloom():
    catalog = load_catalog("opt-bloom")
    assert Counter(file.family for file in catalog.files) == {"opt": 8, "bloom": 5}
    perplexity = primary(catalog, LAMBADA)
    sizes = ["opt-125m", "opt-1.3b", "opt-6.7b", "opt-66b"]
    assert [perplexity[name] for name in sizes] == sorted((perplexity[name] for name in sizes), reverse=True)
    assert 25 < perplexity["opt-125m"] < 27


def test_base_llms():
    assert value("base-llms", "Llama-2-7b-hf", "mmlu", "acc") == 0.437961
    assert value("base-llms", "Llama-2-7b-hf", "hellaswag", "acc_norm") == 0.777435
    catalog = load_catalog("base-llms")
    assert all(score.primary and score.unit == "fraction" for score in catalog.scores)
    assert max(Counter(score.model for score in catalog.scores).values()) == 8
    assert not any(word in file.name.lower() for file in catalog.files for word in ("chat", "instruct", "gpt-4"))
    assert named("base-llms", "rwkv-raven-14b").family == "RWKV-Raven"


# --- text encoders -------------------------------------------------------------------------------------------------


def test_the_mean_is_over_the_tasks_that_are_named_and_there_is_none_where_one_is_missing():
    catalog = load_catalog("mteb-encoders")
    readme = (ROOT / "catalogs" / "mteb-encoders" / "README.md").read_text(encoding="utf-8")
    tasks = {score.dataset for score in catalog.scores} - {MEAN}
    assert len(tasks) == 19 and all(task in readme for task in tasks)
    by_model: dict[str, dict[str, float]] = {}
    for score in catalog.scores:
        by_model.setdefault(score.model, {})[score.dataset] = score.value
    complete = 0
    for scores in by_model.values():
        mean = scores.pop(MEAN, None)
        assert len(scores) >= 10
        assert (mean is not None) == (set(scores) == tasks)
        if mean is not None:
            complete += 1
            assert mean == pytest.approx(fmean(scores.values()), abs=1e-6)
    assert complete == 160


def test_mteb_agrees_with_demo():
    here = {
        score.dataset: score.value
        for score in load_catalog("mteb-encoders").select(["all-MiniLM-L6-v2@8b3219a9"]).scores
    }
    there = {score.dataset: score.value for score in load_catalog("demo").select(["all-MiniLM-L6-v2"]).scores}
    shared = here.keys() & there.keys()
    assert len(shared) == 19
    assert {name: here[name] for name in shared} == pytest.approx({name: there[name] for name in shared}, abs=1e-6)


def test_commits_stand_in_the_key_and_what_has_none_says_so():
    for file in load_catalog("mteb-encoders").files:
        key = parse_model_key(file.model)
        if key.source == "hub":
            assert bool(key.commit) != bool(file.notes), file
        else:
            assert "no weights" in file.notes or "no commit" in file.notes

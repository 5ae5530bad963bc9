"""Choices against means by hand, what they do to ranks and taus, and what cannot be compared."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from click.testing import CliRunner, Result

from analysis import AnalysisError, open_results
from analysis.opening.results import Results
from analysis.samples.choices import Choice, choices, not_computed
from analysis.studies.effects import Effect
from analysis.studies.looks import selections
from analysis.studies.sensitivity import Sensitivity, headlines, score_range, sensitivity
from pipeline.options import MetricOptions
from setol_zoo.cli import main
from tests.analysis.synthetic import CONFIG, Synthetic, score, tensor, weight_file

Layer = tuple[Any, dict[str, Any]]


def one(name: str, alpha: float | None, kind: str = "linear", *, params: int = 12, **columns: Any) -> Layer:
    """A matrix, by default with 60 eigenvalues."""
    values = {"alpha": alpha, "alpha_hat": alpha, "n_evals": 60, "n_params": params}
    part = columns.pop("part", None)
    return tensor(f"{name}.weight", [params], kind, n_rows=4, n_cols=3, part=part), values | columns


def no_fit(name: str, kind: str = "linear", **columns: Any) -> Layer:
    return one(name, None, kind, status="no_tail", reason="too_few_eigenvalues", **columns)


def write(
    root: Path,
    models: Sequence[Sequence[Layer] | None],
    scores: Sequence[float] = (),
    families: Sequence[str | None] = (),
    *,
    suffix: str = ".pt",
    metrics: MetricOptions | None = None,
    config: str = CONFIG,
    **of_scores: Any,
) -> Synthetic:
    """Models of these layers, None for one without results; `planned` is that of the configuration's name."""
    folder = Synthetic(root)
    folder.plan(config, metrics, planned=f"2026-01-01T00:00:00.{config[-6:]}+00:00")
    contents = [f"{index:064x}" for index in range(len(models))]
    given = list(families) or ["f"] * len(models)
    files = [
        weight_file(f"m{index}", content, family=family, file=f"/zoo/m{index}{suffix}")
        for index, (content, family) in enumerate(zip(contents, given, strict=True))
    ]
    folder.describe(files, [score(f"m{index}", value, **of_scores) for index, value in enumerate(scores)])
    for content, layers in zip(contents, models, strict=True):
        if layers is not None:
            folder.publish(content, list(layers), config=config, metrics=metrics)
    return folder


def taken(results: Results, metric: str = "alpha") -> dict[str, list[float | None]]:
    """Each choice's numbers, model by model."""
    models = [row["model"] for row in results.rows("SELECT model FROM models ORDER BY model")]
    return {each.name: plain(each, metric) for each in choices(results, models, [metric])}


def plain(choice: Choice, metric: str) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in choice.values[metric]]


def effect(found: Sensitivity, choice: str, metric: str = "alpha") -> Effect:
    return next(each for each in found.of(metric) if each.choice == choice)


def setol(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["sensitivity", *map(str, arguments)])


LAYERS = (
    one("stem", 3, "conv2d", params=10),
    one("qkv", 5, part="q", params=20, n_evals=100),
    one("qkv", 7, part="k", params=20, n_evals=200),
    one("words", 9, "embedding", params=100, n_evals=300),
    one("head", 11, params=50),
)


def test_every_choice_is_its_mean_by_hand(tmp_path: Path) -> None:
    write(tmp_path, [[*LAYERS, no_fit("tiny"), one("pos", 1000, "table", params=1000)]])
    found = taken(open_results(tmp_path))
    assert found == {
        "mean": [7],  # 35 / 5
        "median": [7],
        "weighted": [pytest.approx((30 + 100 + 140 + 900 + 550) / 200)],
        "no first and last": [8],  # tiny is the last matrix, so head stays: (5 + 7 + 9 + 11) / 4
        "linear only": [pytest.approx(23 / 3)],
        "convolutions only": [3],
        "no embeddings": [6.5],
        "100+ eigenvalues": [7],
        "200+ eigenvalues": [8],
        "alpha up to 8": [5],
        "alpha up to 6": [4],
    }


def test_the_first_and_the_last_go_with_all_their_parts(tmp_path: Path) -> None:
    write(tmp_path / "fused", [LAYERS[1:]])
    assert taken(open_results(tmp_path / "fused"))["no first and last"] == [9]
    write(tmp_path / "two", [LAYERS[:1] + LAYERS[4:], LAYERS[:1]])
    found = taken(open_results(tmp_path / "two"))
    assert found["no first and last"] == [None, None]  # nothing is left of either
    assert found["linear only"] == [11, None]


def test_the_default_is_the_view_of_model_metrics(rich_unchanged: Path) -> None:
    results = open_results(rich_unchanged)
    metrics = ("alpha", "alpha_hat", "erg_delta", "stable_rank")
    rows = results.rows("FROM model_metrics ORDER BY model")
    found = choices(results, [row["model"] for row in rows], metrics)
    for metric in metrics:
        assert plain(found[0], metric) == [pytest.approx(row[f"{metric}_mean"]) for row in rows]
        assert plain(found[1], metric) == [pytest.approx(row[f"{metric}_median"]) for row in rows]


def test_a_metric_that_some_layers_lack_is_weighted_over_the_others(tmp_path: Path) -> None:
    layers = [one("a", 2, params=10), one("b", 4, params=30), one("c", None, params=1000, stable_rank=5.0)]
    write(tmp_path, [layers])
    assert taken(open_results(tmp_path))["weighted"] == [3.5]
    assert taken(open_results(tmp_path), "stable_rank")["weighted"] == [5]


def test_equal_means_stay_equal_whatever_the_order_of_sums(tmp_path: Path) -> None:
    models = [[one(f"l{i}", 0.1, params=7 + 3 * i * index) for i in range(3 + index)] for index in range(6)]
    write(tmp_path, models, range(6))
    found = sensitivity(open_results(tmp_path), metrics=["alpha"])
    assert {each.n_changed for each in found.of("alpha") if each.n == 6} == {0}
    assert {each.tau for each in found.effects} == {None}
    assert "No choice changes the rank of any model." in headlines(found)


def test_what_a_choice_does_to_ranks_and_taus(tmp_path: Path) -> None:
    # Means 5.5 n, weighted ones 9.1 n: other numbers in the same order. One of ten pairs is discordant with the score.
    models = [[one("a", n, params=1), one("b", 10 * n, params=9)] for n in (1, 2, 3, 4, 5)]
    write(tmp_path, models, [1, 2, 3, 5, 4])
    found = sensitivity(open_results(tmp_path), metrics=["alpha"])
    weighted = effect(found, "weighted")
    assert (found.n_models, found.n_scored, weighted.n, weighted.n_lost, weighted.n_changed) == (5, 5, 5, 0, 5)
    assert weighted.agreement == weighted.agreement_within == 1
    assert (weighted.moved, weighted.moved_model) == (0, None)
    assert (effect(found, "mean").tau, weighted.tau, weighted.change) == (pytest.approx(0.8), pytest.approx(0.8), 0)
    assert (weighted.n_families, weighted.n_scored) == (1, 5)


def test_the_model_that_moves_most_is_named_with_its_ranks(tmp_path: Path) -> None:
    # Without alphas above 8 the first model, of the largest mean, has the smallest: it goes from 5 to 1, others by one.
    models = [[one("a", 1), one("b", 100)], *([one("a", n), one("b", n)] for n in (2, 3, 4, 5))]
    write(tmp_path, models, [1, 2, 3, 4, 5])
    found = sensitivity(open_results(tmp_path), metrics=["alpha"])
    cut = effect(found, "alpha up to 8")
    assert (cut.moved, cut.moved_model, cut.moved_from, cut.moved_to, cut.n_common) == (4, "m0", 5, 1, 5)
    assert cut.agreement == pytest.approx((6 - 4) / 10)
    assert (effect(found, "mean").tau, cut.tau, cut.change) == (pytest.approx(0.2), 1, pytest.approx(0.8))
    low, high = score_range(found, "alpha") or (None, None)
    assert low is not None and high is not None
    assert (low.tau, high.tau) == (pytest.approx(0.2), 1)
    assert headlines(found)[0].startswith("alpha: tau with the score is 0.20 by default, and 0.20 (mean) to 1.00 (")
    assert "ranked by alpha, m0 is 5 of 5 by default and 1 under 'alpha up to 8'." in headlines(found)[-1]


def test_a_choice_that_loses_models_is_compared_on_those_that_stay(tmp_path: Path) -> None:
    # Six models; the sixth has no convolution. On the five others, convolutions have the order of the means exactly.
    models = [[one("c", n, "conv2d"), one("l", n)] for n in (1, 2, 3, 4, 5)] + [[one("l", 0)]]
    write(tmp_path, models, [1, 2, 3, 4, 5, 6])
    found = effect(sensitivity(open_results(tmp_path), metrics=["alpha"]), "convolutions only")
    assert (found.n, found.n_lost, found.n_scored) == (5, 1, 5)
    assert (found.tau, found.change, found.agreement) == (1, 0, 1)
    by_default = effect(sensitivity(open_results(tmp_path), metrics=["alpha"]), "mean")
    assert by_default.tau == pytest.approx((10 - 5) / 15)


def test_taus_are_means_over_families_and_otherwise_over_all(tmp_path: Path) -> None:
    alphas = [1, 2, 3, 4, 5, 15, 14, 13, 12, 11, 50]
    models = [[one("a", alpha)] for alpha in alphas]
    scores = [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 0.5]
    write(tmp_path / "two", models, scores, ["f"] * 5 + ["g"] * 5 + ["h"])
    found = effect(sensitivity(open_results(tmp_path / "two"), metrics=["alpha"]), "mean")
    assert (found.tau, found.n_families, found.n_scored) == (0, 2, 11)
    assert found.tau_all == pytest.approx(scipy.stats.kendalltau(alphas, scores).statistic)
    write(tmp_path / "none", models, scores, [None] * 11)
    found = effect(sensitivity(open_results(tmp_path / "none"), metrics=["alpha"]), "mean")
    assert (found.tau, found.n_families) == (found.tau_all, 0)
    assert found.agreement_within is None


def test_other_configurations_are_choices_if_they_make_other_values(tmp_path: Path) -> None:
    models = [[one("a", n)] for n in (1, 2, 3, 4, 5)]
    write(tmp_path, models, [1, 2, 3, 4, 5], config="c00000100001")
    clipped = [[one("a", 6 - n)] for n in (1, 2, 3, 4, 5)]
    write(tmp_path, clipped, [1, 2, 3, 4, 5], config="c00000100002", metrics=MetricOptions(fingers="clip"))
    write(tmp_path, models, [1, 2, 3, 4, 5], config="c00000100003", metrics=MetricOptions(detail="full"))
    several = MetricOptions(min_evals=8, least_eigenvalue=1e-5)
    write(tmp_path, models, [1, 2, 3, 4, 5], config="c00000100004", metrics=several)
    results = open_results(tmp_path, "c00000100001")
    found = sensitivity(results, metrics=["alpha"])
    assert [each.name for each in found.choices][-2:] == ["min_evals 8 and 1 more", "fingers clip"]
    assert found.choices[-2].meaning.endswith("of min_evals 8, least_eigenvalue 1e-05")
    assert (effect(found, "fingers clip").tau, effect(found, "fingers clip").agreement) == (-1, -1)
    assert [each.name for each in found.not_computed] == []
    assert any("above or below 0" in line for line in headlines(found))


def test_fingers_that_were_clipped_can_be_put_back(tmp_path: Path) -> None:
    layers = [
        one("a", 2, raw_alpha=4.0, n_fingers=1, log_spectral_norm=0.5),
        one("b", 3, raw_alpha=3.0, n_fingers=0, log_spectral_norm=1.0),
    ]
    write(tmp_path, [layers], metrics=MetricOptions(fingers="clip"))
    results = open_results(tmp_path)
    assert taken(results)["fingers kept"] == [3.5]
    assert taken(results, "alpha_hat")["fingers kept"] == [2.5]
    assert "fingers kept" not in taken(results, "stable_rank")
    assert not_computed(results, choices(results, [], ["alpha"])) == ()


def test_what_is_not_there_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    kernel = one("c", 3, "conv2d", n_slices=9)
    write(tmp_path, [[kernel]])
    found = sensitivity(open_results(tmp_path)).not_computed
    assert [each.words for each in found] == [("refit", "--fingers", "clip"), ("refit", "--preset", "natcomm2021")]


@pytest.mark.parametrize(("suffix", "notes"), [(".pt", 0), (".safetensors", 1)])
def test_first_and_last_by_name_alone_are_said_to_be(tmp_path: Path, suffix: str, notes: int) -> None:
    write(tmp_path, [LAYERS], suffix=suffix)
    found = sensitivity(open_results(tmp_path)).notes
    assert len(found) == notes
    assert all("in the order of the names for all models" in note for note in found)


def test_copies_count_once_and_a_copy_with_a_score_is_compared(tmp_path: Path) -> None:
    folder = write(tmp_path, [[one("a", n)] for n in (1, 2, 3, 4, 5)], [1, 2, 3, 4])
    copy = weight_file("z", f"{4:064x}", family="f")  # the fifth has no score under its first name
    folder.describe([copy], [score("z", 5.0)])
    found = sensitivity(open_results(tmp_path), metrics=["alpha"])
    assert (found.n_models, found.n_scored) == (5, 5)
    assert (effect(found, "mean").n, effect(found, "mean").n_scored, effect(found, "mean").tau) == (5, 5, 1)


@pytest.mark.parametrize("n", [0, 1, 4])
def test_too_few_models_have_no_taus_and_no_scores_no_range(tmp_path: Path, n: int) -> None:
    write(tmp_path, [[one("a", 1 + index), one("b", 9 - index)] for index in range(n)] + [None], range(n))
    found = sensitivity(open_results(tmp_path), metrics=["alpha"])
    assert {each.tau for each in found.effects} | {each.agreement for each in found.effects} == {None}
    assert {each.moved is None for each in found.of("alpha")[:1]} == ({n < 2} if n else {True})
    assert score_range(found, "alpha") is None
    run = setol("--results", tmp_path)
    assert run.exit_code == 0, run.output
    assert run.output.splitlines()[-1].startswith("next: setol ")


def test_unknown_names_are_answered_with_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, [LAYERS], [1.0])
    results = open_results(tmp_path)
    with pytest.raises(AnalysisError, match=r"unknown metric 'alpha_hatt'.*alpha_hat"):
        sensitivity(results, metrics=["alpha_hatt"])
    with pytest.raises(AnalysisError, match="unknown dataset 'D'"):
        sensitivity(results, dataset="D")
    run = setol("--results", tmp_path, "--metric", "alpha; DROP TABLE layers")
    assert (run.exit_code, "unknown metric" in run.output) == (2, True)


def test_names_are_data(tmp_path: Path) -> None:
    models = [[one("a", 1), one("b", 100)], *([one("a", n), one("b", n)] for n in (2, 3, 4, 5))]
    folder = write(tmp_path, models, [1, 2, 3, 4, 5], dataset="d'; --")
    name = "<b>\x1b[31m'; DROP TABLE layers"
    folder.describe([weight_file("m0", f"{0:064x}", family="f", name=name)], [score("m0", 1.0, dataset="d'; --")])
    run = setol("--results", tmp_path, "--dataset", "d'; --")
    assert run.exit_code == 0, run.output
    assert "DROP TABLE layers is 5 of 5 by default" in run.output
    assert "\x1b[31m" not in run.output


def test_scores_do_not_change_ranks_and_monotone_scores_change_nothing(tmp_path: Path) -> None:
    generator = np.random.default_rng(7)
    models = [
        [one(f"l{i}", float(generator.uniform(1, 12)), params=int(generator.integers(1, 99))) for i in range(4)]
        for _ in range(6)
    ]
    scores = generator.uniform(1, 2, 6)
    write(tmp_path / "a", models, scores)
    write(tmp_path / "b", models, np.exp(3 * scores))
    found, other = (sensitivity(open_results(tmp_path / name), metrics=["alpha"]) for name in "ab")
    assert found.effects == other.effects
    write(tmp_path / "c", models, -scores)
    turned = sensitivity(open_results(tmp_path / "c"), metrics=["alpha"])
    for each, mirrored in zip(found.effects, turned.effects, strict=True):
        assert mirrored.tau == (None if each.tau is None else pytest.approx(-each.tau))
        assert replace(each, tau=None, tau_all=None, change=None) == replace(
            mirrored, tau=None, tau_all=None, change=None
        )


def test_leaving_layers_out_is_what_other_options_leave_out(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    for index in range(2):
        sizes = {"first": (90, 60), "wide": (260, 130), "tall": (400, 110), "last": (70, 55)}
        weights = {
            f"{name}.weight": torch.from_numpy(generator.standard_t(2.5, shape).astype(np.float32))
            for name, shape in sizes.items()
        }
        torch.save(weights, tmp_path / f"m{index}.pt")
    files, folder = [tmp_path / f"m{index}.pt" for index in range(2)], ["--results", tmp_path / "results"]
    for words in (
        ["run", *files, "--executor", "serial", "--detail", "basic"],
        ["run", *files, "--executor", "serial", "--detail", "basic", "--min-evals", 100],
        ["run", *files, "--executor", "serial", "--detail", "basic", "--fingers", "clip"],
    ):
        run = CliRunner().invoke(main, [*map(str, words), *map(str, folder)])
        assert run.exit_code == 0, run.output
    metrics = ["alpha", "alpha_hat"]
    numbers = {}
    for each in open_results(tmp_path / "results").configs:
        results = open_results(tmp_path / "results", each.name)
        models = [row["model"] for row in results.rows("SELECT model FROM models ORDER BY model")]
        name = f"{each.options['metrics']['min_evals']} {each.options['metrics']['fingers']}"
        numbers[name] = {choice.name: choice.values for choice in choices(results, models, metrics)}
    assert len(models) == 2
    for metric in metrics:
        by_default, fewer = (numbers["50 keep"][name][metric] for name in ("mean", "100+ eigenvalues"))
        assert not np.array_equal(by_default, fewer)
        np.testing.assert_array_equal(fewer, numbers["100 keep"]["mean"][metric])
        np.testing.assert_array_equal(numbers["50 clip"]["fingers kept"][metric], by_default)
        assert not np.array_equal(numbers["50 clip"]["mean"][metric], by_default)


def test_a_comparison_of_choices_is_a_look(rich: Path) -> None:
    said = [setol("--results", rich).output for _ in range(2)]
    assert said[0] == said[1]
    assert "exploratory (a choice that was made because its tau is larger is a selection)" in said[0]
    assert "in 1 look at these results" in said[0]
    assert selections([rich]).looks == 1

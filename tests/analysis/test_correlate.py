"""Correlations against values in closed form, verdicts, and the sentences that follow from them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis import AnalysisError, open_results
from analysis.opening.results import Results
from analysis.samples.sample import Sample, Target
from analysis.samples.samples_from_results import samples_from_results
from analysis.studies.correlate import METRICS, MOST_TESTED, correlate
from analysis.studies.correlation_records import Correlation, Correlations, Group, Verdict
from analysis.studies.reading import headline, reading
from tests.analysis.synthetic import Synthetic, one_layer, score, weight_file

UNEVEN_PARAMS = (30, 10, 50, 20, 40, 60, 15, 35, 55, 25, 45, 65)


def zoo(
    root: Path,
    alphas: Sequence[float | None],
    scores: Sequence[float],
    params: Sequence[int] = UNEVEN_PARAMS,
    families: Sequence[str | None] = ("f",),
    **columns: Any,
) -> Results:
    """Models of one layer each, with an alpha and a score."""
    folder = Synthetic(root)
    folder.plan()
    contents = [f"{index:064x}" for index in range(len(alphas))]
    families = list(families) * len(alphas) if len(families) == 1 else families
    files = [
        weight_file(f"m{index:02}", content, params=params[index], family=families[index])
        for index, content in enumerate(contents)
    ]
    folder.describe(files, [score(file.name, value, **columns) for file, value in zip(files, scores, strict=True)])
    for content, alpha in zip(contents, alphas, strict=True):
        folder.publish(content, one_layer(alpha, alpha_hat=alpha, status="ok" if alpha is not None else "no_tail"))
    return open_results(root)


def found_in(results: Results, metrics: Sequence[str] = METRICS, **options: Any) -> Correlations:
    (sample,) = samples_from_results(results, metrics=metrics, **options)
    return correlate(sample, metrics)


def of(found: Correlations, metric: str, family: str | None = "f") -> Correlation:
    (group,) = [each for each in found.groups if each.family == family]
    return next(each for each in group.correlations if each.metric == metric)


def only(found: Correlations) -> Group:
    (group,) = found.groups
    return group


def sample_of(columns: dict[str, Any], scores: Any, families: Sequence[str | None] | None = None) -> Sample:
    n = len(scores)
    return Sample(
        target=Target(dataset="d", split=None, score_metric="err", unit="percent", higher_is_better=False),
        models=tuple(f"m{index}" for index in range(n)),
        families=tuple(families or [None] * n),
        architectures=(None,) * n,
        score=np.array(scores, dtype=float),
        score_error=np.full(n, np.nan),
        columns={name: np.array(values, dtype=float) for name, values in columns.items()},
        errors={},
    )


def test_coefficients_have_their_closed_values(tmp_path: Path) -> None:
    # Ranks 1 2 3 5 4 against 1 2 3 4 5: one inversion of 10 pairs. Of the 120 orders 1 + 4 have at most one, so the
    # exact two-sided p is 2 * 5/120. Sum of d^2 is 2: rho = 1 - 6 * 2 / (5 * 24). Sxy = 9, Sxx = Syy = 10.
    results = zoo(tmp_path, [1, 2, 3, 4, 5], [1, 2, 3, 5, 4], params=[10, 10, 10, 10, 10])
    all_found = found_in(results)
    target = all_found.target
    assert (target.dataset, target.score_metric, target.unit) == ("d", "err@1", "percent")
    assert target.higher_is_better is False
    found = of(all_found, "alpha_mean")
    assert (found.n, found.test) == (5, "exact")
    assert found.kendall_tau == pytest.approx(0.8)
    assert found.kendall_p == pytest.approx(2 * 5 / 120)
    assert found.spearman_rho == pytest.approx(0.9)
    assert (found.slope, found.intercept) == (pytest.approx(0.9), pytest.approx(0.3))
    assert (found.pearson_r, found.r_squared) == (pytest.approx(0.9), pytest.approx(0.81))
    assert found.rmse == pytest.approx((10 * (1 - 0.81) / 5) ** 0.5)
    assert found.smallest_tau == 1.0  # 2 * 5 / 120 is too much, so only a perfect order of 5 can be told from chance
    assert found.tau_interval is None
    assert found.verdict == Verdict.CHANCE  # of several metrics


def test_sign_is_that_of_the_score_as_published(tmp_path: Path) -> None:
    columns = {"metric": "acc@1", "higher_is_better": True}
    all_found = found_in(zoo(tmp_path, [1, 2, 3, 4, 5], [50, 40, 30, 20, 10], **columns))
    assert (of(all_found, "alpha_mean").kendall_tau, all_found.target.higher_is_better) == (pytest.approx(-1), True)


def test_four_models_are_described_and_not_tested(tmp_path: Path) -> None:
    # One inversion of 6 pairs. Sxy = 4, Sxx = Syy = 5.
    found = found_in(zoo(tmp_path, [1, 2, 3, 4], [1, 2, 4, 3]))
    each = of(found, "alpha_mean")
    assert (each.n, each.verdict, each.kendall_p, each.smallest_tau) == (4, Verdict.TOO_FEW, None, None)
    assert (each.kendall_tau, each.r_squared) == (pytest.approx(2 / 3), pytest.approx(0.64))
    assert each.rmse == pytest.approx((5 * 0.36 / 4) ** 0.5)
    assert reading(only(found)) == "Too few models to judge: 4, and 5 are needed."


def test_three_models_are_not_described() -> None:
    found = correlate(sample_of({"a": [1, 2, 3]}, [1, 2, 3]), ["a"])
    assert (found.groups[0].correlations[0].n, found.groups[0].correlations[0].r_squared) == (3, None)


def test_a_metric_that_goes_with_size_is_no_better_than_it(tmp_path: Path) -> None:
    found = found_in(zoo(tmp_path, [5, 4, 3, 2, 1, 0.5], [6, 5, 4, 3, 2, 1], params=[1, 2, 4, 8, 16, 32]))
    assert of(found, "alpha_mean").kendall_tau == pytest.approx(1)
    assert of(found, "log10_params").kendall_tau == pytest.approx(-1)
    assert of(found, "alpha_mean").verdict == Verdict.NO_MORE
    assert of(found, "log10_params").verdict == Verdict.BASELINE
    assert of(found, "depth").verdict == Verdict.CONSTANT
    told = reading(only(found))
    assert told.startswith("No metric orders the models better than their size at n = 6. alpha_mean")
    assert "(tau = 1.00, p = 0.0028; p = 0.0028 as the best of " in told
    assert "But the number of parameters (tau = -1.00) orders them at least as well" in told
    assert "no evidence" in told


def test_a_metric_that_beats_size_is_better(tmp_path: Path) -> None:
    found = found_in(zoo(tmp_path, [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]))
    assert of(found, "alpha_mean").verdict == Verdict.BETTER
    assert abs(of(found, "log10_params").kendall_tau or 0) < 1
    told = reading(only(found))
    assert "no evidence" not in told
    # 30 10 50 20 40 60 has 4 inversions of 15 pairs: tau = 7/15.
    assert "order them better than the number of parameters (tau = 0.47)" in told
    assert "Whether that holds for other models, one family cannot say." in told


def test_a_metric_is_set_against_size_on_the_models_that_have_it() -> None:
    # Size orders all eight but the two that have no metric; on the six that have one it is worse than the metric.
    columns = {"a": [1, 2, 3, 4, 5, 6, np.nan, np.nan], "log10_params": [2, 1, 3, 4, 5, 6, 7, 8]}
    found = correlate(sample_of(columns, [1, 2, 3, 4, 5, 6, 7, 8]), ["a"]).groups[0]
    assert [each.verdict for each in found.correlations] == [Verdict.BETTER, Verdict.BASELINE]


def test_unknown_size_is_said() -> None:
    found = correlate(sample_of({"a": range(8)}, range(8)), ["a"]).groups[0]
    assert [each.verdict for each in found.correlations] == [Verdict.UNCOMPARED]
    assert "cannot be said: how many parameters they have is unknown" in reading(found)


def test_a_small_p_of_many_metrics_is_adjusted() -> None:
    # Three inversions: of 5040 orders of 7, 1 + 6 + 20 + 49 have no more, and as many are their reverse.
    rng = np.random.default_rng(3)
    noise = {f"noise{index}": rng.normal(size=7) for index in range(19)}
    sample = sample_of({"a": [2, 1, 4, 3, 6, 5, 7], **noise}, range(7))
    (best, *_) = correlate(sample, list(sample.columns)).groups[0].correlations
    assert best.kendall_p == pytest.approx(152 / 5040)
    assert best.adjusted_p is not None
    assert 0.15 < best.adjusted_p < 0.7  # of 20 independent ones 1 - (1 - 152/5040)^20 = .46
    assert best.verdict is Verdict.CHANCE
    (alone,) = correlate(sample, ["a"]).groups[0].correlations
    assert alone.adjusted_p == pytest.approx(152 / 5040)
    assert alone.verdict is Verdict.UNCOMPARED


def test_the_headline_is_the_largest_family(tmp_path: Path) -> None:
    families = ["f"] * 5 + ["g"] * 6 + ["h"]
    groups = found_in(zoo(tmp_path, list(range(12)), list(range(12)), families=families)).groups
    assert [group.family for group in groups] == ["f", "g", "h"]
    assert headline(groups) is groups[1]
    assert headline([groups[2]]) is None


def test_models_of_equal_size_have_no_baseline(tmp_path: Path) -> None:
    found = found_in(zoo(tmp_path, [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6], params=[7] * 6))
    assert of(found, "alpha_mean").verdict == Verdict.UNRIVALLED
    assert "No baseline varies among them" in reading(only(found))
    assert "better than" not in reading(only(found))


def test_one_baseline_that_varies_is_enough_to_be_beaten() -> None:
    columns = {"a": [1, 2, 3, 4, 5, 6], "log10_params": [7] * 6, "depth": [2, 1, 3, 6, 5, 4]}
    found = correlate(sample_of(columns, [1, 2, 3, 4, 5, 6]), ["a"]).groups[0]
    assert next(each for each in found.correlations if each.metric == "a").verdict == Verdict.BETTER
    assert "better than depth (tau = " in reading(found)


def test_an_order_that_may_be_chance_is_called_so(tmp_path: Path) -> None:
    found = found_in(zoo(tmp_path, [1, 2, 3, 4, 5], [2, 1, 3, 5, 4], params=[7] * 5))
    assert of(found, "alpha_mean").verdict == Verdict.CHANCE
    told = reading(only(found))
    assert told.startswith("No metric is significant at n = 5. ")
    assert "That may be chance" in told
    assert "5 models cannot show a tau below 1.00" in told


def test_a_metric_that_does_not_vary_is_not_judged(tmp_path: Path) -> None:
    found = found_in(zoo(tmp_path, [2] * 6, [1, 2, 3, 4, 5, 6]))
    assert (of(found, "alpha_mean").verdict, of(found, "alpha_mean").kendall_tau) == (Verdict.CONSTANT, None)
    assert reading(only(found)).startswith("Nothing to correlate")


def test_scores_that_are_all_equal_are_not_judged() -> None:
    found = correlate(sample_of({"a": range(9)}, [5.0] * 9), ["a"]).groups[0]
    assert [each.verdict for each in found.correlations] == [Verdict.CONSTANT]


def test_a_metric_known_for_some_models_is_judged_on_these(tmp_path: Path) -> None:
    folder = Synthetic(tmp_path)
    zoo(tmp_path, [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6])
    folder.publish(f"{0:064x}", one_layer(1.0, alpha_hat=None))
    found = found_in(open_results(tmp_path))
    assert (of(found, "alpha_mean").n, of(found, "alpha_hat_mean").n) == (6, 5)
    assert of(found, "stable_rank_mean").n == 0


def test_one_content_and_one_duplicate_group_count_once(tmp_path: Path) -> None:
    folder = Synthetic(tmp_path)
    folder.plan()
    contents = [f"{index:064x}" for index in (0, 1, 2, 3, 4, 4, 5)]
    files = [
        weight_file(f"m{index}", content, family="f", params=index + 1, duplicate_group="twins" if index > 5 else None)
        for index, content in enumerate(contents)
    ]
    files.append(weight_file("m7", f"{7:064x}", family="f", params=99, duplicate_group="twins"))
    folder.describe(files, [score(file.name, float(index)) for index, file in enumerate(files)])
    for file in files:
        folder.publish(str(file.weights_sha256), one_layer(float(file.params or 0)))
    found = of(found_in(open_results(tmp_path)), "alpha_mean")
    assert found.n == 6  # 8 models less the second name of content 4 and the second twin


def test_families_are_judged_alone_and_never_pooled(tmp_path: Path) -> None:
    results = zoo(tmp_path, list(range(1, 13)), list(range(12)), families=["f"] * 5 + ["g"] * 5 + [None, None])
    found = found_in(results)
    assert {group.family: group.n for group in found.groups} == {"f": 5, "g": 5}
    assert (found.n, found.n_without_family) == (12, 2)
    assert [group.family for group in found_in(results, family="g").groups] == ["g"]


def test_families_together_are_the_mean_of_their_taus() -> None:
    rng = np.random.default_rng(0)
    families = [f"f{index // 4}" for index in range(40)]
    metric, size = rng.normal(size=40), rng.normal(size=40)
    # A family's own level, which would swamp one line through all, changes nothing.
    scores = metric + np.repeat(rng.normal(0, 100, 10), 4)
    found = correlate(sample_of({"a": metric, "log10_params": size}, scores, families), ["a"], against="a")
    own, baseline = found.together
    assert (own.metric, own.n, own.tau.families, own.tau.tau) == ("a", 40, 10, pytest.approx(1))
    assert (own.r_squared, own.rmse) == (pytest.approx(1), pytest.approx(0, abs=1e-9))
    assert own.tau.p == own.adjusted_p == 2 / 2**10
    taus = [next(each.kendall_tau for each in group.correlations[1:]) for group in found.groups]
    assert baseline.tau.tau == pytest.approx(np.mean([tau for tau in taus if tau is not None]))
    assert baseline.difference is not None
    assert baseline.difference.tau == pytest.approx(abs(baseline.tau.tau) - 1)


def test_one_family_is_not_together(tmp_path: Path) -> None:
    found = found_in(zoo(tmp_path, [1, 2, 3], [1, 2, 3]))
    assert ([group.family for group in found.groups], found.together) == (["f"], ())


def test_models_without_families_are_one_group(tmp_path: Path) -> None:
    found = found_in(zoo(tmp_path, [1, 2, 3, 4, 5], [1, 2, 3, 4, 5], families=[None]))
    assert [(group.family, group.n) for group in found.groups] == [(None, 5)]


def test_ten_thousand_families_take_seconds_and_the_largest_are_tested() -> None:
    n = 50_000
    rng = np.random.default_rng(0)
    families = [f"f{index % 10_000}" for index in range(n)]
    sample = sample_of({"a": rng.normal(size=n), "b": rng.normal(size=n)}, rng.normal(size=n), families)
    found = correlate(sample, ["a", "b"])
    verdicts = [group.correlations[0].verdict for group in found.groups]
    assert (len(verdicts), verdicts.count(Verdict.UNTESTED)) == (10_000, 10_000 - MOST_TESTED)
    assert found.together[0].tau.families == 10_000
    assert "asked for alone" in reading(found.groups[-1])


def test_a_familys_numbers_do_not_depend_on_other_families() -> None:
    rng = np.random.default_rng(1)
    sample = sample_of({"a": rng.normal(size=20)}, rng.normal(size=20), ["f"] * 10 + ["g"] * 10)
    assert correlate(sample, ["a"]).groups[1] == correlate(sample.family("g"), ["a"]).groups[0]


def test_metrics_can_be_chosen_and_baselines_come_along(rich: Path) -> None:
    found = found_in(open_results(rich), ["d_ks_mean", "depth"], dataset="d")
    assert [each.metric for each in found.groups[0].correlations] == ["d_ks_mean", "log10_params", "depth"]


def test_against_needs_to_be_one_of_the_metrics() -> None:
    sample = sample_of({"a": range(5), "b": range(5)}, range(5))
    with pytest.raises(AnalysisError, match="set against b, which is none of them"):
        correlate(sample, ["a"], against="b")
    with pytest.raises(AnalysisError, match="unknown metric 'bb'"):
        correlate(sample, ["a"], against="bb")


def test_errors_of_scores_are_given_or_binomial(tmp_path: Path) -> None:
    folder = Synthetic(tmp_path)
    folder.plan()
    files = [weight_file(f"m{index}", f"{index:064x}", family="f") for index in range(4)]
    columns = [{"stderr": 0.5}, {"n_test": 10_000}, {}, {"stderr": 0.25, "n_test": 10_000}]
    folder.describe(files, [score(file.name, 20.0, **each) for file, each in zip(files, columns, strict=True)])
    for file in files:
        folder.publish(str(file.weights_sha256), one_layer(2.0))
    (sample,) = samples_from_results(open_results(tmp_path), metrics=["alpha_mean"])
    assert sample.score_error[[0, 1, 3]] == pytest.approx([0.5, 0.4, 0.25], rel=1e-3)  # 100 sqrt(.2 * .8 / 10,000)
    assert np.isnan(sample.score_error[2])
    assert set(sample.errors) == {"alpha_mean"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ["alpha_meen"]}, "unknown metric 'alpha_meen'; nearest: .*alpha_mean"),
        ({"metrics": ["name"]}, "unknown metric 'name'"),
        ({"metrics": ["alpha_hat"]}, "it is one of layers, and its mean over them is alpha_hat_mean"),
        ({"dataset": "dd"}, "unknown dataset 'dd'"),
        ({"family": "ff"}, "unknown family 'ff'"),
    ],
)
def test_unknown_names_are_told(rich: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        samples_from_results(open_results(rich), **({"metrics": METRICS} | options))

"""Correlations against values in closed form, verdicts, and the sentences that follow from them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis import AnalysisError, open_results
from analysis.correlate import BASELINES, Correlation, Verdict, correlate
from analysis.reading import headline, reading
from analysis.results import Results
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


def of(found: Sequence[Correlation], metric: str, family: str | None = "f") -> Correlation:
    return next(each for each in found if (each.metric, each.family) == (metric, family))


def test_coefficients_have_their_closed_values(tmp_path: Path) -> None:
    # Ranks 1 2 3 5 4 against 1 2 3 4 5: one inversion of 10 pairs. Of the 120 orders 1 + 4 have at most one, so the
    # exact two-sided p is 2 * 5/120. Sum of d^2 is 2: rho = 1 - 6 * 2 / (5 * 24). Sxy = 9, Sxx = Syy = 10.
    results = zoo(tmp_path, [1, 2, 3, 4, 5], [1, 2, 3, 5, 4], params=[10, 10, 10, 10, 10])
    found = of(correlate(results), "alpha_mean")
    assert (found.n, found.dataset, found.score_metric, found.unit) == (5, "d", "err@1", "percent")
    assert found.higher_is_better is False
    assert found.kendall_tau == pytest.approx(0.8)
    assert found.kendall_p == pytest.approx(2 * 5 / 120)
    assert found.spearman_rho == pytest.approx(0.9)
    assert (found.slope, found.intercept) == (pytest.approx(0.9), pytest.approx(0.3))
    assert found.r_squared == pytest.approx(0.81)
    assert found.added is None
    assert found.verdict == Verdict.CHANCE


def test_sign_is_that_of_the_score_as_published(tmp_path: Path) -> None:
    columns = {"metric": "acc@1", "higher_is_better": True}
    found = of(correlate(zoo(tmp_path, [1, 2, 3, 4, 5], [50, 40, 30, 20, 10], **columns)), "alpha_mean")
    assert (found.kendall_tau, found.higher_is_better) == (pytest.approx(-1), True)


def test_fewer_than_five_models_are_not_judged(tmp_path: Path) -> None:
    found = correlate(zoo(tmp_path, [1, 2, 3, 4], [1, 2, 3, 4]))
    assert {each.verdict for each in found} == {Verdict.TOO_FEW}
    for each in found:
        numbers = (each.kendall_tau, each.kendall_p, each.spearman_rho, each.slope, each.intercept, each.r_squared)
        assert (each.n, *numbers, each.added) in [(4, *[None] * 7), (0, *[None] * 7)]
    assert reading(found) == "Too few models to judge: 4, and 5 are needed."


def test_a_metric_that_goes_with_size_is_no_better_than_it(tmp_path: Path) -> None:
    found = correlate(zoo(tmp_path, [5, 4, 3, 2, 1, 0.5], [6, 5, 4, 3, 2, 1], params=[1, 2, 4, 8, 16, 32]))
    assert of(found, "alpha_mean").kendall_tau == pytest.approx(1)
    assert of(found, "log10_params").kendall_tau == pytest.approx(-1)
    assert of(found, "alpha_mean").verdict == Verdict.NO_MORE
    assert of(found, "log10_params").verdict == Verdict.BASELINE
    assert of(found, "depth").verdict == Verdict.CONSTANT
    told = reading(found)
    assert told.startswith("No metric orders the models better than their size at n = 6. alpha_mean")
    assert "(tau = 1.00, p = 0.0028; " in told
    assert "But the number of parameters (tau = -1.00) orders them at least as well" in told
    assert "no evidence" in told


def test_a_metric_that_beats_size_is_better(tmp_path: Path) -> None:
    found = correlate(zoo(tmp_path, [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]))
    assert of(found, "alpha_mean").verdict == Verdict.BETTER
    assert abs(of(found, "log10_params").kendall_tau or 0) < 1
    told = reading(found)
    assert "no evidence" not in told
    # 30 10 50 20 40 60 has 4 inversions of 15 pairs: tau = 7/15.
    assert "order them better than the number of parameters (tau = 0.47)" in told
    assert "fewer than 10 models cannot say" in told


def test_a_small_p_of_many_metrics_is_put_into_proportion(tmp_path: Path) -> None:
    # Three inversions: of 5040 orders of 7, 1 + 6 + 20 + 49 have no more, and as many are their reverse.
    found = correlate(zoo(tmp_path, [1, 2, 3, 4, 5, 6, 7], [2, 1, 4, 3, 6, 5, 7], params=[7] * 7))
    judged = [each for each in found if each.kendall_tau is not None]
    assert of(found, "alpha_mean").kendall_p == pytest.approx(152 / 5040)
    expected = f"With {len(judged)} metrics looked at, such a p may be chance (times {len(judged)}: "
    assert len(judged) > 1
    assert expected in reading(found)
    alone = [each for each in found if each.metric in ("alpha_mean", "log10_params", "depth")]
    assert "looked at, such a p" not in reading(alone)


def test_the_headline_is_the_largest_family_before_all_models(tmp_path: Path) -> None:
    families = ["f"] * 5 + ["g"] * 6 + ["h"]
    found = correlate(zoo(tmp_path, list(range(12)), list(range(12)), families=families))
    groups = [[each for each in found if each.family == family] for family in ("f", "g", "h", None)]
    assert headline(groups) is groups[1]
    assert headline([groups[2]]) is None
    assert headline([groups[3], groups[2]]) is groups[3]


def test_models_of_equal_size_have_no_baseline(tmp_path: Path) -> None:
    found = correlate(zoo(tmp_path, [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6], params=[7] * 6))
    assert of(found, "alpha_mean").verdict == Verdict.BETTER
    assert "depth and parameters, which do not vary" in reading(found)


def test_an_order_that_may_be_chance_is_called_so(tmp_path: Path) -> None:
    found = correlate(zoo(tmp_path, [1, 2, 3, 4, 5], [2, 1, 3, 5, 4], params=[7] * 5))
    assert of(found, "alpha_mean").verdict == Verdict.CHANCE
    told = reading(found)
    assert told.startswith("No metric is significant at n = 5. ")
    assert "That may be chance" in told


def test_a_metric_that_does_not_vary_is_not_judged(tmp_path: Path) -> None:
    found = correlate(zoo(tmp_path, [2] * 6, [1, 2, 3, 4, 5, 6]))
    assert (of(found, "alpha_mean").verdict, of(found, "alpha_mean").kendall_tau) == (Verdict.CONSTANT, None)
    assert reading(found).startswith("Nothing to correlate")


def test_added_is_what_leaving_each_model_out_gives(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    alpha = rng.uniform(2, 6, 12)
    y = 10 + 2 * alpha - 3 * np.log10(UNEVEN_PARAMS) + rng.normal(0, 0.3, 12)
    found = of(correlate(zoo(tmp_path, list(alpha), list(y))), "alpha_mean")

    def error(*regressors: Any) -> float:
        design = np.column_stack([np.ones(12), *regressors])
        squares = []
        for out in range(12):
            kept = np.arange(12) != out
            coefficients = np.linalg.lstsq(design[kept], y[kept], rcond=None)[0]
            squares.append((y[out] - design[out] @ coefficients) ** 2)
        return float(np.mean(squares))

    size = np.log10(UNEVEN_PARAMS)
    assert found.added == pytest.approx(1 - error(size, alpha) / error(size), rel=1e-9)
    assert found.added > 0.5
    assert "off the leave-one-out error" in reading(correlate(open_results(tmp_path)))


def test_a_metric_known_for_some_models_is_judged_on_these(tmp_path: Path) -> None:
    alphas = [1, 2, 3, 4, 5, 6]
    folder = Synthetic(tmp_path)
    zoo(tmp_path, alphas, [1, 2, 3, 4, 5, 6])
    folder.publish(f"{0:064x}", one_layer(1.0, alpha_hat=None))
    found = correlate(open_results(tmp_path))
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
    found = of(correlate(open_results(tmp_path)), "alpha_mean")
    assert found.n == 6  # 8 models less the second name of content 4 and the second twin


def test_families_are_judged_alone_and_together(tmp_path: Path) -> None:
    results = zoo(tmp_path, list(range(1, 13)), list(range(12)), families=["f"] * 5 + ["g"] * 5 + [None, None])
    found = correlate(results)
    sizes = {each.family: each.n for each in found if each.metric == "alpha_mean"}
    assert sizes == {"f": 5, "g": 5, None: 12}
    assert {each.family for each in correlate(results, family="g")} == {"g"}


def test_one_family_is_not_pooled(tmp_path: Path) -> None:
    assert {each.family for each in correlate(zoo(tmp_path, [1, 2, 3], [1, 2, 3]))} == {"f"}


def test_models_without_families_are_one_group(tmp_path: Path) -> None:
    found = correlate(zoo(tmp_path, [1, 2, 3, 4, 5], [1, 2, 3, 4, 5], families=[None]))
    assert {(each.family, each.n) for each in found if each.metric == "alpha_mean"} == {(None, 5)}


def test_metrics_can_be_chosen_and_baselines_come_along(rich: Path) -> None:
    found = correlate(open_results(rich), metrics=["d_ks_mean", "depth"], dataset="d")
    assert [each.metric for each in found] == ["d_ks_mean", *BASELINES]
    assert {each.dataset for each in found} == {"d"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ["alpha_meen"]}, "unknown metric 'alpha_meen'; nearest: .*alpha_mean"),
        ({"metrics": ["name"]}, "unknown metric 'name'"),
        ({"dataset": "dd"}, "unknown dataset 'dd'"),
        ({"family": "ff"}, "unknown family 'ff'"),
    ],
)
def test_unknown_names_are_told(rich: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        correlate(open_results(rich), **options)

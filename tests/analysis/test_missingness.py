"""What is missing, counted by hand; whether it goes with the score; and what it could hide."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from analysis import AnalysisError, open_results
from analysis.samples.missing_layers import Reason
from analysis.samples.missingness import Missing, Missingness, missing_headline, missingness
from analysis.studies.sensitivity import sensitivity
from setol_zoo.cli import main
from tests.analysis.test_sensitivity import no_fit, one, write


def found(root: Path, metric: str = "alpha", **options: object) -> Missing:
    return everything(root, metric, **options).metrics[0]


def everything(root: Path, *metrics: str, **options: object) -> Missingness:
    return missingness(open_results(root), metrics=metrics, generator=np.random.default_rng(0), **options)  # type: ignore[arg-type]


def test_nothing_missing(tmp_path: Path) -> None:
    write(tmp_path, [[one("a", n)] for n in (1, 2, 3, 4, 5)], [1, 2, 3, 5, 4])
    missing = found(tmp_path)
    assert (missing.n_models_missing, missing.n_layers, missing.n_layers_missing) == (0, 5, 0)
    assert (missing.tau, missing.low, missing.high) == (pytest.approx(0.8),) * 3
    assert (missing.association, missing.p) == (None, None)
    assert missing.reason == "the share that is missing, or the score, is the same for all that are compared"
    assert missing_headline(everything(tmp_path, "alpha")) == (
        "Missing: nothing; every model with a score has every metric, of every layer."
    )


def test_models_and_layers_are_counted_with_their_reasons(tmp_path: Path) -> None:
    models = [
        [
            one("a", 1),
            one("b", 2),
            no_fit("c"),
            one("pos", None, "table", status="no_tail", reason="too_few_eigenvalues"),
        ],
        [no_fit("a"), no_fit("b"), one("c", None, status="failed", reason="not_finite")],
        [one("a", None)],
        None,
        [one("a", 5)],
    ]
    write(tmp_path, models, [1, 2, 3, 4, 6])
    missing = found(tmp_path)
    assert (missing.n_models, missing.n_models_missing, missing.n_layers, missing.n_layers_missing) == (5, 3, 8, 5)
    assert missing.model_reasons == (
        Reason("not analyzed yet", 1),
        Reason("not defined, though a tail was fitted", 1),
        Reason("too_few_eigenvalues", 1),
    )
    assert missing.layer_reasons == (
        Reason("too_few_eigenvalues", 3),
        Reason("not defined, though a tail was fitted", 1),
        Reason("not_finite", 1),
    )
    assert (missing.score_missing, missing.score_there) == (3, 3.5)
    # Each missing score is between the two known ones, so it disagrees with one at most: (1 + 3 * 0 - 3) / 10.
    assert (missing.tau, missing.low, missing.high) == (None, pytest.approx(-2 / 10), 1)


def test_a_metric_missing_for_half_of_the_models_the_bad_ones(tmp_path: Path) -> None:
    models = [[one("a", n)] if n < 3 else [no_fit("a")] for n in range(6)]
    write(tmp_path, models, range(6))
    missing = found(tmp_path)
    # 9 of the 9 pairs of a model with and one without have the larger score without; of 15 pairs of scores.
    assert missing.association == pytest.approx(9 / np.sqrt(9 * 15))
    assert missing.p == pytest.approx(2 / 20)  # of the 20 ways to choose three of six, the first and the last
    assert (missing.score_missing, missing.score_there) == (4, 1)
    assert (missing.low, missing.high) == (pytest.approx((3 - 9 - 3) / 15), 1)
    line = missing_headline(everything(tmp_path, "alpha"))
    assert line == (
        "Missing: alpha of 3 of 6 models with a score, and of 50% of the layers; "
        "that is not seen to go with the score (tau = 0.77, p = 0.1)."
    )


def test_layers_that_are_missing_count_where_no_model_is(tmp_path: Path) -> None:
    models = [[one("a", 3 + n), *(no_fit(f"b{i}") for i in range(n))] for n in range(7)]
    write(tmp_path, models, range(7))
    missing = found(tmp_path)
    assert (missing.n_models_missing, missing.n_layers_missing, missing.association) == (0, 21, 1)
    assert missing.p == pytest.approx(2 / 5040)
    assert "that goes with the score" in (missing_headline(everything(tmp_path, "alpha")) or "")


def test_families_are_looked_at_alone(tmp_path: Path) -> None:
    # All of g is missing, and all of g is bad: between families, which says nothing within any.
    models = [[one("a", n)] for n in range(5)] + [[no_fit("a")] for _ in range(5)]
    write(tmp_path, models, [1, 2, 3, 5, 4, 90, 91, 92, 93, 94], ["f"] * 5 + ["g"] * 5)
    missing = found(tmp_path)
    assert (everything(tmp_path, "alpha").n_families, missing.association) == (2, None)
    assert (missing.score_there, missing.score_missing) == (3, 92)
    assert missing.tau == pytest.approx(0.8)
    assert (missing.low, missing.high) == (pytest.approx((0.8 - 1) / 2), pytest.approx((0.8 + 1) / 2))


def test_tau_is_that_of_the_sensitivity(tmp_path: Path) -> None:
    generator = np.random.default_rng(11)
    models = [[one(f"l{i}", float(generator.uniform(2, 9))) for i in range(3)] for _ in range(13)]
    models[2] = [no_fit("a")]
    write(tmp_path, models, generator.normal(size=13), ["f"] * 6 + ["g"] * 4 + ["h"] * 3)
    by_default = sensitivity(open_results(tmp_path), metrics=["alpha"]).effects[0]
    missing = found(tmp_path)
    assert (missing.tau, by_default.n_families) == (by_default.tau, 2)
    assert missing.low is not None and missing.high is not None and missing.tau is not None
    assert missing.low < missing.high  # tau, which is that of fewer models, need not be between


@pytest.mark.parametrize("n", [0, 1, 4])
def test_too_few_to_judge(tmp_path: Path, n: int) -> None:
    models = [[one("a", 1 + index)] if index % 2 else [no_fit("a")] for index in range(n)]
    write(tmp_path, [*models, [one("z", 5)]], range(n), [None] * (n + 1))
    several = everything(tmp_path, "alpha")
    if n == 0:
        assert (several.target, several.metrics, missing_headline(several)) == (None, (), None)
        return
    missing = several.metrics[0]
    assert (missing.association, missing.p, missing.tau, missing.low) == (None, None, None, None)
    assert missing.reason == f"{n} of at least 5 models"


def test_unknown_names(tmp_path: Path) -> None:
    write(tmp_path, [[one("a", 1)]], [1.0])
    with pytest.raises(AnalysisError, match="unknown metric 'alpa'"):
        everything(tmp_path, "alpa")
    with pytest.raises(AnalysisError, match="unknown dataset 'imagenet'"):
        everything(tmp_path, "alpha", dataset="imagenet")


def test_the_command_shows_what_is_missing_and_both_bounds(tmp_path: Path) -> None:
    models = [[one("a", n)] if n < 3 else [no_fit("a")] for n in range(6)]
    write(tmp_path, models, range(6))
    run = CliRunner().invoke(
        main, ["sensitivity", "--results", str(tmp_path), "--metric", "alpha", "--metric", "log_norm"]
    )
    assert run.exit_code == 0, run.output
    row = next(line.split() for line in run.output.splitlines() if line.startswith("alpha ") and "3 of 6" in line)
    assert list(map(float, row[-2:])) == [pytest.approx(-0.6), 1]
    shown = CliRunner().invoke(main, ["sensitivity", "--results", str(tmp_path), "--json"])
    assert '"n_models_missing": 3' in shown.output

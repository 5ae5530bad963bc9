"""False findings of printed tests on simulated zoos, and the page that tells them: docs/statistics.md.

Bounds are binomial and wide: each fails one time in a million when the rate is what it should be. The whole table, with
a thousand zoos a scenario, is that of `python -m benchmarks.simulated_zoos`.
"""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import binom

from benchmarks.simulated_zoos import NOTHING, PROCEDURES, TRIED, rate
from setol_zoo.cli import main
from tests.analysis.simulated import SCENARIOS, Scenario, simulated

ZOOS = 50
ONCE_IN_A_MILLION = 1e-6
PAGE = (Path(__file__).parents[2] / "docs" / "statistics.md").read_text(encoding="utf-8")

QUICK = ("mean partial tau", "two-stage slope, signs", "two-stage slope, t", "matched pairs")


def at_most(share: float) -> float:
    return float(binom.isf(ONCE_IN_A_MILLION, ZOOS, share)) / ZOOS


def at_least(share: float) -> float:
    return float(binom.ppf(ONCE_IN_A_MILLION, ZOOS, share)) / ZOOS


@pytest.mark.parametrize("scenario", NOTHING)
@pytest.mark.parametrize("name", QUICK)
def test_nothing_is_found_where_nothing_is(name: str, scenario: str) -> None:
    found = rate(PROCEDURES[name], scenario, ZOOS)
    assert found.found is not None and found.found <= at_most(0.05)
    assert found.covered is not None and found.covered >= at_least(0.95)


@pytest.mark.parametrize("name", ["mean partial tau", "two-stage slope, signs"])
def test_an_effect_is_found_beyond_size(name: str) -> None:
    found = rate(PROCEDURES[name], "effect", ZOOS)
    assert found.found is not None and found.found >= at_least(0.85)


def test_a_metric_that_goes_with_size_alone_looks_well_until_size_is_held_fixed() -> None:
    alone, held = (rate(PROCEDURES[name], "confounded", ZOOS).found for name in ("mean tau of families", QUICK[0]))
    assert alone is not None and alone >= at_least(0.85)
    assert held is not None and held <= at_most(0.05)


def test_a_reversal_is_flagged_and_nothing_else_is() -> None:
    flag = PROCEDURES["opposite signs (Simpson)"]
    there, absent = rate(flag, "reversal", ZOOS).found, rate(flag, "slopes", ZOOS).found
    assert there is not None and there >= at_least(0.95)
    assert absent is not None and absent <= at_most(0.05)


def test_one_slope_for_all_finds_an_effect_in_half_of_zoos_without_any() -> None:
    found = rate(PROCEDURES["one slope for all (not offered)"], "slopes", ZOOS).found
    assert found is not None and at_least(0.5) <= found <= at_most(0.5)


def test_metrics_that_are_missing_at_random_are_told_from_those_of_bad_models() -> None:
    tried = {
        name: rate(PROCEDURES["missing with score"], name, ZOOS).found for name in ("missing", "missing with score")
    }
    assert tried["missing"] is not None and tried["missing"] <= at_most(0.05)
    assert tried["missing with score"] is not None and tried["missing with score"] >= at_least(0.9)


def test_a_content_under_two_names_is_there_once() -> None:
    zoo = simulated(Scenario(duplicates=0.5), np.random.default_rng(0))
    once = zoo.once()
    assert zoo.n > once.n == len(np.unique(zoo.content)) == once.sample().n
    assert simulated(Scenario(duplicates=0.5), np.random.default_rng(0)).once().score == pytest.approx(once.score)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zoo as a table: one file with scores, metrics, families and parameters."""
    folder = tmp_path_factory.mktemp("tables")
    sample = simulated(SCENARIOS["effect"], np.random.default_rng(1), n_families=10).once().sample()
    lines = ["model,family,acc1,alpha,log_norm,params"]
    columns = zip(
        sample.models,
        sample.families,
        sample.score,
        sample.columns["metric_0"],
        sample.columns["metric_1"],
        10 ** sample.columns["log10_params"],
        strict=True,
    )
    lines += [f"{model},{family},{a:.3f},{b:.4f},{c:.4f},{round(d)}" for model, family, a, b, c, d in columns]
    (folder / "zoo.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "zoo.csv"


def p_columns(answer: object, above: str = "") -> set[str]:
    """The names under which a JSON answer has p-values."""
    if isinstance(answer, list):
        return set().union(*(p_columns(each, above) for each in answer))
    if not isinstance(answer, dict):
        return set()
    own = {name for name in answer if re.fullmatch(r"p|p_\w+|\w+_p", name) and not name.startswith("p_columns")}
    return own.union(*(p_columns(value, name) for name, value in answer.items()))


@pytest.mark.parametrize("command", ["correlate", "regress"])
def test_the_page_names_every_p_that_is_printed(command: str, tables: Path) -> None:
    if command not in main.list_commands(None):  # type: ignore[arg-type]
        pytest.fail(f"there is no setol {command}")
    words = [
        command,
        "--metrics",
        str(tables),
        "--scores",
        str(tables),
        "--score",
        "acc1",
        "--unit",
        "percent",
        "--json",
    ]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    names = p_columns(json.loads(result.stdout))
    assert names
    assert not {name for name in names if f"`{name}`" not in PAGE}


def test_the_page_has_every_procedure_and_scenario() -> None:
    assert not [name for name in (*PROCEDURES, *TRIED) if f"| {name} |" not in PAGE and f" {name} |" not in PAGE]

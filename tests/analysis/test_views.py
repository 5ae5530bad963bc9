"""Rows of the views, against numbers that were worked out by hand from tests/analysis/conftest.py."""

import math
from pathlib import Path

import pyarrow as pa
import pytest

from analysis import open_results
from analysis.opening.results import METRICS, VIEWS
from setol import Reason


def test_models_have_status_counts_and_coverage(rich_unchanged: Path) -> None:
    rows = open_results(rich_unchanged).rows("SELECT * FROM models")
    assert [(row["name"], row["status"], row["n_files"], row["n_files_done"]) for row in rows] == [
        ("a", "done", 1, 1),
        ("b", "done", 1, 1),
        ("c", "partial", 2, 1),
        ("d", "failed", 1, 0),
        ("e", "pending", 1, 0),
        ("u", "failed", 1, 0),
    ]
    a = rows[0]
    counts = ("n_tensors", "n_analyzed", "n_ok", "n_tied", "n_skipped")
    assert [a[name] for name in counts] == [11, 5, 4, 1, 5]
    # w1 12, w2 6, emb 20, pos 10, w3 4 and the tied head 20 are covered; depthwise 27 and packed int8 16 are not.
    # The vector (7), the buffer (64) and the int64 index (36) are no matrices of parameters.
    assert a["params_covered"] == 72
    assert a["params_matrices"] == 72 + 27 + 16
    assert a["params_in_file"] == 72 + 27 + 16 + 7 + 64 + 36
    assert a["coverage"] == pytest.approx(72 / 115)
    assert [row["params"] for row in rows] == [1000, 52 + 7 + 27 + 16, 12, None, None, None]
    assert [row["error"] for row in rows] == [None, None, "refused", "cut <short>", None, "no such file"]
    assert [row["coverage"] for row in rows[2:]] == [1.0, None, None, None]
    assert a["content"] == rows[1]["content"] != rows[2]["content"]


def test_a_file_under_two_names_has_its_rows_under_both(rich_unchanged: Path) -> None:
    results = open_results(rich_unchanged)
    for view, n_rows in (("layers", 5), ("spectra", 11), ("skipped", 5)):
        rows = results.rows(f"SELECT name, count(*) AS n FROM {view} WHERE name IN ('a', 'b') GROUP BY name ORDER BY 1")
        assert rows == [{"name": "a", "n": n_rows}, {"name": "b", "n": n_rows}]
    places = results.rows("SELECT DISTINCT model, file FROM layers WHERE name = 'b'")
    assert places == [{"model": "path:b", "file": "/zoo/b.pt"}]


def test_metrics_leave_out_tables_layers_without_a_fit_and_nulls(rich_unchanged: Path) -> None:
    a = open_results(rich_unchanged).rows("FROM model_metrics WHERE name = 'a'")[0]
    assert a["n_layers"] == 3
    assert (a["alpha_mean"], a["alpha_median"]) == (4.0, 4.0)
    assert a["alpha_se"] == pytest.approx(2 / math.sqrt(3))
    assert (a["alpha_hat_mean"], a["alpha_hat_median"]) == (4.0, 3.0)
    # w2 has no erg_delta: two values, 1 and 2, whose standard deviation is sqrt(1/2).
    assert (a["erg_delta_mean"], a["erg_delta_median"]) == (1.5, 1.5)
    assert a["erg_delta_se"] == pytest.approx(0.5)
    # Only the layer without a fit has a stable rank.
    assert (a["stable_rank_mean"], a["stable_rank_se"]) == (None, None)


def test_every_metric_of_a_layer_has_mean_median_and_standard_error(rich_unchanged: Path) -> None:
    results = open_results(rich_unchanged)
    layers = results.sql("FROM layers LIMIT 0").schema
    after = [layers.field(index) for index in range(layers.names.index("reason") + 1, len(layers))]
    numbers = [field.name for field in after if field.type != pa.string()]
    assert sorted(numbers) == sorted(METRICS)
    assert [field.name for field in after if field.type == pa.string()] == ["phase", "phase_decided_by", "universality"]
    columns = results.sql("FROM model_metrics").column_names
    assert columns == ["model", "name", "family", "n_layers"] + [
        f"{metric}_{kind}" for kind in ("mean", "median", "se") for metric in numbers
    ]


def test_standard_error_of_one_layer_is_null(rich_unchanged: Path) -> None:
    rows = open_results(rich_unchanged).rows(
        "SELECT n_layers, alpha_mean, alpha_se FROM model_metrics WHERE name = 'c'"
    )
    assert rows == [{"n_layers": 1, "alpha_mean": 3.0, "alpha_se": None}]


def test_scored_models_are_finished_ones_with_primary_scores(rich_unchanged: Path) -> None:
    rows = open_results(rich_unchanged).rows(
        """SELECT name, dataset, score_metric, score, unit, higher_is_better, log10_params, depth, alpha_mean
        FROM scored_models ORDER BY dataset, name"""
    )
    assert [tuple(row.values()) for row in rows] == [
        ("a", "d", "err@1", 10.0, "percent", False, 3.0, 3, 4.0),
        ("b", "d", "err@1", 11.0, "percent", False, pytest.approx(math.log10(102)), 3, 4.0),
        ("a", "other", "acc", 0.5, "fraction", True, 3.0, 3, 4.0),
    ]


def test_scores_keep_those_that_are_not_primary(rich_unchanged: Path) -> None:
    rows = open_results(rich_unchanged).rows(
        """SELECT name, family, metric, value, "primary" FROM scores WHERE dataset = 'd'"""
    )
    assert ("a", "f", "err@5", 2.0, False) in [tuple(row.values()) for row in rows]
    assert len(rows) == 4


def test_skipped_tensors_have_a_reason_and_its_sentence(rich_unchanged: Path) -> None:
    rows = open_results(rich_unchanged).rows("SELECT tensor, reason, sentence, n_params FROM skipped WHERE name = 'a'")
    assert sorted((row["tensor"], row["reason"], row["n_params"]) for row in rows) == [
        ("attn.bias", "buffer", 64),
        ("bias", "vector", 7),
        ("dw.weight", "depthwise", 27),
        ("index", "integer", 36),
        ("packed", "integer", 16),
    ]
    assert all(row["sentence"] == Reason(row["reason"]).sentence for row in rows)


def test_failures_say_what_the_last_try_said(rich_unchanged: Path) -> None:
    rows = open_results(rich_unchanged).rows("SELECT name, file, error, transient, tries FROM failures ORDER BY name")
    assert [tuple(row.values()) for row in rows] == [
        ("c", "/zoo/c-2.pt", "refused", False, 1),
        ("d", "/zoo/d.pt", "cut <short>", False, 2),
        ("u", "/zoo/u.pt", "no such file", False, 1),
    ]


def test_attempts_carry_the_names_of_the_catalog(rich_unchanged: Path) -> None:
    rows = open_results(rich_unchanged).rows("SELECT name, family, outcome, bytes FROM attempts WHERE outcome = 'done'")
    assert rows == [{"name": "a", "family": "f", "outcome": "done", "bytes": 100}]


def test_every_view_says_its_grain(rich_unchanged: Path) -> None:
    sql = Path(__file__).parents[2] / "analysis" / "sql"
    assert {path.stem for path in sql.glob("*.sql")} == {*VIEWS, "tables"}
    for view in VIEWS:
        head = (sql / f"{view}.sql").read_text().split("CREATE VIEW")[0]
        assert head.startswith(f"-- {view}: ") and "-- Grain: one row a" in head

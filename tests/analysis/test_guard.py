"""What a query may do: one SELECT that changes nothing and reaches no file."""

import os
from pathlib import Path

import pytest

from analysis import AnalysisError, open_results
from analysis.opening.results import Results


@pytest.fixture(scope="module")
def results(rich_unchanged: Path) -> Results:
    return open_results(rich_unchanged)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS one",
        "FROM models",
        "WITH a AS (SELECT 1 AS one) SELECT * FROM a;",
        "DESCRIBE layers",
        "SHOW TABLES",
        "SUMMARIZE models",
        "-- a comment\nSELECT name FROM models",
        "SELECT sum(len(evals)) FROM spectra",
    ],
)
def test_a_select_is_answered(results: Results, query: str) -> None:
    assert len(results.sql(query)) > 0


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("COPY models TO 'x.csv'", "COPY"),
        ("ATTACH 'x.db'", "ATTACH"),
        ("SET threads = 1", "SET"),
        ("PRAGMA version", "PRAGMA"),
        ("INSTALL json", "LOAD"),
        ("LOAD json", "LOAD"),
        ("CREATE TABLE t (a INTEGER)", "CREATE"),
        ("DROP VIEW models", "DROP"),
        ("INSERT INTO stored.done VALUES ('x')", "INSERT"),
        ("DELETE FROM stored.layers", "DELETE"),
        ("UPDATE stored.layers SET alpha = 2", "UPDATE"),
        ("CALL pragma_version()", "CALL"),
        ("EXPORT DATABASE 'x'", "EXPORT"),
        ("SELECT 1; SELECT 2", "SELECT and SELECT"),
        ("SELECT 1; DROP VIEW models", "SELECT and DROP"),
        ("", "none"),
        ("-- nothing", "none"),
    ],
)
def test_anything_else_is_refused(results: Results, query: str, kind: str) -> None:
    with pytest.raises(AnalysisError, match=f"need exactly one SELECT statement on the views, got {kind}"):
        results.sql(query)


def test_a_select_that_hides_a_change_is_refused(results: Results) -> None:
    with pytest.raises(AnalysisError, match="a SELECT that changes nothing"):
        results.sql("WITH a AS (INSERT INTO stored.done VALUES ('x') RETURNING *) SELECT * FROM a")
    assert len(results.sql("FROM stored.done WHERE weights_sha256 = 'x'")) == 0


@pytest.mark.parametrize(
    "source",
    [
        "'{file}'",
        "read_csv('{file}')",
        "read_csv_auto('{file}')",
        "read_text('{file}')",
        "read_blob('{file}')",
        "read_json('{file}')",
        "sniff_csv('{file}')",
        "glob('{folder}/*')",
        "parquet_scan('{parquet}')",
        "read_parquet('{parquet}')",
        "parquet_metadata('{parquet}')",
        "read_csv('https://example.org/x.csv')",
        "query('FROM read_text(''{file}'')')",
    ],
)
def test_no_file_can_be_read(results: Results, tmp_path: Path, source: str) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("a\n1\n")
    (parquet,) = (results.folders[0] / "catalog").iterdir()
    with pytest.raises(
        AnalysisError,
        match=r"a query reads the views and no file: .* cannot be reached\. Join data of your own in Python",
    ):
        results.sql(f"SELECT * FROM {source.format(file=file, folder=tmp_path, parquet=parquet)}")


def test_what_an_extension_would_do_is_told_in_our_words(results: Results) -> None:
    with pytest.raises(AnalysisError, match=r"needs the extension sqlite_scanner of DuckDB; queries .* load none"):
        results.sql("SELECT * FROM sqlite_scan('a.db', 'x')")
    with pytest.raises(AnalysisError, match=r"got COPY\. .* To keep an answer: setol sql --format csv"):
        results.sql("COPY layers TO 'x.csv'")


def test_no_variable_of_the_caller_is_a_table(results: Results) -> None:
    import pyarrow as pa

    secret = pa.table({"a": [1]})
    with pytest.raises(AnalysisError, match="unknown view 'secret'"):
        results.sql("FROM secret")
    assert len(secret) == 1


def test_nothing_is_written(results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(path for path, _, _ in os.walk(tmp_path))
    results.sql("SELECT * FROM spectra ORDER BY random()")
    assert sorted(path for path, _, _ in os.walk(tmp_path)) == before


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("FROM layer", "unknown view 'layer'; nearest: layers"),
        ("SELECT * FROM scored_model", "unknown view 'scored_model'; nearest: scored_models"),
        ("SELECT alpha_meen FROM model_metrics", "unknown column 'alpha_meen'; nearest: .*alpha_mean"),
        ("SELECT m.famly FROM models AS m", "unknown column 'famly'; nearest: family"),
        ("SELECT name FROM models WHERE statuss = 'done'", "unknown column 'statuss'; nearest: status"),
        (
            "SELECT alpha FROM models",
            "unknown column 'alpha'; alpha is in layers, alpha_mean is in model_metrics and s",
        ),
        (
            "SELECT a.alpha_mean FROM layers AS a",
            "nearest: alpha, .*; alpha_mean is in model_metrics and scored_models;",
        ),
        ("SELECT alhpa FROM layers JOIN models USING (model)", "nearest: alpha.*; DESCRIBE a view shows its columns$"),
        ("SELECT alhpa FROM layers", "unknown column 'alhpa'; nearest: alpha; DESCRIBE layers shows its columns$"),
        ("FROM models WHERE name = resnet20", "unknown column 'resnet20'; text goes in single quotes: 'resnet20'; D"),
        ('FROM models WHERE name = "resnet20"', "text goes in single quotes: 'resnet20'; DESCRIBE models"),
        ("FROM models WHERE name = resnet-20", "text goes in single quotes: 'resnet-20'; DESCRIBE models"),
        ("FROM models WHERE name IN (vgg, resnet)", "unknown column 'vgg'; text goes in single quotes: 'vgg'; DESC"),
        ("FROM models WHERE name LIKE vgg", "text goes in single quotes: 'vgg'"),
        ("WITH c AS (SELECT name AS n FROM models) SELECT name FROM c", 'Referenced column "name" not found'),
        ("SELECT averag(alpha) FROM layers", "averag does not exist"),
        ("SELEC 1", "this is not SQL: syntax error"),
        ("SELECT alpha + 'x' FROM layers", "Could not convert string 'x'"),
    ],
)
def test_mistakes_are_told_with_the_nearest_names(results: Results, query: str, message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        results.sql(query)
    assert len(results.sql("SELECT 1")) == 1  # the next question is answered


def test_sums_of_integers_are_integers(results: Results) -> None:
    assert results.rows("SELECT sum(n_params) AS s FROM layers WHERE name = 'a'") == [{"s": 52}]
    assert results.rows("SELECT 170141183460469231731687303715884105727::HUGEINT AS s") != [{"s": None}]

"""Large folders are opened from a database in the cache: the same answers, and what they are read from."""

import os
from pathlib import Path

import pytest

from analysis import AnalysisError, open_results
from analysis.opening import packs, tables
from analysis.opening.results import VIEWS, Results
from tests.analysis.conftest import rich_file
from tests.analysis.synthetic import CONFIG, Synthetic, one_layer, score, sha, weight_file

ONLY_FILES_HAVE = (
    "SELECT evals FROM spectra",
    "SELECT count(*) FROM spectra WHERE len(evals) > 2",
    "SELECT md5(s::VARCHAR) FROM spectra AS s",
    "FROM spectra",
    "SELECT max(rank[1]) FROM (FROM spectra) JOIN layers USING (model, tensor)",
    "WITH a AS MATERIALIZED (FROM spectra) SELECT tensor FROM a WHERE entry_var IS NULL",
    "FROM query('FROM spec' || 'tra')",
)

THE_LEDGER_HAS = (
    "SELECT role, kind, sum(n_params) FROM spectra GROUP BY ALL ORDER BY ALL",
    "SELECT count(*) AS n FROM (FROM spectra)",
    "SELECT tensor, shape, part, tied_to FROM spectra ORDER BY ALL",
    "DESCRIBE spectra",
    "FROM skipped ORDER BY ALL",
    "FROM models",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A complete folder that is taken for a large one, with a cache of its own."""
    monkeypatch.setenv("SETOL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tables, "FEWEST", 2)
    made = Synthetic(tmp_path / "results")
    made.plan()
    made.describe([weight_file("a", sha("a")), weight_file("b", sha("b"))], [score("a", 1.0), score("b", 2.0)])
    made.publish(sha("a"), rich_file())
    made.publish(sha("b"), one_layer(3.0))
    return tmp_path / "results"


def databases(tmp_path: Path) -> list[Path]:
    """All that is in the cache; nothing half-made is left there."""
    return sorted((tmp_path / "cache" / "opened").iterdir())


def answers(results: Results) -> dict[str, list]:
    queries = ("FROM layers", "FROM scored_models", *ONLY_FILES_HAVE, *THE_LEDGER_HAS)
    return {query: sorted(map(str, results.rows(query))) for query in queries}


def schemas(results: Results) -> list:
    return [results.sql(f"FROM {view} LIMIT 0").schema for view in VIEWS]


def test_answers_are_the_same_with_a_kept_database_and_without(folder, tmp_path, monkeypatch):
    made = open_results(folder)
    assert [path.suffix for path in databases(tmp_path)] == [".duckdb"]
    monkeypatch.setattr(tables, "insert_files", lambda *_: pytest.fail("a file was read again"))
    again = open_results(folder)
    monkeypatch.undo()
    monkeypatch.setenv("SETOL_CACHE", str(tmp_path / "other"))
    plain = open_results(folder)
    assert not (tmp_path / "other").exists()
    assert answers(made) == answers(again) == answers(plain)
    assert schemas(made) == schemas(plain)
    assert list(made.spectrum("a", "emb")) == [0.5, 2.0, 2.5, 4.5]


def test_what_needs_no_spectrum_reads_no_file_of_spectra(folder):
    results = open_results(folder)
    expected = {query: results.rows(query) for query in THE_LEDGER_HAS}
    for path in (folder / "spectra" / "v1").glob("*.parquet"):
        path.unlink()
    assert {query: results.rows(query) for query in THE_LEDGER_HAS} == expected
    for query in ONLY_FILES_HAVE:
        with pytest.raises(AnalysisError, match=r"\.parquet"):
            results.sql(query)
    assert results.rows(THE_LEDGER_HAS[0]) == expected[THE_LEDGER_HAS[0]]


def test_averages_in_parts_are_those_of_the_whole(folder, monkeypatch):
    whole = open_results(folder).sql("FROM model_metrics ORDER BY model")
    monkeypatch.setattr(tables, "FEWEST", 100)
    monkeypatch.setattr(tables, "FEW", 0)
    monkeypatch.setattr(tables, "TOGETHER", 70)  # not a multiple of three
    assert open_results(folder).sql("FROM model_metrics ORDER BY model").equals(whole)


def test_what_changed_is_not_taken_from_before(folder, tmp_path):
    assert open_results(folder).rows("SELECT alpha FROM layers WHERE name = 'b'") == [{"alpha": 3.0}]
    changed = Synthetic(folder)
    changed.describe([weight_file("b", sha("b"), family="other")], [score("b", 2.0)])
    found = open_results(folder)
    assert found.rows("SELECT family, alpha_mean FROM model_metrics WHERE name = 'b'") == [
        {"family": "other", "alpha_mean": 3.0}
    ]
    path = next(path for path in (folder / "layers" / "v1").glob("*.parquet"))
    path.touch()
    open_results(folder)
    assert len(databases(tmp_path)) == 3


def test_a_configuration_that_is_not_complete_is_not_kept(folder, tmp_path):
    Synthetic(folder).describe([weight_file("c", sha("c"))])
    assert len(open_results(folder, CONFIG).sql("FROM layers")) == 6
    assert not (tmp_path / "cache" / "opened").exists()


def test_a_damaged_database_or_a_cache_that_cannot_be_written_cost_time_alone(folder, tmp_path, monkeypatch):
    expected = open_results(folder).sql("FROM layers")
    (database,) = databases(tmp_path)
    database.write_bytes(b"DUCK")
    assert open_results(folder).sql("FROM layers").equals(expected)
    assert databases(tmp_path) == [database] and database.stat().st_size > 4
    (tmp_path / "file").touch()
    monkeypatch.setenv("SETOL_CACHE", str(tmp_path / "file"))
    assert open_results(folder).sql("FROM layers").equals(expected)


def test_damage_that_only_a_query_meets_is_told_with_what_to_do(folder, tmp_path):
    open_results(folder)
    (database,) = databases(tmp_path)
    content = database.read_bytes()
    assert b"too_few_eigenvalues" in content
    database.write_bytes(content.replace(b"too_few_eigenvalues", b"too_few_eigenvaluez"))
    with pytest.raises(
        AnalysisError, match=r"what was kept of opened results is damaged: delete .*opened, nothing but"
    ):
        open_results(folder).sql("SELECT reason, alpha_mean FROM layers JOIN model_metrics USING (model)")


def test_a_damaged_file_of_spectra_is_told_by_what_needs_it(folder, tmp_path):
    path = next((folder / "spectra" / "v1").glob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-20])
    results = open_results(folder)
    assert databases(tmp_path) == []
    assert len(results.sql("FROM layers")) == 6
    with pytest.raises(AnalysisError, match=f"{path} cannot be read: .* call it again"):
        results.sql("SELECT role FROM spectra")


def test_a_damaged_file_of_metrics_is_told_at_once(folder, tmp_path):
    path = next((folder / "layers" / "v1").glob("*.parquet"))
    path.write_bytes(b"PAR1")
    with pytest.raises(AnalysisError, match=f"{path} cannot be read: "):
        open_results(folder)
    assert databases(tmp_path) == []


def test_a_kept_database_is_read_alone(folder, tmp_path):
    results = open_results(folder)
    before = [path.read_bytes() for path in databases(tmp_path)]
    for query in (
        "WITH a AS (INSERT INTO opened.ledger SELECT * FROM opened.ledger RETURNING *) SELECT * FROM a",
        "WITH a AS (DELETE FROM opened.stored.layers RETURNING *) SELECT * FROM a",
    ):
        with pytest.raises(AnalysisError, match="a SELECT that changes nothing"):
            results.sql(query)
    for query in (
        "SELECT 1 FROM spectra; DROP VIEW spectra",
        "ANALYZE",
        "ATTACH 'spectra.db'",
        "COPY spectra TO 'x.csv'",
    ):
        with pytest.raises(AnalysisError, match=r"need exactly one SELECT|not SQL"):
            results.sql(query)
    database = databases(tmp_path)[0]
    for source in ("read_csv('{}')", "'{}'", "read_blob('{}')", "glob('{}')"):
        with pytest.raises(AnalysisError, match="a query reads the views and no file"):
            results.sql(f"SELECT * FROM {source.format(database)}, spectra")
    (attached,) = results.rows("SELECT path FROM duckdb_databases() WHERE database_name = 'opened'")
    assert len(results.sql(f"FROM read_blob('{attached['path']}')")) == 0  # no such file any more
    assert [path.read_bytes() for path in databases(tmp_path)] == before
    assert {row["name"] for row in results.rows("SHOW TABLES")} - set(VIEWS) == {"stored_spectra"}


def test_what_killed_processes_left_goes(folder, tmp_path):
    opened = tmp_path / "cache" / "opened"
    (opened / ".b.waiting").mkdir(parents=True)
    left, made = [opened / ".a.tmp", opened / ".b.waiting" / "x", opened / ".b.waiting"], opened / ".c.tmp"
    for path in (left[0], left[1], made):
        path.write_bytes(b"DUCK")
    for path in left:
        os.utime(path, (1e9, 1e9))
    open_results(folder)
    found = databases(tmp_path)
    assert [path.suffix for path in found if path != made] == [".duckdb"] and made in found


def test_what_is_used_stays_and_what_was_not_makes_room(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(packs, "ROOM", 1)
    open_results(folder)
    (first,) = databases(tmp_path)
    Synthetic(folder).describe([weight_file("b", sha("b"), family="other")], [])
    open_results(folder)
    (second,) = databases(tmp_path)
    assert first != second

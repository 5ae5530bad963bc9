"""Queries neither write, nor read anything but the views, on every way that leads to them."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

import setol_zoo as zoo
from analysis import AnalysisError, open_results
from analysis.opening.results import Results
from setol_zoo.cli import main
from setol_zoo.cli.run_record import record_lines, run_record
from tests.analysis.conftest import write_rich
from tests.analysis.synthetic import Synthetic, one_layer, sha, weight_file
from tests.cli.test_commands import setol
from tests.sources.conftest import ROOT

SECRET = "the-content-of-a-file-of-somebody"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results, with a file beside them that no query may reach."""
    place = tmp_path_factory.mktemp("queries")
    (place / "secret.csv").write_text(f"a\n{SECRET}\n")
    rich = write_rich(place / "rich")
    (journal,) = (rich / "catalog").iterdir()
    (rich / "catalog.parquet").write_bytes(journal.read_bytes())  # a table that is there, under a name to be typed
    return rich


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    return open_results(folder)


READS = [
    "'{file}'",
    "'{folder}/catalog.parquet'",
    "'file://{file}'",
    "'s3://bucket/key.parquet'",
    "'hf://datasets/a/b.csv'",
    "read_csv('{file}')",
    "read_csv(['{file}', '{file}'])",
    "read_csv('/dev/stdin')",
    "read_text('{file}')",
    "read_blob('/proc/self/environ')",
    "read_json('{file}')",
    "read_ndjson_objects('{file}')",
    "read_duckdb('{file}')",
    "sniff_csv('{file}')",
    "glob('{folder}/**')",
    "parquet_metadata('{folder}/catalog.parquet')",
    "parquet_schema('{folder}/catalog.parquet')",
    "parquet_kv_metadata('{folder}/catalog.parquet')",
    "parquet_file_metadata('{folder}/catalog.parquet')",
    "parquet_bloom_probe('{folder}/catalog.parquet', 'model', 'x')",
    "query('FROM read_text(''{file}'')')",
    "query_table('{file}')",
    "json_execute_serialized_sql(json_serialize_sql('FROM read_text(''{file}'')'))",
    "(SELECT * FROM read_text('{file}'))",
    "models, read_text('{file}')",
    "models WHERE name IN (SELECT content FROM read_text('{file}'))",
    "duckdb_secrets()",
    "which_secret('s3://x', 's3')",
    "sqlite_scan('{file}', 'x')",
    "postgres_scan('host=127.0.0.1', 'public', 'x')",
    "iceberg_scan('{folder}')",
]


@pytest.mark.parametrize("source", READS)
def test_no_file_is_read(results: Results, folder: Path, source: str) -> None:
    told = r"no file|extension|unknown view|does not exist|No function|already registered"
    with pytest.raises(AnalysisError, match=told):
        results.sql(f"SELECT * FROM {source.format(file=folder.parent / 'secret.csv', folder=folder)}")
    assert results.rows("SELECT 1 AS one") == [{"one": 1}]


STATEMENTS = [
    "COPY models TO '{file}'",
    "COPY (SELECT 1) TO '/dev/stdout'",
    "COPY stored.done FROM '{file}'",
    "COPY FROM DATABASE memory TO memory",
    "EXPORT DATABASE '{file}'",
    "IMPORT DATABASE '{folder}'",
    "ATTACH '{file}' AS other",
    "ATTACH ':memory:' AS other",
    "DETACH memory",
    "USE memory",
    "SET enable_external_access = true",
    "SET GLOBAL lock_configuration = false",
    "RESET enable_external_access",
    "SET VARIABLE a = 1",
    "PRAGMA enable_profiling",
    "PRAGMA database_list",
    "INSTALL httpfs",
    "FORCE INSTALL httpfs FROM 'http://127.0.0.1:9'",
    "LOAD httpfs",
    "LOAD '{file}'",
    "CALL enable_logging()",
    "CALL query('SELECT 1')",
    "PREPARE a AS SELECT 1",
    "EXECUTE a",
    "DEALLOCATE a",
    "EXPLAIN ANALYZE SELECT 1",
    "CREATE TABLE t AS SELECT 1",
    "CREATE TEMP TABLE t AS SELECT 1",
    "CREATE OR REPLACE VIEW models AS SELECT 1",
    "CREATE VIEW way_out AS FROM read_text('{file}')",
    "CREATE MACRO way_out() AS TABLE FROM read_text('{file}')",
    "CREATE FUNCTION way_out(a) AS a",
    "CREATE SECRET s (TYPE s3)",
    "CREATE SCHEMA s",
    "CREATE SEQUENCE s",
    "CREATE TYPE t AS INTEGER",
    "DROP VIEW models",
    "ALTER VIEW models RENAME TO m",
    "COMMENT ON VIEW models IS 'x'",
    "INSERT INTO stored.done VALUES ('x')",
    "UPDATE stored.done SET weights_sha256 = 'x'",
    "DELETE FROM stored.done",
    "TRUNCATE stored.done",
    "MERGE INTO stored.done USING (SELECT 1 AS a) ON true WHEN NOT MATCHED THEN INSERT VALUES ('x')",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "CHECKPOINT",
    "VACUUM",
    "ANALYZE",
    "SELECT 1; SELECT 2",
    "SELECT 1; COPY models TO '{file}'",
    "SELECT 1;; ATTACH '{file}'",
    "SELECT 1 /* */ ; /* */ DROP VIEW models",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_one_select_and_nothing_else(results: Results, folder: Path, statement: str) -> None:
    with pytest.raises(AnalysisError, match=r"need exactly one SELECT statement on the views|this is not SQL"):
        results.sql(statement.format(file=folder.parent / "written", folder=folder))


INSIDE = [
    "WITH a AS (INSERT INTO stored.done VALUES ('x') RETURNING *) SELECT * FROM a",
    "WITH a AS (DELETE FROM stored.done RETURNING *) SELECT * FROM a",
    "WITH a AS (UPDATE stored.done SET weights_sha256 = 'x' RETURNING *) FROM a",
    "WITH a AS (COPY models TO '{file}') SELECT * FROM a",
    "SELECT * FROM enable_logging(storage='file', storage_config={{'path': '{file}'}})",
    "SELECT * FROM enable_profiling(save_location='{file}')",
    "SELECT * FROM disable_logging()",
    "SELECT getenv('HOME')",
    "SELECT nextval('s')",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM pandas_scan(1)",
    "SELECT * FROM python_map_function(1)",
]


@pytest.mark.parametrize("query", INSIDE)
def test_a_select_has_no_effect(results: Results, folder: Path, query: str) -> None:
    before = results.rows("FROM stored.done ORDER BY ALL")
    with pytest.raises(AnalysisError, match=r"changes nothing|no file|locked|does not exist|No function|requires"):
        results.sql(query.format(file=folder.parent / "written"))
    assert results.rows("FROM stored.done ORDER BY ALL") == before
    assert {path.name for path in folder.parent.iterdir()} == {"secret.csv", "rich"}


def test_settings_stay_and_tell_nothing_of_the_environment(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {row["name"]: row["value"] for row in results.rows("SELECT name, value FROM duckdb_settings()")}
    assert settings["enable_external_access"] == "false"
    assert settings["lock_configuration"] == "true"
    assert settings["temp_directory"] in ("", None)
    assert settings["allow_unredacted_secrets"] == "false"
    told = str(settings)
    for name, value in os.environ.items():
        if any(word in name for word in ("TOKEN", "SECRET", "KEY")) and len(value) > 7:
            assert value not in told


def test_no_variable_of_a_program_is_a_table(folder: Path) -> None:
    import pandas as pd

    mine = pd.DataFrame({"a": [SECRET]})
    opened = zoo.open(folder)
    with pytest.raises(AnalysisError, match="unknown view 'mine'"):
        opened.sql("SELECT * FROM mine")
    with pytest.raises(AnalysisError, match="unknown view 'sys'"):
        opened.sql("SELECT * FROM sys")
    assert len(mine) == 1


@pytest.mark.parametrize(
    "query",
    [
        "COPY models TO '{file}'",
        "FROM read_text('{file}')",
        "ATTACH '{file}'",
        "SELECT 1; DROP VIEW models",
        "FROM '{file}'",
    ],
)
def test_the_same_through_every_door(folder: Path, query: str) -> None:
    """The command's argument, its standard input, and the API."""
    asked = query.format(file=folder.parent / "secret.csv")
    argument = setol("sql", asked, "--results", folder)
    assert argument.exit_code == 2
    typed = CliRunner().invoke(main, ["sql", "--results", str(folder)], input=f"{asked};\nSELECT 41 + 1 AS n;\n")
    assert (typed.exit_code, "42" in typed.output) == (2, True), typed.output
    with pytest.raises(AnalysisError, match=r"SELECT|no file"):
        zoo.open(folder).sql(asked)
    assert SECRET not in argument.output + typed.output
    assert (folder.parent / "secret.csv").read_text() == f"a\n{SECRET}\n"


def test_the_prompt_is_no_other_door_and_a_long_query_can_be_interrupted(folder: Path, tmp_path: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.environ |= {"XDG_STATE_HOME": str(tmp_path), "TERM": "dumb"}
        os.execv(sys.executable, [sys.executable, "-m", "setol_zoo.cli", "sql", "--results", str(folder)])
    shown = _until(terminal, b"setol> ")
    os.write(terminal, f"COPY models TO '{tmp_path}/x.csv';\n".encode())
    shown += _until(terminal, b"setol> ")
    os.write(terminal, f"FROM read_text('{folder.parent}/secret.csv');\n".encode())
    shown += _until(terminal, b"setol> ")
    os.write(terminal, b"SELECT count(*) FROM range(10000000000) a, range(100000) b WHERE a.range % 7 = b.range % 5;\n")
    time.sleep(2)
    start = time.monotonic()
    os.write(terminal, b"\x03")
    shown += _until(terminal, b"setol> ")
    assert time.monotonic() - start < 30
    os.write(terminal, b"SELECT 41 + 1 AS n;\n")
    shown += _until(terminal, b"42")
    os.write(terminal, b".quit\n")
    os.waitpid(pid, 0)
    assert b"need exactly one SELECT" in shown
    assert b"reads the views and no file" in shown
    assert b"interrupted" in shown
    assert SECRET.encode() not in shown
    assert not (tmp_path / "x.csv").exists()


def _until(terminal: int, end: bytes) -> bytes:
    shown = b""
    while end not in shown:
        shown += os.read(terminal, 65536)
    return shown


def test_an_interrupt_ends_a_query_of_the_command(folder: Path) -> None:
    query = "SELECT count(*) FROM range(10000000000) a, range(100000) b WHERE a.range % 7 = b.range % 5"
    command = [sys.executable, "-m", "setol_zoo.cli", "sql", query, "--results", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(12)  # loaded, and at work
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in told


def test_names_with_quotes_are_texts(tmp_path: Path) -> None:
    """What the API and the commands ask in SQL on somebody's behalf."""
    root = write_rich(tmp_path / "rich")
    opened = open_results(root)
    for name in ("'; DROP VIEW models; --", "x' OR '1'='1", "a'' UNION SELECT content FROM read_text('/etc/passwd')--"):
        with pytest.raises(AnalysisError, match="unknown model"):
            opened.spectrum(name, "w1")
        with pytest.raises(AnalysisError, match="unknown layer"):
            opened.spectrum("a", name)
    assert len(opened.rows("FROM models")) == 6
    found = setol("sql", "SELECT count(*) AS n FROM models", "--results", root, "--json")
    assert json.loads(found.stdout) == [{"n": 6}]


HOSTILE = "x' UNION ALL SELECT 'somebody''s secret', 1 -- '"


def test_a_run_s_name_is_no_part_of_a_query(tmp_path: Path):
    """The log may be somebody else's; its names of runs are texts in the queries of `setol status` and `setol run`."""
    made = Synthetic(tmp_path / "r")
    made.plan()
    file = weight_file("net", sha("1"))
    made.describe([file])
    made.publish(file.weights_sha256, one_layer(3.0))
    made.attempt(file, run=HOSTILE, seconds=4.0, cores=4)
    opened = open_results(made.root)
    record = run_record(opened, HOSTILE)
    assert record is not None and record["run"] == HOSTILE
    assert run_record(opened, "x' OR true --") is None
    assert record_lines(opened)[-1] == "slowest   net 4.0 s"
    shown = setol("status", "--results", made.root)
    assert (shown.exit_code, "secret" in shown.output) == (0, False), shown.output

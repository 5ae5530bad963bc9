"""A results folder in an object store is one like any other: the same bytes, the same answers, no secrets."""

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from analysis import AnalysisError, open_results
from analysis.opening.mirror import mirror_of
from catalogs.paths import catalog_of_paths
from catalogs.places import place_of
from pipeline.display.summary import RunSummary
from pipeline.drive import RunRequest, drive
from pipeline.errors import FolderError
from pipeline.execution.serial import run_serially
from pipeline.options import Options
from pipeline.store.check import check_files
from pipeline.store.folder import DamagedResult, ResultsFolder
from setol_zoo.cli import main
from tests.conftest import Silent, run_here
from tests.storage.s3_server import SECRET, S3Server


def setol(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def run_there(models: list[str], url: str, cache: Path) -> RunSummary:
    request = RunRequest(catalog_of_paths(models), ResultsFolder(place_of(url)), cache, Options(), device="cpu")
    return drive(request, run_serially, Silent())


def contents(folder: Path, *stages: str) -> dict[str, bytes]:
    return {
        f"{stage}/{path.name}": path.read_bytes()
        for stage in stages or ("spectra/v1", "layers/v1")
        for path in (folder / stage).iterdir()
    }


@pytest.fixture
def there(server: S3Server, models: list[str], tmp_path: Path) -> str:
    """URL of a folder with two models and a failure."""
    url = server.url(f"runs/{tmp_path.name}")
    summary = run_there(models, url, tmp_path / "cache")
    assert (summary.computed, len(summary.failures)) == (2, 1)
    return url


def test_the_same_bytes_as_here(there: str, server: S3Server, models: list[str], tmp_path: Path) -> None:
    run_here(catalog_of_paths(models), tmp_path / "here")
    assert contents(tmp_path / "here") == contents(server.path(f"runs/{tmp_path.name}"))
    (here,) = contents(tmp_path / "here", "catalog").values()
    (there_too,) = contents(server.path(f"runs/{tmp_path.name}"), "catalog").values()
    assert here == there_too
    query = "SELECT * FROM layers ORDER BY model, row"
    assert open_results(there).sql(query).equals(open_results(tmp_path / "here").sql(query))


def test_a_second_run_does_nothing_and_writes_no_journal(
    there: str, server: S3Server, models: list[str], tmp_path: Path
) -> None:
    folder = server.path(f"runs/{tmp_path.name}")
    before = contents(folder, "catalog", "spectra/v1", "layers/v1", "attempts")
    again = run_there(models, there, tmp_path / "cache")
    assert (again.computed, again.reused) == (0, 2)
    assert [failure.new for failure in again.failures] == [False]  # failed for good, as the names of the log say
    assert contents(folder, "catalog", "spectra/v1", "layers/v1", "attempts") == before


def test_what_is_missing_is_made(there: str, server: S3Server, models: list[str], tmp_path: Path) -> None:
    folder = server.path(f"runs/{tmp_path.name}")
    before = contents(folder)
    for path in (next((folder / "spectra/v1").iterdir()), next((folder / "layers/v1").iterdir())):
        path.unlink()
    assert run_there(models, there, tmp_path / "cache").computed in (1, 2)
    assert contents(folder) == before


def test_copies_are_fetched_once(there: str, server: S3Server) -> None:
    def read() -> list[str]:
        before = len(server.requests())
        assert len(open_results(there).sql("FROM layers")) == 4
        return [path for method, path, _ in server.requests()[before:] if method == "GET" and "list-type" not in path]

    first = read()
    assert len(first) == len(set(first)) == 2 + 2 + 3 + 1 + 1  # spectra, metrics, log, catalog, options
    assert [path.rpartition(".")[2] for path in read()] == ["json"]
    mirror = mirror_of(place_of(there))
    copy = next(iter(mirror.below("layers/v1", ".parquet").values()))
    copy.write_bytes(b"cut")  # somebody has been in the cache
    assert len(read()) == 2


def test_commands(there: str, server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    status = setol("status", "--results", there)
    assert status.exit_code == 1, status.output  # one model has failed
    assert "bad" in status.output
    asked = setol("sql", "SELECT name, n_ok FROM models ORDER BY name", "--format", "csv", "--results", there)
    assert asked.output.splitlines()[1:3] == ['"a",2', '"b",2']
    assert setol("report", "--results", there).exit_code == 0
    assert "fc0" in (tmp_path / f"{tmp_path.name}-report.html").read_text()
    assert setol("export", "--results", there).exit_code == 0
    assert (tmp_path / f"{tmp_path.name}-weightwatcher.csv").exists()
    assert setol("correlate", "--results", there).exit_code == 0
    plan = setol("plan", str(tmp_path / "a.safetensors"), "--results", there, "--json")
    assert [row["to_do"] for row in json.loads(plan.stdout)["files"]] == ["nothing"], plan.output
    refitted = setol("refit", "--preset", "weightwatcher", "--cpus", "2", "--results", there, "--json")
    assert json.loads(refitted.stdout)["computed"] == 2, refitted.output
    assert len(contents(server.path(f"runs/{tmp_path.name}"), "layers/v1")) == 4
    analyzed = setol("analyze", str(tmp_path / "a.safetensors"), "--results", there)
    assert analyzed.exit_code == 0, analyzed.output
    monkeypatch.setenv("SETOL_RESULTS", there)
    assert setol("sql", "SELECT count(*) AS n FROM models", "--format", "csv").output.splitlines()[1] == "3"


def test_the_api(there: str) -> None:
    import setol_zoo as zoo

    opened = zoo.open(there)
    assert len(opened.layers) == 4
    assert len(opened.spectrum("a", "fc0")) == 60
    assert "testsecret" not in repr(opened) + repr(opened.results)
    assert list(opened.refit("weightwatcher", cpus=1).layers["model"]) == list(opened.layers["model"])


def test_secrets_are_written_nowhere(
    there: str, server: S3Server, models: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = [setol(name, "--results", there).output for name in ("status", "report", "correlate", "export")]
    told.append(setol("run", *models, "--executor", "serial", "--device", "cpu", "--results", there).output)
    told.append(setol("run", *models, "--executor", "serial", "--results", there.replace("/zoo/", "/none/")).output)
    for folder in (tmp_path, server.root / "data"):
        told += [path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file()]
    for secret in (SECRET, there.partition(":")[2].partition(":")[2].partition("@")[0]):
        assert len(secret) > 10
        assert not [text for text in told if secret in text]


def test_damage(there: str, server: S3Server, models: list[str], tmp_path: Path) -> None:
    folder = server.path(f"runs/{tmp_path.name}")
    before = contents(folder)
    empty, rotten = sorted((folder / "spectra/v1").iterdir())
    empty.write_bytes(b"")
    rotten.write_bytes(rotten.read_bytes()[:-8])
    with pytest.raises(AnalysisError, match=r"spectra/v1/\w+.parquet of s3://\*\*\*@zoo/.* cut short. Delete it there"):
        open_results(there)
    with pytest.raises(DamagedResult, match=r"cannot be read .*set aside. The same command makes it anew"):
        ResultsFolder(place_of(there)).read_spectra(rotten.stem)
    assert run_there(models, there, tmp_path / "cache").computed == 2
    aside = [path for path in (folder / "spectra/v1").iterdir() if path.suffix == ".damaged"]
    assert sorted(path.name for path in aside) == sorted(f"{path.name}.damaged" for path in (empty, rotten))
    for path in aside:
        path.unlink()
    assert contents(folder) == before


def test_a_damaged_row_of_the_log_is_passed_over(
    there: str, server: S3Server, models: list[str], tmp_path: Path
) -> None:
    folder = server.path(f"runs/{tmp_path.name}")
    done = next(path for path in sorted((folder / "attempts").iterdir()) if "-done-" in path.name)
    done.write_bytes(done.read_bytes()[:-8])
    assert len(open_results(there).sql("FROM attempts")) == 2
    (there_too, *_) = ResultsFolder(place_of(there)).failures()
    assert there_too["outcome"] == "failed"
    assert run_there(models, there, tmp_path / "cache").reused == 2
    assert done.exists()


@pytest.mark.parametrize("command", ["status", "sql", "report", "correlate", "export", "refit", "run", "plan"])
def test_calls_that_are_wrong(command: str, server: S3Server, models: list[str]) -> None:
    words = {"sql": ["SELECT 1"], "run": [models[0], "--executor", "serial"], "plan": [models[0]]}.get(command, [])
    cases = {
        server.url("x", bucket="none"): "there is no bucket none for s3://***@none/x",
        server.url("x", key="STRANGER"): "lets nobody in with these credentials",
        "s3://K:S@b/x?endpoint_override=127.0.0.1:1&scheme=http": "does not answer",
        "s4://b/x": "unknown kind of URL",
        "s3://b/x?endpoint=y": "unknown parameter of the URL 'endpoint'",
    }
    for url, message in cases.items():
        start = time.monotonic()
        result = setol(command, *words, "--results", url)
        assert result.exit_code == 2, (url, result.output)
        assert message in result.output
        assert "Traceback" not in result.output
        assert len([line for line in result.output.splitlines() if message in line]) == 1
        assert time.monotonic() - start < 30


def test_a_place_without_results(server: S3Server) -> None:
    with pytest.raises(AnalysisError, match=r"there are no results in s3://\*\*\*@zoo/nothing\?.*or fill this one"):
        open_results(server.url("nothing"))
    result = setol("refit", "--results", server.url("nothing"))
    assert result.exit_code == 2
    assert "holds no results to refit" in result.output


def test_a_folder_and_a_store_together(there: str, models: list[str], tmp_path: Path) -> None:
    run_here(catalog_of_paths(models[:1]), tmp_path / "here")
    both = open_results([tmp_path / "here", there])
    assert both.rows("SELECT count(*) AS n FROM models") == [{"n": 3}]


def test_credentials_from_the_environment(there: str, server: S3Server, tmp_path: Path, monkeypatch) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    assert len(open_results(f"s3://zoo/runs/{tmp_path.name}").sql("FROM layers")) == 4


def test_preparing_says_why_not(server: S3Server) -> None:
    with pytest.raises(FolderError, match=r"^cannot write results to s3://\*\*\*@none/x.*: there is no bucket none"):
        ResultsFolder(place_of(server.url("x", bucket="none"))).prepare()


def test_a_check_reads_what_lies_there(there: str, server: S3Server, models: list[str], tmp_path: Path) -> None:
    folder = server.path(f"runs/{tmp_path.name}")
    before = contents(folder)
    spectra, layers = (sorted((folder / stage).iterdir())[0] for stage in ("spectra/v1", "layers/v1"))
    for path in (spectra, layers):
        content = bytearray(path.read_bytes())
        content[len(content) // 4] ^= 1
        path.write_bytes(content)
    said = setol("status", "--check", "--results", there)
    assert said.exit_code == 1, said.output
    assert "read: 4 files of spectra and metrics, " in said.stdout
    assert said.stdout.count("): set aside") == 2
    assert said.stdout.splitlines()[-1].startswith("next: setol run path:")
    assert run_there(models, there, tmp_path / "cache").computed in (1, 2)  # of one model, or of both
    assert contents(folder, "spectra/v1", "layers/v1").items() >= before.items()
    assert check_files(ResultsFolder(place_of(there))).damaged == ()

"""One unit: what is published, what is logged, what is reused, what fails."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from analysis import AnalysisError, open_results
from catalogs import WeightFile
from catalogs.paths import catalog_of_paths
from checkpoints import borrowed
from pipeline.code_version import code_version
from pipeline.drive import RunRequest, drive, prepare
from pipeline.execution import making
from pipeline.execution.job import Job
from pipeline.execution.serial import run_serially
from pipeline.execution.worker import run_unit
from pipeline.options import MetricOptions, Options
from pipeline.planning.plan import make_plan
from pipeline.planning.share import Share
from pipeline.store.folder import DamagedResult, ResultsFolder
from tests.conftest import Silent, run_here
from tests.sources.conftest import weights
from tests.sources.hub_standin import HubStandin


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    generator = torch.Generator().manual_seed(1)
    path = tmp_path / "model.safetensors"
    save_file(
        {"fc.weight": torch.randn(200, 100, generator=generator), "fc.bias": torch.zeros(200)},
        path,
    )
    return path


def attempts(folder: Path) -> list[dict]:
    rows = [pq.read_table(path).to_pylist()[0] for path in (folder / "attempts").glob("*.parquet")]
    return sorted(rows, key=lambda row: row["started"])


def names(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for stage in ("spectra", "layers")
        for path in (folder / stage / "v1").iterdir()
    }


def test_a_second_run_computes_nothing(checkpoint, tmp_path):
    catalog = catalog_of_paths([str(checkpoint)])
    first = run_here(catalog, tmp_path / "r")
    before = names(tmp_path / "r")
    second = run_here(catalog, tmp_path / "r")
    assert (first.computed, first.reused) == (1, 0)
    assert (second.computed, second.reused) == (0, 1)
    assert names(tmp_path / "r") == before
    assert len(attempts(tmp_path / "r")) == 1


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def zero_the_end(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))


def flip_a_bit(path: Path) -> None:
    """In the middle of the values: the file can be read, but not what was written."""
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 1
    path.write_bytes(content)


DAMAGE = [(stage, damage) for stage in ("spectra", "layers") for damage in (cut, empty, zero_the_end)]


@pytest.mark.parametrize(("stage", "damage"), DAMAGE)
def test_the_same_command_heals_a_damaged_file(checkpoint, tmp_path, stage, damage):
    results = tmp_path / "r"
    command = [sys.executable, "-m", "setol_zoo.cli", "run", str(checkpoint), "--executor", "serial", "--device", "cpu"]
    command += ["--results", str(results)]
    run_here(catalog_of_paths([str(checkpoint)]), results)
    before = names(results)
    (path,) = (results / stage / "v1").iterdir()
    damage(path)
    assert names(results) != before
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    told = [line for line in run.stderr.splitlines() if "cannot be read" in line]
    assert len(told) == 1 and str(path) in told[0] and f"set aside as {path.name}.damaged" in told[0], run.stderr
    assert "Traceback" not in run.stderr
    aside = path.with_name(f"{path.name}.damaged")
    assert aside.exists()
    aside.unlink()
    assert names(results) == before
    again = run_here(catalog_of_paths([str(checkpoint)]), results)
    assert (again.computed, again.reused) == (0, 1)


def test_spectra_with_a_flipped_bit_are_made_anew_before_they_are_used(checkpoint, tmp_path):
    catalog = catalog_of_paths([str(checkpoint)])
    run_here(catalog, tmp_path / "r")
    (path,) = (tmp_path / "r" / "spectra" / "v1").iterdir()
    whole = path.read_bytes()
    flip_a_bit(path)
    assert run_here(catalog, tmp_path / "r").reused == 1  # nothing is read of what is done
    other = run_here(catalog, tmp_path / "r", MetricOptions(min_evals=20))
    assert (other.computed, other.failures) == (1, ())
    assert path.read_bytes() == whole
    assert path.with_name(f"{path.name}.damaged").exists()
    flip_a_bit(path)
    with pytest.raises(DamagedResult, match="CRC checksum verification failed"):
        ResultsFolder(tmp_path / "r").read_spectra(path.stem)


def test_a_damaged_file_of_another_model_is_left_to_its_own_run(checkpoint, tmp_path):
    other = tmp_path / "other.safetensors"
    save_file({"fc.weight": torch.randn(60, 70, generator=torch.Generator().manual_seed(3))}, other)
    run_here(catalog_of_paths([str(other)]), tmp_path / "r")
    before = names(tmp_path / "r")
    (path,) = (tmp_path / "r" / "layers" / "v1").iterdir()
    cut(path)
    assert not run_here(catalog_of_paths([str(checkpoint)]), tmp_path / "r").failures
    assert path.exists()
    with pytest.raises(AnalysisError, match=rf"{path.name} cannot be read: .*The `setol run` that made it"):
        open_results(tmp_path / "r")
    assert run_here(catalog_of_paths([str(other)]), tmp_path / "r").computed == 1
    assert before.items() <= names(tmp_path / "r").items()
    rows = open_results(tmp_path / "r").rows("SELECT name, n_ok FROM models ORDER BY name")
    assert [(row["name"], row["n_ok"]) for row in rows] == [("model", 1), ("other", 1)]


def test_what_another_driver_has_made_anew_is_not_set_aside(checkpoint, tmp_path):
    """Two drivers see the same damage; the first mends it before the second comes to set it aside."""
    catalog = catalog_of_paths([str(checkpoint)])
    run_here(catalog, tmp_path / "r")
    before = names(tmp_path / "r")
    for stage in ("spectra", "layers"):
        (path,) = (tmp_path / "r" / stage / "v1").iterdir()
        cut(path)
    request = RunRequest(catalog, ResultsFolder(tmp_path / "r"), tmp_path / "cache", Options())
    slow, _ = prepare(request)
    assert len(slow.damaged) == 2
    run_here(catalog, tmp_path / "r")
    request.folder.set_aside(slow.damaged)
    assert before.items() <= names(tmp_path / "r").items()
    aside = sorted(each.name for each in (tmp_path / "r").rglob("*.damaged"))
    assert aside == sorted(f"{each.path.name}.damaged" for each in slow.damaged)
    request.folder.set_aside(slow.damaged)  # nor does it matter where there is nothing to set aside
    assert sorted(each.name for each in (tmp_path / "r").rglob("*.damaged")) == aside


def test_a_share_sets_nothing_of_another_aside(checkpoint, tmp_path):
    other = tmp_path / "other.safetensors"
    save_file({"fc.weight": torch.randn(60, 70, generator=torch.Generator().manual_seed(3))}, other)
    catalog = catalog_of_paths([str(checkpoint), str(other)])
    run_here(catalog, tmp_path / "r")
    before = names(tmp_path / "r")
    for path in (tmp_path / "r" / "layers" / "v1").iterdir():
        cut(path)
    request = RunRequest(catalog, ResultsFolder(tmp_path / "r"), tmp_path / "cache", Options())
    plans = [prepare(replace(request, share=Share(number, 7)))[0] for number in range(1, 8)]
    for plan in plans:
        assert {each.path.stem for each in plan.damaged} == {unit.fit_id for unit in plan.units}
    assert sum(len(plan.units) for plan in plans) == 2
    for number in range(1, 8):
        drive(replace(request, share=Share(number, 7), device="cpu"), run_serially, Silent())
    assert before.items() <= names(tmp_path / "r").items()


def test_a_plan_counts_a_damaged_file_as_missing_and_leaves_it(checkpoint, tmp_path):
    catalog = catalog_of_paths([str(checkpoint)])
    run_here(catalog, tmp_path / "r")
    (path,) = (tmp_path / "r" / "layers" / "v1").iterdir()
    cut(path)
    before = names(tmp_path / "r")
    plan, _ = prepare(RunRequest(catalog, ResultsFolder(tmp_path / "r"), tmp_path / "cache", Options()))
    assert [len(plan.units), len(plan.finished), len(plan.damaged)] == [1, 0, 1]
    assert names(tmp_path / "r") == before


def test_a_damaged_catalog_is_set_aside_and_a_damaged_log_passed_over(checkpoint, tmp_path):
    catalog = catalog_of_paths([str(checkpoint)])
    run_here(catalog, tmp_path / "r")
    (log,) = (tmp_path / "r" / "attempts").iterdir()
    journals = [path for name in ("catalog", "scores") for path in (tmp_path / "r" / name).iterdir()]
    assert len(journals) == 1  # no scores are known
    before = [path.read_bytes() for path in journals]
    for path in (log, *journals):
        cut(path)
    assert run_here(catalog, tmp_path / "r").reused == 1
    anew = [path.read_bytes() for name in ("catalog", "scores") for path in (tmp_path / "r" / name).glob("*.parquet")]
    assert anew == before
    assert list((tmp_path / "r" / "attempts").iterdir()) == [log]  # nothing would make it anew
    plan, _ = prepare(RunRequest(catalog, ResultsFolder(tmp_path / "r"), tmp_path / "cache", Options()))
    assert [note for note in plan.notes if str(log) in note and "passed over" in note]
    opened = open_results(tmp_path / "r")
    assert opened.rows("SELECT status FROM models") == [{"status": "done"}]
    assert opened.rows("FROM attempts") == []


@pytest.fixture
def hub() -> Iterator[HubStandin]:
    standin = HubStandin()
    yield standin
    standin.close()


def test_weights_damaged_in_the_cache_are_fetched_again_and_the_driver_is_told(tmp_path, hub):
    """Through the executor and back: a worker on another machine has no terminal to say it on."""
    content = weights(5)
    hub.add("web/healing", {"model.safetensors": content})
    sha256 = hashlib.sha256(content).hexdigest()
    key = f"url:{hub.storage_address}/blobs/{sha256}/m.safetensors"
    file = WeightFile(model=key, name="m", file=key.removeprefix("url:"), weights_sha256=sha256)
    options = Options()
    (unit,) = make_plan([file], options, finished=(), failed=()).units
    folder = ResultsFolder(tmp_path / "r")
    folder.prepare()
    job = Job(folder, tmp_path / "cache", options.config, options, "cpu")
    assert run_unit(unit, job).notes == ()
    before = names(tmp_path / "r")
    for path in (*(tmp_path / "r" / "layers" / "v1").iterdir(), *(tmp_path / "r" / "spectra" / "v1").iterdir()):
        path.unlink()
    cached = tmp_path / "cache" / "files" / sha256 / "m.safetensors"
    cut(cached)
    outcome = run_unit(unit, job)
    assert outcome.done, outcome.error
    assert outcome.notes == ("m.safetensors was damaged in the cache (wrong hash), and is fetched again",)
    assert cached.read_bytes() == content
    assert names(tmp_path / "r") == before


def test_other_metric_options_need_no_weights(checkpoint, tmp_path):
    catalog = catalog_of_paths([str(checkpoint)])
    run_here(catalog, tmp_path / "r")
    spectra = set((tmp_path / "r" / "spectra" / "v1").iterdir())
    run_here(catalog, tmp_path / "r", MetricOptions(min_evals=20))
    assert set((tmp_path / "r" / "spectra" / "v1").iterdir()) == spectra
    assert len(list((tmp_path / "r" / "layers" / "v1").iterdir())) == 2
    last = attempts(tmp_path / "r")[-1]
    assert last["reused_spectra"] is True
    assert last["seconds_fetch"] is None
    assert last["seconds_spectra"] is None
    assert last["seconds_metrics"] > 0


def test_two_folders_hold_the_same_bytes(checkpoint, tmp_path):
    moved = tmp_path / "elsewhere" / "model.safetensors"
    moved.parent.mkdir()
    moved.write_bytes(checkpoint.read_bytes())
    run_here(catalog_of_paths([str(checkpoint)]), tmp_path / "a")
    run_here(catalog_of_paths([str(checkpoint)]), tmp_path / "b")
    assert names(tmp_path / "a") == names(tmp_path / "b")


def test_rows_hold_no_path_host_or_time(checkpoint, tmp_path):
    run_here(catalog_of_paths([str(checkpoint)]), tmp_path / "r")
    (path,) = (tmp_path / "r" / "spectra" / "v1").iterdir()
    assert set(pq.read_table(path)["file"].to_pylist()) == {"model.safetensors"}


def test_the_log_says_where_how_long_and_how_much(checkpoint, tmp_path):
    run_here(catalog_of_paths([str(checkpoint)]), tmp_path / "r")
    (row,) = attempts(tmp_path / "r")
    assert row["outcome"] == "done"
    assert row["bytes"] == checkpoint.stat().st_size
    assert row["threads"] == 1
    assert row["device"] == "cpu"
    assert row["host"]
    assert row["code_version"] == f"{version('setol-zoo')}+{code_version()}"
    assert row["peak_rss_anon"] > 10_000_000  # torch alone is more
    assert min(row["seconds_fetch"], row["seconds_spectra"], row["seconds_metrics"]) > 0


def test_a_file_that_changed_since_it_was_planned(checkpoint, tmp_path, monkeypatch):
    real_fetch = borrowed.fetch

    def fetch_after_a_change(file, cache, say):
        save_file({"other": torch.ones(60, 60)}, checkpoint)
        return real_fetch(file, cache, say)

    monkeypatch.setattr(borrowed, "fetch", fetch_after_a_change)
    summary = run_here(catalog_of_paths([str(checkpoint)]), tmp_path / "r")
    (failure,) = summary.failures
    assert "wrong hash" in failure.error
    assert names(tmp_path / "r") == {}


def test_an_unexpected_error_is_a_row_and_the_others_are_done(tmp_path, monkeypatch):
    for name in ("a", "b", "c"):
        save_file({"w": torch.eye(60) * (1 + ord(name))}, tmp_path / f"{name}.safetensors")
    real = making.file_spectra

    def explode(file, checkpoint, device, facts, options, base):
        if file.name == "b":
            raise RuntimeError("kaboom")
        return real(file, checkpoint, device, facts, options, base)

    monkeypatch.setattr(making, "file_spectra", explode)
    catalog = catalog_of_paths([str(tmp_path / f"{name}.safetensors") for name in "abc"])
    summary = run_here(catalog, tmp_path / "r")
    assert summary.computed == 2
    (failure,) = summary.failures
    assert failure.error == "RuntimeError: kaboom"
    assert not failure.transient
    # A permanent failure is not tried again by the same command, but it is by --retry-failed.
    again = run_here(catalog, tmp_path / "r")
    assert (again.computed, again.reused, len(again.failures)) == (0, 2, 1)
    assert not again.failures[0].new
    monkeypatch.setattr(making, "file_spectra", real)
    assert run_here(catalog, tmp_path / "r", retry_failed=True).computed == 1


def test_a_transient_failure_is_tried_again(checkpoint, tmp_path, monkeypatch):
    real = ResultsFolder.write_spectra

    def full(folder, spectra_id, table):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ResultsFolder, "write_spectra", full)
    catalog = catalog_of_paths([str(checkpoint)])
    (failure,) = run_here(catalog, tmp_path / "r").failures
    assert failure.transient
    assert "No space left" in failure.error
    monkeypatch.setattr(ResultsFolder, "write_spectra", real)
    assert run_here(catalog, tmp_path / "r").computed == 1


def test_one_content_with_and_without_an_architecture_is_found_either_way(tmp_path):
    """What has metrics is shown, by whichever of a content's names it was laid out."""
    generator = torch.Generator().manual_seed(2)
    tensors = {"bert.encoder.layer.0.output.dense.weight": torch.randn(64, 64, generator=generator)}
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        save_file(tensors, tmp_path / name / "model.safetensors")
    (tmp_path / "a" / "config.json").write_text('{"model_type": "bert", "hidden_size": 64}')
    for name, options in (("a", MetricOptions()), ("b", MetricOptions(min_evals=20))):
        summary = run_here(catalog_of_paths([str(tmp_path / name)]), tmp_path / "r", options)
        assert not summary.failures
        rows = open_results(tmp_path / "r", summary.config).rows("SELECT status, n_analyzed FROM models")
        assert {(row["status"], row["n_analyzed"]) for row in rows} == {("done", 1)}

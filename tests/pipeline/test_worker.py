"""One unit: what is published, what is logged, what is reused, what fails."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from analysis import open_results
from catalogs.paths import catalog_of_paths
from pipeline import worker
from pipeline.options import MetricOptions
from tests.conftest import run_here


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
    assert row["peak_rss_anon"] > 10_000_000  # torch alone is more
    assert min(row["seconds_fetch"], row["seconds_spectra"], row["seconds_metrics"]) > 0


def test_a_file_that_changed_since_it_was_planned(checkpoint, tmp_path, monkeypatch):
    real_fetch = worker.fetch

    def fetch_after_a_change(file, cache):
        save_file({"other": torch.ones(60, 60)}, checkpoint)
        return real_fetch(file, cache)

    monkeypatch.setattr(worker, "fetch", fetch_after_a_change)
    summary = run_here(catalog_of_paths([str(checkpoint)]), tmp_path / "r")
    (failure,) = summary.failures
    assert "wrong hash" in failure.error
    assert names(tmp_path / "r") == {}


def test_an_unexpected_error_is_a_row_and_the_others_are_done(tmp_path, monkeypatch):
    for name in ("a", "b", "c"):
        save_file({"w": torch.eye(60) * (1 + ord(name))}, tmp_path / f"{name}.safetensors")
    real = worker.spectra_table

    def explode(file, checkpoint, device, facts):
        if file.name == "b":
            raise RuntimeError("kaboom")
        return real(file, checkpoint, device, facts)

    monkeypatch.setattr(worker, "spectra_table", explode)
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
    monkeypatch.setattr(worker, "spectra_table", real)
    assert run_here(catalog, tmp_path / "r", retry_failed=True).computed == 1


def test_a_transient_failure_is_tried_again(checkpoint, tmp_path, monkeypatch):
    real = worker.write_table

    def full(table, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(worker, "write_table", full)
    catalog = catalog_of_paths([str(checkpoint)])
    (failure,) = run_here(catalog, tmp_path / "r").failures
    assert failure.transient
    assert "No space left" in failure.error
    monkeypatch.setattr(worker, "write_table", real)
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

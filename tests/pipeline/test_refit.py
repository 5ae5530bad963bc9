"""Metrics anew from stored spectra: the same bytes as a fresh run, whatever was asked for, and what may go wrong."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from analysis.opening.results import open_results
from catalogs.paths import catalog_of_paths
from catalogs.places import cache_directory
from pipeline.display.summary import RunSummary
from pipeline.drive import RunRequest, drive
from pipeline.errors import FolderError, OptionError
from pipeline.execution.job import Job, Outcome
from pipeline.execution.processes import run_in_processes
from pipeline.execution.serial import run_serially
from pipeline.options import MetricOptions, Options, SpectrumOptions, preset
from pipeline.planning.plan import Unit
from pipeline.refit import RefitRequest, refit
from pipeline.store.folder import ResultsFolder
from tests.conftest import Silent, run_here

CHOICES = {
    "default": MetricOptions(),
    "weightwatcher": preset("weightwatcher"),
    "natcomm2021": preset("natcomm2021"),
    "full": preset("default", detail="full", min_evals=40, bootstrap=20),
    "clipped": preset("default", fingers="clip", bulk="quantile", kernel_factor=1.0),
}
EXTRA = SpectrumOptions(permutations=2, vectors=True, windows=True)


def write_zoo(folder: Path) -> list[str]:
    """Three seeded models with kernels, linear layers, a vector and a tied tensor; the smallest file has most rows."""
    generator = torch.Generator().manual_seed(11)

    def random(*shape: int) -> torch.Tensor:
        # A few directions stand out, as in trained weights, so that there are spikes and fingers.
        noise = torch.randn(shape, generator=generator)
        noise[0] *= 4
        return noise

    models = {
        "kernels": {"conv.weight": random(64, 60, 3, 3), "fc.weight": random(120, 64), "fc.bias": random(120)},
        "linear": {"up.weight": random(300, 90), "down.weight": random(90, 300)},
        "deep": {f"blocks.{n}.weight": random(60, 52) for n in range(9)},
    }
    for name, tensors in models.items():
        save_file(tensors, folder / f"{name}.safetensors")
    return sorted(str(path) for path in folder.glob("*.safetensors"))


def run_with(models: list[str], folder: Path, options: Options) -> RunSummary:
    request = RunRequest(catalog_of_paths(models), ResultsFolder(folder), cache_directory(), options, device="cpu")
    return drive(request, run_serially, Silent())


def published(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "layers" / "v1").glob("*.parquet")}


def refit_here(folder: Path, metrics: MetricOptions, spectrum: SpectrumOptions | None = None) -> RunSummary:
    return refit(RefitRequest(ResultsFolder(folder), metrics, spectrum), run_serially, Silent())


@pytest.fixture(scope="module")
def fresh(tmp_path_factory) -> dict[str, dict[str, bytes]]:
    """Metrics of fresh runs, each in a folder of its own, by name; `folder`, the one to refit; the weights are gone."""
    home = tmp_path_factory.mktemp("zoo")
    models = write_zoo(home)
    found = {}
    for name, metrics in CHOICES.items():
        assert run_with(models, home / name, Options(EXTRA, metrics)).computed == 3
        found[name] = published(home / name)
    run_with(models, home / "plain", Options())
    found["plain"] = published(home / "plain")
    run_with(models, home / "results", Options(EXTRA, MetricOptions(min_evals=70)))
    for path in models:
        os.remove(path)
    return {**found, "folder": home / "results"}


def copy_of(folder: Path, to: Path) -> Path:
    """A results folder of one's own; hard links would share what is damaged."""
    for path in folder.rglob("*"):
        if path.is_file():
            target = to / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return to


@pytest.mark.parametrize("name", CHOICES)
def test_every_file_equals_that_of_a_fresh_run(fresh, tmp_path, name):
    folder = copy_of(fresh["folder"], tmp_path)
    before = published(folder)
    summary = refit_here(folder, CHOICES[name])
    assert (summary.computed, summary.reused, summary.failures) == (3, 0, ())
    new = {file: content for file, content in published(folder).items() if file not in before}
    assert new == fresh[name]
    again = refit_here(folder, CHOICES[name])
    assert (again.computed, again.reused) == (0, 3)


def test_processes_write_the_same_files(fresh, tmp_path):
    folder = copy_of(fresh["folder"], tmp_path)
    before = published(folder)
    silent = Silent()
    refit(RefitRequest(ResultsFolder(folder), CHOICES["full"]), partial(run_in_processes, cpus=2), silent)
    assert sum(outcome.done for outcome in silent.outcomes) == 3
    assert {file: content for file, content in published(folder).items() if file not in before} == fresh["full"]


def test_the_longest_comes_first_by_matrices_not_by_bytes(fresh, tmp_path):
    silent = Silent()
    folder = copy_of(fresh["folder"], tmp_path)
    refit(RefitRequest(ResultsFolder(folder), CHOICES["default"]), run_serially, silent)
    by_bytes = max(silent.plan.units, key=lambda unit: unit.cost)
    assert by_bytes.file.name != "deep"
    assert silent.outcomes[0].unit.file.name == "deep"


def test_no_view_counts_a_model_twice(fresh, tmp_path):
    folder = copy_of(fresh["folder"], tmp_path)
    configs = {name: refit_here(folder, CHOICES[name]).config for name in ("natcomm2021", "default")}
    n_layers = {}
    for name, config in configs.items():
        opened = open_results([folder], config)
        assert len(opened.configs) == 3
        for view in ("models", "model_metrics"):
            names = [row["name"] for row in opened.rows(f"FROM {view}")]
            assert sorted(names) == ["deep", "kernels", "linear"], view
        rows = opened.rows("FROM layers")
        places = [(row["model"], row["tensor"], row["part"], row["tap"]) for row in rows]
        assert len(set(places)) == len(places)
        assert {row["config"] for row in rows} == {config}
        skipped = [(row["model"], row["tensor"]) for row in opened.rows("FROM skipped")]
        assert [tensor for _, tensor in skipped] == ["fc.bias"]
        n_layers[name] = {row["name"]: row["n_layers"] for row in opened.rows("FROM model_metrics")}
        assert len(opened.rows("FROM attempts")) == 3
    assert n_layers["default"] == {"deep": 9, "kernels": 2, "linear": 2}
    assert n_layers["natcomm2021"] == {"deep": 9, "kernels": 10, "linear": 2}  # nine taps and a linear layer
    assert open_results([folder]).config == configs["default"]  # the one that was asked for last


@pytest.mark.parametrize(
    ("spectrum", "flags", "column"),
    [
        (SpectrumOptions(permutations=3), "--permutations 3", "n_traps"),
        (SpectrumOptions(vectors=True), "--vectors", "tail_short_participation"),
        (SpectrumOptions(windows=True), "--windows", "farms_alpha"),
    ],
)
def test_spectra_that_are_not_there_name_the_run_that_makes_them(tmp_path, spectrum, flags, column):
    models = write_zoo(tmp_path)
    folder = tmp_path / "r"
    run_with(models, folder, Options())
    before = sorted(path.name for path in folder.rglob("*"))
    with pytest.raises(OptionError, match=f"no weight file in .* has spectra with .*setol run .*{flags} --results"):
        refit_here(folder, CHOICES["default"], spectrum)
    assert sorted(path.name for path in folder.rglob("*")) == before
    run_with(models, folder, Options(spectrum))  # what the message says
    summary = refit_here(folder, MetricOptions(min_evals=45), spectrum)
    assert (summary.computed, summary.failures) == (3, ())
    counts = open_results([folder], summary.config).rows(f"SELECT count({column}) AS n FROM layers")
    assert counts[0]["n"] >= 10
    # From now on those are the ones that were planned last.
    later = refit_here(folder, MetricOptions(min_evals=46))
    assert open_results([folder], later.config).rows(f"SELECT count({column}) AS n FROM layers") == counts


def test_files_without_such_spectra_are_failures_and_the_others_are_done(tmp_path):
    models = write_zoo(tmp_path)
    run_with(models, tmp_path / "r", Options())
    run_with(models[:1], tmp_path / "r", Options(SpectrumOptions(permutations=1)))
    summary = refit_here(tmp_path / "r", CHOICES["full"])
    assert summary.computed == 1
    assert len(summary.failures) == 2
    for failure in summary.failures:
        assert failure.error.startswith("no spectra with precision float64, permutations 1: they need the weights, ")
        assert "--permutations 1" in failure.error
        assert failure.model in failure.error  # the models that are missing, and not the one that is there
    models_there = open_results([tmp_path / "r"], summary.config).rows("FROM models")
    assert {row["name"]: row["status"] for row in models_there} == {
        "deep": "done",
        "kernels": "pending",
        "linear": "pending",
    }


def test_damaged_spectra_are_set_aside_and_named(fresh, tmp_path):
    folder = copy_of(fresh["folder"], tmp_path)
    for count, path in enumerate(sorted((folder / "spectra" / "v1").glob("*.parquet")), 1):
        content = bytearray(path.read_bytes())
        content[len(content) // 3] ^= 0xFF  # one page; the footer is whole
        path.write_bytes(content)
        summary = refit_here(folder, MetricOptions(min_evals=50 + count))
        assert len(summary.failures) == count
        assert summary.computed == 3 - count
        assert all("setol run" in failure.error for failure in summary.failures)
        assert sum("could not be read" in failure.error for failure in summary.failures) == 1
        assert path.with_name(f"{path.name}.damaged").exists()
    with pytest.raises(OptionError, match="no weight file in"):
        refit_here(folder, MetricOptions(min_evals=99))


def test_damaged_metrics_are_made_anew(fresh, tmp_path):
    folder = copy_of(fresh["folder"], tmp_path)
    before = published(folder)
    refit_here(folder, CHOICES["default"])
    (some, *_) = (folder / "layers" / "v1" / name for name in published(folder) if name not in before)
    some.write_bytes(some.read_bytes()[:100])
    summary = refit_here(folder, CHOICES["default"])
    assert (summary.computed, summary.reused) == (1, 2)
    assert {file: content for file, content in published(folder).items() if file not in before} == fresh["default"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("catalog", r"catalog/[\dT]+-\w+\.parquet cannot be read: .*The same `setol run` writes it again"),
        ("options", r"\.json cannot be read: .*The same `setol run` writes it again"),
    ],
)
def test_what_a_folder_is_known_by_is_damaged(fresh, tmp_path, name, message):
    folder = copy_of(fresh["folder"], tmp_path)
    path = folder / name
    for damaged in path.iterdir() if path.is_dir() else [path]:
        damaged.write_bytes(damaged.read_bytes()[:20])
    with pytest.raises(FolderError, match=message):
        refit_here(folder, CHOICES["default"])


def test_spectra_of_another_version_are_not_taken(fresh, tmp_path):
    folder = copy_of(fresh["folder"], tmp_path)
    for path in (folder / "options").iterdir():
        path.write_text(path.read_text().replace('"spectra_version": ', '"spectra_version": 9'))
    with pytest.raises(OptionError, match=r"these spectra are of version 9.*makes version"):
        refit_here(folder, CHOICES["default"])


def test_a_model_in_memory_cannot_be_run_again(tmp_path):
    import setol_zoo

    generator = torch.Generator().manual_seed(0)
    setol_zoo.analyze({"fc.weight": torch.randn(80, 60, generator=generator)}, results=tmp_path)
    with pytest.raises(OptionError, match="models that were in memory have to be analyzed again"):
        refit_here(tmp_path, CHOICES["default"], SpectrumOptions(vectors=True))
    assert refit_here(tmp_path, CHOICES["full"]).computed == 1


def killing_the_first(units: tuple[Unit, ...], job: Job) -> Iterator[Outcome]:
    """An executor whose first process is killed as soon as it runs; the first unit is its."""

    def kill() -> None:
        while not (found := workers_of(os.getpid())):
            time.sleep(0.01)
        os.kill(found[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    yield from run_in_processes(units, job, cpus=1)
    killer.join()


def workers_of(parent: int) -> list[int]:
    """Processes of the executor that a process has started and that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            state, parent_of_it = (entry / "stat").read_text().rpartition(") ")[2].split()[:2]
            ours = b"pipeline.execution.processes" in (entry / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        if ours and int(parent_of_it) == parent and state != "Z":
            found.append(int(entry.name))
    return found


@pytest.mark.skipif(not Path("/proc").exists(), reason="finds the processes through /proc")
def test_a_killed_process_is_a_failure_with_a_row_and_the_others_are_done(fresh, tmp_path):
    folder = copy_of(fresh["folder"], tmp_path)
    summary = refit(RefitRequest(ResultsFolder(folder), CHOICES["default"]), killing_the_first, Silent())
    assert summary.computed == 2
    (failure,) = summary.failures
    assert failure.error == (
        "its process was killed by SIGKILL, as the system does where memory runs out. "
        "Run the same command to try again."
    )
    assert failure.transient
    (row,) = open_results([folder], summary.config).rows("FROM attempts WHERE outcome = 'failed'")
    assert (row["name"], row["error_type"], row["transient"]) == ("deep", "LostWorker", True)
    assert not workers_of(os.getpid())


def test_the_callers_script_is_not_run_again(fresh, tmp_path):
    """A plain script, without a guard against being imported: its children must not be copies of itself."""
    copy_of(fresh["folder"], tmp_path / "r")
    script = tmp_path / "mine.py"
    script.write_text(
        "import setol_zoo as zoo\n"
        "print('begun', __name__)\n"
        "r = zoo.open('r')\n"
        "full = r.refit(detail='full', min_evals=40, cpus=2)\n"
        "assert full.results.config != r.results.config\n"
        "assert full.results.folders == r.results.folders\n"
        "print(full.layers.log_q2_empirical.notna().sum())\n"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "SETOL_CACHE": str(tmp_path / "empty")}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.getenv("PYTHONPATH")]))
    for command in ([str(script)], ["-c", script.read_text().replace("40", "41")]):
        run = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stderr
        assert run.stdout.splitlines() == ["begun __main__", "13"]
    assert not (tmp_path / "empty").exists()


def test_refit_of_opened_results(fresh, tmp_path):
    import setol_zoo

    folder = copy_of(fresh["folder"], tmp_path / "a")
    opened = setol_zoo.open(folder)
    slices = opened.refit("natcomm2021", cpus=1)
    assert len(slices.layers) == 9 + 10 + 2
    assert len(opened.layers) == 9 + 2 + 2  # shows what it showed
    with pytest.raises(OptionError, match="unknown detail 'ful'; nearest: full"):
        opened.refit(detail="ful")
    with pytest.raises(OptionError, match="unknown preset 'natcom'; nearest: natcomm2021"):
        opened.refit("natcom")
    both = setol_zoo.open([folder, copy_of(folder, tmp_path / "b")])
    with pytest.raises(ValueError, match=r"need one folder to write metrics to; .*/a, .*/b are open"):
        both.refit()
    path = next((folder / "spectra" / "v1").glob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.warns(UserWarning, match="1 weight file without metrics: its spectra could not be read"):
        assert len(opened.refit(min_evals=44, cpus=1).models.query("status == 'done'")) == 2


def test_run_here_and_refit_are_one_code_path(tmp_path):
    """A run that finds its spectra does what a refit does: the same file, and a row of the log that says so."""
    models = write_zoo(tmp_path)
    catalog = catalog_of_paths(models)
    for name in ("run", "refit"):
        run_here(catalog, tmp_path / name)
    run_here(catalog, tmp_path / "run", CHOICES["full"])
    summary = refit_here(tmp_path / "refit", CHOICES["full"])
    assert published(tmp_path / "run") == published(tmp_path / "refit")
    rows = open_results([tmp_path / "refit"], summary.config).rows("FROM attempts")
    assert [row["reused_spectra"] for row in rows] == [True] * 3
    assert all(row["seconds_fetch"] is None and row["seconds_spectra"] is None for row in rows)
    assert pq.read_table(next((tmp_path / "refit" / "layers" / "v1").iterdir())).num_rows in (2, 9)

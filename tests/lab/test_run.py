"""An experiment from its settings to its tables: the same bytes every time, nothing twice, nothing lost."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

from analysis.opening.results import open_results
from pipeline.execution.mapped import Mapped, map_serially
from pipeline.execution.serial import run_serially
from setol_zoo.lab.errors import DataError, SettingError
from setol_zoo.lab.lab_tables import Tables
from setol_zoo.lab.run import LabRequest, LabSummary, run_experiment
from setol_zoo.lab.setting import Setting
from setol_zoo.lab.stored import read_all_tables, read_tables, write_tables

ROOT = Path(__file__).parents[2]

SMALL = {"data": "digits", "widths": (60,), "max_epochs": 3}
SETTINGS = (
    Setting(**SMALL, learning_rate=0.1),
    Setting(**SMALL, learning_rate=0.2),
    Setting(**SMALL, learning_rate=1e30),
)

KILLED = """
import os, signal, sys
from pathlib import Path
from setol_zoo.lab import trained
from tests.lab.test_run import SETTINGS, ran
train = trained.train
def killed(setting, data):
    for state in train(setting, data):
        if setting == SETTINGS[1] and state.epoch == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        yield state
trained.train = killed
ran(Path(sys.argv[1]))
"""


class Quiet:
    """Keeps what it is told of."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int, int]] = []
        self.done: list[str] = []

    def begin(self, what: str, there: int, missing: int) -> None:
        self.begun.append((what, there, missing))

    def finished(self, name: str, done: Mapped[Any, Any]) -> None:
        self.done.append(name)

    def planned(self, *_: object) -> None:
        pass


class Silent:
    """Is told of weight files, and says nothing."""

    def planned(self, *_: object) -> None:
        pass

    def finished(self, *_: object) -> None:
        pass


def ran(
    results: Path, settings: Sequence[Setting] = SETTINGS, mapper: Any = map_serially, progress: Quiet | None = None
) -> LabSummary:
    request = LabRequest("small", "small", tuple(settings), results, results.parent / "cache", mapper, run_serially)
    return run_experiment(request, progress or Quiet(), Silent())


def digests(results: Path) -> dict[str, str]:
    """Of all files but the log, and the journals, which are named by the time."""
    folders = ("trained", "spectra", "layers", "truncated", "lab")
    paths = [path for folder in folders for path in sorted((results / folder).rglob("*")) if path.is_file()]
    return {str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab") / "r"
    summary = ran(folder)
    assert (summary.trained, summary.reused, summary.failures) == (3, 0, ())
    assert summary.diverged == (SETTINGS[2].name,)
    assert summary.analysis is not None and summary.analysis.failures == ()
    return folder


def test_a_killed_run_goes_on_to_the_same_bytes(results: Path, tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "r"], cwd=ROOT, capture_output=True, check=False)
    assert killed.returncode == -9, killed.stderr.decode()
    assert not (tmp_path / "r" / "lab").exists()
    progress = Quiet()
    summary = ran(tmp_path / "r", progress=progress)
    assert progress.begun == [("train", 1, 2), ("truncate", 0, 3)]
    assert (summary.trained, summary.reused, summary.failures) == (2, 1, ())
    assert {name: digest for name, digest in digests(tmp_path / "r").items() if "/." not in name} == digests(results)


def test_what_is_there_is_not_computed_again(results: Path) -> None:
    def refuses(*_: object) -> Iterator[Mapped[Any, Any]]:
        pytest.fail("called")

    before = digests(results)
    summary = ran(results, mapper=refuses)
    assert (summary.trained, summary.reused) == (0, 3)
    assert summary.analysis is not None and summary.analysis.computed == 0
    assert digests(results) == before


def test_the_tables_have_a_row_a_state_and_one_for_divergence(results: Path) -> None:
    tables = read_tables("small", results)
    networks = tables.networks.to_pylist()
    assert [(row["learning_rate"], row["epoch"], row["last"], row["end"]) for row in networks] == [
        *((0.1, epoch, epoch == 3, "max_epochs" if epoch == 3 else None) for epoch in range(4)),
        *((0.2, epoch, epoch == 3, "max_epochs" if epoch == 3 else None) for epoch in range(4)),
        *((1e30, epoch, epoch == 1, "diverged" if epoch == 1 else None) for epoch in range(2)),
    ]
    first, last, lost = networks[0], networks[3], networks[-1]
    assert (first["widths"], first["params"], first["n_train"], first["n_test"]) == ("60", 4510, 1212, 450)
    assert lost["test_error"] is lost["train_loss"] is lost["weights_sha256"] is None
    path = results / "trained" / "v1" / last["training"] / "epoch-0003.safetensors"
    assert last["weights_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    cut = [row["epoch"] for row in networks if row["ecs_test_error"] is not None]
    assert cut == [1, 2, 3, 1, 2, 3]  # powers of two, and the last; the untrained are not cut
    layers = tables.layers.to_pylist()
    assert [(row["training"], row["epoch"], row["layer"]) for row in layers] == [
        (row["training"], row["epoch"], layer)
        for row in networks
        if row["end"] != "diverged"
        for layer in ("fc1", "out")
    ]
    wanted = next(row for row in layers if row["epoch"] == 3)
    assert wanted["status"] == "ok"
    assert all(wanted[name] is not None for name in ("alpha", "erg_delta", "n_traps", "phase", "log_q2_free_cauchy"))
    assert {row["reason"] for row in layers if row["layer"] == "out"} == {"too_few_eigenvalues"}


def test_correlations_see_each_network_once(results: Path) -> None:
    opened = open_results(results)
    scored = opened.rows("SELECT name, score, n_test, family, recipe FROM scored_models ORDER BY name")
    assert [row["name"] for row in scored] == [f"{setting.name} epoch3" for setting in SETTINGS[:2]]
    assert {(row["family"], row["n_test"]) for row in scored} == {("digits mlp-60", 450)}
    (counts,) = opened.rows('SELECT count(*) AS n, count(DISTINCT model) AS models FROM scores WHERE NOT "primary"')
    assert counts == {"n": 16, "models": 9}  # train errors of all nine, test errors of the seven that are not last


def test_a_network_that_fails_costs_the_others_nothing(tmp_path: Path) -> None:
    def fails(function: Any, items: Sequence[Any]) -> Iterator[Mapped[Any, Any]]:
        yield from map_serially(function, items[1:])
        yield Mapped(items[0], error="its worker crashed or was killed. Run the same command to try again.")

    summary = ran(tmp_path / "r", SETTINGS[:2], fails)
    told = [(each.name, each.what) for each in summary.failures]
    assert told == [(SETTINGS[0].name, "train"), (SETTINGS[1].name, "truncate")]
    assert set(read_tables("small", tmp_path / "r").networks["learning_rate"].to_pylist()) == {0.2}
    again = ran(tmp_path / "r", SETTINGS[:2])
    assert (again.trained, again.reused, again.failures) == (1, 1, ())


def test_what_does_not_go_together_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    def refuses(*_: object) -> Iterator[Mapped[Any, Any]]:
        pytest.fail("called")

    pooled = Setting(data="digits", architecture="cnn", widths=(4, 4, 4, 4, 8))
    with pytest.raises(SettingError, match="need images of at least 16 x 16 for 4 poolings by 2; got 8 x 8 of digits"):
        ran(tmp_path / "r", (SETTINGS[0], pooled), refuses)
    batch = Setting(data="digits", batch_size=2000)
    with pytest.raises(SettingError, match="need at least one batch of 2000; 1212 of 1,347 training examples"):
        ran(tmp_path / "r", (SETTINGS[0], batch), refuses)
    with pytest.raises(DataError, match="unknown data set 'digit'; nearest: digits"):
        ran(tmp_path / "r", (Setting(data="digit"),), refuses)


def test_a_training_in_two_experiments_counts_once(results: Path, tmp_path: Path) -> None:
    whole = read_tables("small", results)
    first = pc.equal(whole.networks["learning_rate"], 0.1)
    (training,) = set(whole.networks.filter(first)["training"].to_pylist())
    part = Tables(whole.networks.filter(first), whole.layers.filter(pc.equal(whole.layers["training"], training)))
    write_tables("small", whole, tmp_path)
    write_tables("part", part, tmp_path)
    both = read_all_tables(["part", "small"], tmp_path)
    assert both.networks.equals(whole.networks) and both.layers.equals(whole.layers)


def test_what_was_damaged_is_made_anew_or_told(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results, tmp_path / "r")
    before = digests(results)
    for damaged in (*(tmp_path / "r" / "truncated").rglob("*.parquet"), *(tmp_path / "r" / "lab").iterdir()):
        damaged.write_bytes(damaged.read_bytes()[:-20])
    assert ran(tmp_path / "r").failures == ()
    assert digests(tmp_path / "r") == before
    told = tmp_path / "r" / "trained" / "v1" / SETTINGS[0].id
    (told / "epochs.parquet").write_bytes(b"")
    with pytest.raises(SettingError, match=f"epochs.parquet cannot be read: .*Remove {told}, and the same command"):
        ran(tmp_path / "r")


def test_damaged_tables_are_told(results: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no tables of the experiment small come with the package"):
        read_tables("small")
    (tmp_path / "lab").mkdir()
    whole = (results / "lab" / "small-networks.parquet").read_bytes()
    (tmp_path / "lab" / "small-networks.parquet").write_bytes(whole[:-20])
    with pytest.raises(SettingError, match=r"small-networks\.parquet cannot be read: .*The same `setol lab run small`"):
        read_tables("small", tmp_path)

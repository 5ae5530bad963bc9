"""Any prefix of the file writes of a run, then the same run again: the same files as if nothing had happened."""

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from analysis import open_results
from catalogs import Catalog, load_catalog
from pipeline.display.summary import RunSummary
from pipeline.drive import RunRequest, drive
from pipeline.execution.serial import run_serially
from pipeline.options import Options
from pipeline.store.folder import ResultsFolder
from pipeline.store.storage import Store
from tests.conftest import Silent

N_MODELS = 2
N_WRITES = 3 + 3 * N_MODELS
"""Models, scores and options, then the spectra, the metrics and the attempt of each model."""

HOW = ("killed before", "killed within", "killed after", "full from there on", "not acknowledged")


class Killed(BaseException):
    """The process is no more: nothing catches this."""


@dataclass(frozen=True, slots=True)
class Interruption:
    """What happens at a write of a run; the first write is 0."""

    at: int
    how: str


@contextmanager
def interrupted(by: Interruption) -> Iterator[list[str]]:
    """Let it happen to the next run in this process; gives the names of all files that it set out to write."""
    put = Store.put
    names: list[str] = []

    def disturbed(self: Store, content: bytes, name: str) -> None:
        names.append(name)
        number = len(names) - 1
        if by.how == "full from there on" and number >= by.at:
            raise OSError(errno.ENOSPC, "No space left on device")
        if number != by.at:
            put(self, content, name)
            return
        if by.how == "killed within":
            place = Path(str(self.where)) / name
            (place.parent / f".{place.name}.{uuid.uuid4().hex}.tmp").write_bytes(content[: len(content) // 2])
        elif by.how != "killed before":
            put(self, content, name)
        if by.how == "not acknowledged":
            raise OSError(errno.ETIMEDOUT, "Connection timed out")
        raise Killed

    Store.put = disturbed  # type: ignore[method-assign]
    try:
        yield names
    finally:
        Store.put = put  # type: ignore[method-assign]


def run(catalog: Catalog, folder: Path, order: tuple[int, ...] = ()) -> RunSummary:
    """Run a catalog in this process, its units in the given order of their places in it."""
    places = {file.model: place for place, file in enumerate(catalog.files)}

    def execute(units, job):
        return run_serially(sorted(units, key=lambda unit: order and order.index(places[unit.file.model])), job)

    request = RunRequest(catalog, ResultsFolder(folder), folder / "no-cache", Options(), device="cpu")
    return drive(request, execute, Silent())


@pytest.fixture(scope="module")
def catalog(tmp_path_factory) -> Catalog:
    """Tiny models with a score each."""
    folder = tmp_path_factory.mktemp("zoo")
    generator = torch.Generator().manual_seed(5)
    lines = ["model,dataset,metric,value,unit"]
    for number in range(N_MODELS):
        save_file({"fc.weight": torch.randn(60 + number, 55, generator=generator)}, folder / f"m{number}.safetensors")
        lines.append(f"path:m{number}.safetensors,toys,acc@1,{90 + number},percent")
    (folder / "catalog.csv").write_text("\n".join(lines) + "\n")
    return load_catalog(folder)


@dataclass(frozen=True, slots=True)
class State:
    """What a results folder says, times and hosts apart."""

    results: dict[str, bytes]
    models: list[dict]
    scores: list[dict]
    options: frozenset[str]


def state(folder: Path) -> State:
    results = {
        str(path.relative_to(folder)): path.read_bytes()
        for stage in ("spectra/v1", "layers/v1")
        for path in (folder / stage).iterdir()
        if not path.name.startswith(".")
    }
    opened = open_results(folder)
    assert not opened.rows("FROM failures")
    models = sorted(opened.rows("FROM models"), key=lambda row: row["model"])
    scores = sorted(opened.rows("FROM scores"), key=lambda row: row["model"])
    return State(results, models, scores, frozenset(ResultsFolder(folder).options()))


@pytest.fixture(scope="module")
def undisturbed(catalog, tmp_path_factory) -> State:
    folder = tmp_path_factory.mktemp("undisturbed")
    with interrupted(Interruption(-1, "")) as names:
        assert run(catalog, folder).computed == N_MODELS
    assert len(names) == N_WRITES
    return state(folder)


def check(catalog: Catalog, undisturbed: State, folder: Path, interruptions: list[Interruption], order) -> None:
    for each in interruptions:
        with interrupted(each), suppress(Killed, OSError):
            run(catalog, folder, order)
        visible = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
        assert {path.suffix for path in visible} <= {".parquet", ".json"}
    summary = run(catalog, folder)
    assert not summary.failures
    found = state(folder)
    assert found.results == undisturbed.results
    assert found.models == undisturbed.models
    assert found.scores == undisturbed.scores
    assert found.options == undisturbed.options
    again = run(catalog, folder)
    assert (again.computed, again.reused) == (0, N_MODELS)
    assert state(folder).results == undisturbed.results


@pytest.mark.parametrize("how", HOW)
def test_every_prefix_of_the_writes(catalog, undisturbed, tmp_path, how):
    for at in range(N_WRITES):
        check(catalog, undisturbed, tmp_path / str(at), [Interruption(at, how)], order=())


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    interruptions=st.lists(
        st.builds(Interruption, st.integers(0, N_WRITES - 1), st.sampled_from(HOW)), min_size=1, max_size=4
    ),
    order=st.permutations(range(N_MODELS)).map(tuple),
)
def test_one_interruption_after_the_other(catalog, undisturbed, tmp_path_factory, interruptions, order):
    check(catalog, undisturbed, tmp_path_factory.mktemp("run"), interruptions, order)


def test_a_file_that_a_killed_run_left_half_written_goes_after_an_hour(catalog, undisturbed, tmp_path):
    with interrupted(Interruption(3, "killed within")) as names, pytest.raises(Killed):
        run(catalog, tmp_path)
    (left,) = tmp_path.rglob(".*.tmp")
    assert left.name.startswith(f".{Path(names[-1]).name}.")
    run(catalog, tmp_path)
    assert left.exists()  # another run may be writing it
    os.utime(left, (0, 0))
    run(catalog, tmp_path)
    assert not list(tmp_path.rglob(".*.tmp"))
    assert state(tmp_path).results == undisturbed.results

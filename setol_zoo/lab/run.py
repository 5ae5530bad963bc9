"""An experiment from its settings to its tables; what is in the results folder already is not computed again.

Train what is missing, run the ordinary pipeline on every state that was kept, cut some of them, tabulate.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol

import torch

from analysis.opening.results import open_results
from pipeline.display.summary import Executor, Reporter, RunSummary
from pipeline.drive import RunRequest, drive
from pipeline.execution.mapped import Mapped
from pipeline.options import MetricOptions, Options, SpectrumOptions
from pipeline.store.folder import ResultsFolder
from setol_zoo.lab.catalog import catalog_of
from setol_zoo.lab.cut_errors import CutErrors, cut_errors, cut_into
from setol_zoo.lab.data import DataSet, load
from setol_zoo.lab.experiments import CALLED
from setol_zoo.lab.lab_tables import Tables
from setol_zoo.lab.networks import build
from setol_zoo.lab.setting import Setting
from setol_zoo.lab.stored import write_tables
from setol_zoo.lab.tabulate import tables_of
from setol_zoo.lab.trained import Trained, remove_leftovers, train_into, trained
from setol_zoo.lab.training import count_used

OPTIONS = Options(SpectrumOptions(permutations=1), MetricOptions(detail="full"))
"""Everything that the claims look at: traps by permuted entries, phases, layer qualities."""

Mapper = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Mapped[Any, Any]]]
"""Calls a function on each item, wherever: `map_serially` and `map_on_ray` of `pipeline.execution`."""


class Progress(Protocol):
    """Told what happens while it happens."""

    def begin(self, what: str, there: int, missing: int) -> None:
        """So many networks are to be worked on, and so many are done already."""

    def finished(self, name: str, done: Mapped[Any, Trained]) -> None:
        """One of them has come to its end."""


@dataclass(frozen=True, slots=True)
class LabRequest:
    """What is to be run.

    Attributes:
        experiment: Its name, which the tables bear.
        asked: The words behind `setol lab run` that ask for the same networks; the results folder keeps them.
        settings: The networks.
        results: The results folder, of this machine.
        cache: Where data sets are kept.
        map: Calls the trainings.
        execute: Works on the weight files.
    """

    experiment: str
    asked: str
    settings: tuple[Setting, ...]
    results: Path
    cache: Path
    map: Mapper
    execute: Executor


@dataclass(frozen=True, slots=True)
class NetworkFailure:
    """A network that could not be trained or cut, and why."""

    name: str
    what: str
    error: str


@dataclass(frozen=True, slots=True)
class LabSummary:
    """What became of a run.

    Attributes:
        trained: Networks that were trained.
        reused: Networks that were there already.
        diverged: Names of those, old and new, whose loss did not stay finite.
        failures: Trainings and truncations that came to nothing; the same command tries them again.
        analysis: What the pipeline did with the states that were kept; None where there are none.
        tables: The files that were written.
    """

    trained: int
    reused: int
    diverged: tuple[str, ...]
    failures: tuple[NetworkFailure, ...]
    analysis: RunSummary | None
    tables: tuple[Path, ...]


def missing_of(settings: Sequence[Setting], results: Path) -> tuple[Setting, ...]:
    """The networks that are not trained yet."""
    return tuple(setting for setting in settings if trained(results, setting) is None)


def run_experiment(request: LabRequest, progress: Progress, reporter: Reporter) -> LabSummary:
    """Bring a results folder up to date with an experiment.

    Args:
        request: What to run.
        progress: Told of trainings and truncations.
        reporter: Told of weight files.

    Raises:
        DataError: The data set cannot be had.
        SettingError: A network and the data set do not go together; nothing is trained.
        FolderError: The results folder cannot be written to.
    """
    ResultsFolder(request.results).prepare()
    data = {name: load(name, request.cache) for name in dict.fromkeys(each.data for each in request.settings)}
    check_settings(request.settings, data)
    remove_leftovers(request.results)
    missing = missing_of(request.settings, request.results)
    progress.begin("train", len(request.settings) - len(missing), len(missing))
    failures = []
    for done in request.map(partial(_train, request.results, request.cache), missing) if missing else ():
        progress.finished(done.item.name, done)
        if done.error is not None:
            failures.append(NetworkFailure(done.item.name, "train", done.error))
        elif trained(request.results, done.item) is None:
            told = f"trained, but not found in {request.results}: every machine of a cluster has to see that folder."
            failures.append(NetworkFailure(done.item.name, "train", told))
    found = [each for setting in request.settings if (each := trained(request.results, setting)) is not None]
    diverged = tuple(each.setting.name for each in found if each.epochs[-1].end == "diverged")
    analysis, paths = None, tuple[Path, ...]()
    if found:
        catalog = catalog_of(f"{CALLED}{request.asked}", found, data)
        analysis = drive(
            RunRequest(catalog, ResultsFolder(request.results), request.cache, OPTIONS, "cpu", retry_failed=True),
            request.execute,
            reporter,
        )
        failures += _cut_missing(request, found, progress)
        paths = write_tables(request.experiment, _tables(request.results, found, analysis, data), request.results)
    reused = len(request.settings) - len(missing)
    return LabSummary(len(found) - reused, reused, diverged, tuple(failures), analysis, paths)


def check_settings(settings: Sequence[Setting], data: Mapping[str, DataSet]) -> None:
    """Make sure that networks can be trained on their data sets.

    Args:
        settings: The networks.
        data: The data sets by name.

    Raises:
        SettingError: One cannot.
    """
    for setting in settings:
        count_used(setting, data[setting.data])
    for setting in {(each.group, each.trained): each for each in settings}.values():
        own = data[setting.data]
        build(setting, own.train.images.shape[1:], own.n_classes, torch.Generator())


def _cut_missing(request: LabRequest, found: Sequence[Trained], progress: Progress) -> list[NetworkFailure]:
    missing = [each for each in found if cut_errors(request.results, each) is None]
    progress.begin("truncate", len(found) - len(missing), len(missing))
    failures = []
    for done in request.map(partial(_cut, request.results, request.cache), missing) if missing else ():
        progress.finished(done.item.setting.name, done)
        if done.error is not None:
            failures.append(NetworkFailure(done.item.setting.name, "truncate", done.error))
    return failures


def _tables(results: Path, found: Sequence[Trained], analysis: RunSummary, data: Mapping[str, DataSet]) -> Tables:
    cuts: dict[str, Sequence[CutErrors]] = {each.setting.id: cut_errors(results, each) or () for each in found}
    return tables_of(found, open_results(results, OPTIONS.config), analysis.renamed, cuts, data)


def _train(results: Path, cache: Path, setting: Setting) -> Trained:
    with _one_thread():
        return train_into(results, setting, _data(setting.data, cache))


def _cut(results: Path, cache: Path, training: Trained) -> None:
    with _one_thread():
        cut_into(results, training, _data(training.setting.data, cache))


@lru_cache(maxsize=1)
def _data(name: str, cache: Path) -> DataSet:
    """A data set, once a process."""
    return load(name, cache)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums of several threads come out in several orders; one gives the same bits every time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

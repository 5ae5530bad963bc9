"""What there is to do: weight files and what is finished, to units of work. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from catalogs import WeightFile
from catalogs.identity import fit_id, layouts_of, spectra_id
from pipeline.options import Options
from pipeline.store.damage import Damage


@dataclass(frozen=True, slots=True)
class Unit:
    """One weight file to work on.

    Attributes:
        file: The catalog row; of several names for one content, the first.
        weights_sha256: The content.
        spectra_id: Name of its spectra.
        fit_id: Name of its metrics.
    """

    file: WeightFile
    weights_sha256: str
    spectra_id: str
    fit_id: str

    @property
    def cost(self) -> int:
        """What the work is taken to grow with: the file's size in bytes."""
        return self.file.size or 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do.

    Attributes:
        files: All weight files, two names of one content included.
        units: To be worked on, largest first, so that none is left to run alone at the end.
        finished: Units whose spectra and metrics are there already.
        held_back: Units that failed before for a reason that trying again does not mend.
        damaged: Files of results that cannot be read, and count as missing.
        notes: Lines on models that are known by another key, or have changed.
    """

    files: tuple[WeightFile, ...]
    units: tuple[Unit, ...]
    finished: tuple[Unit, ...]
    held_back: tuple[Unit, ...]
    damaged: tuple[Damage, ...] = ()
    notes: tuple[str, ...] = ()


def make_plan(
    files: Sequence[WeightFile],
    options: Options,
    *,
    finished: Collection[str],
    failed: Collection[str],
) -> Plan:
    """Sort weight files into what is done, what is to do, and what is not tried again.

    Args:
        files: Weight files of known content (`weights_sha256` is set); one content under two names is one unit.
        options: How spectra are made and metrics computed.
        finished: Ids of the spectra and fits that are there.
        failed: Fit ids not to be tried again.
    """
    units: dict[str, Unit] = {}
    content = options.content
    laid_out = layouts_of((file.weights_sha256, file.layout) for file in files)
    for file in files:
        assert file.weights_sha256 is not None, f"{file.model} was not identified"
        sha256 = file.weights_sha256
        layout = laid_out.get(sha256)
        if file.layout != layout:
            continue  # the same content under another name, where the architecture is known
        unit = Unit(file, sha256, spectra_id(sha256, content, layout), fit_id(sha256, content, layout))
        units.setdefault(unit.fit_id, unit)
    done = {unit.fit_id for unit in units.values() if unit.spectra_id in finished and unit.fit_id in finished}
    todo = [unit for unit in units.values() if unit.fit_id not in done and unit.fit_id not in failed]
    return Plan(
        files=tuple(files),
        units=tuple(sorted(todo, key=lambda unit: -unit.cost)),
        finished=tuple(unit for unit in units.values() if unit.fit_id in done),
        held_back=tuple(unit for unit in units.values() if unit.fit_id in failed and unit.fit_id not in done),
    )

"""How often results were looked at, and how many tests that made: what a p-value below .05 has to be weighed against.

Each look is a file in the results folder, `looks/<hash of what was chosen>.json`: the same look counts once. Nothing
else reads them, they hold no time and no name, and a folder that cannot be written to costs a look nothing.
"""

import json
import os
import re
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from catalogs import counted
from catalogs.places import Where

_FOLDER = "looks"
_NAME = re.compile(r"[0-9a-f]{16}\.json")
_LARGEST = 1_000_000
"""Bytes of a file above which it is none of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was chosen when results were looked at, and the tests that came of it.

    Attributes:
        command: Which: `correlate`, `regress`, `sensitivity`, `report`.
        metrics: The metrics asked about.
        dataset: The only data set; None for all.
        family: The only family; None for all.
        options: What else was chosen, by name.
        tests: Tests that were made: p-values or intervals that somebody may read.
    """

    command: str
    metrics: tuple[str, ...]
    dataset: str | None = None
    family: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    tests: int

    @property
    def name(self) -> str:
        """A hash of all but the tests; the order of metrics and options is none of its business."""
        chosen = [self.command, sorted(set(self.metrics)), self.dataset, self.family, sorted(self.options.items())]
        return sha256(json.dumps(chosen).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Selections:
    """The looks at some results.

    Attributes:
        looks: How many, each choice once.
        tests: Tests in all of them.
        noted: Whether all were counted; False where this look could not be noted, so earlier ones may not have been.
    """

    looks: int
    tests: int
    noted: bool

    def __str__(self) -> str:
        made = f"{counted(self.tests, 'test')} in "
        if self.noted:
            made += f"{counted(self.looks, 'look')} at these results"
        else:
            known = "this look" if self.looks == 1 else f"the {counted(self.looks, 'look')} that are known of"
            made += f"{known}; other looks are not counted, as only those at results that can be written to are noted"
        chance = (
            f"; about {self.tests / 20:,.0f} of them would have p below .05 by chance alone" if self.tests >= 20 else ""
        )
        return f"{made}{chance}."


def note(folders: Sequence[Where], look: Look) -> Selections:
    """Note a look, and count those there were, this one among them. Never fails.

    Args:
        folders: The results that were looked at.
        look: What was chosen.
    """
    local = [folder for folder in folders if isinstance(folder, Path)]
    kept = [_keep(folder / _FOLDER, look) for folder in local]
    tests = {look.name: look.tests}
    for folder in local:
        for name, made in _kept(folder / _FOLDER).items():
            tests[name] = max(made, tests.get(name, 0))
    return Selections(len(tests), sum(tests.values()), noted=len(local) == len(folders) and all(kept))


def selections(folders: Sequence[Where]) -> Selections:
    """The looks that were noted so far."""
    tests: dict[str, int] = {}
    for folder in folders:
        if isinstance(folder, Path):
            for name, made in _kept(folder / _FOLDER).items():
                tests[name] = max(made, tests.get(name, 0))
    return Selections(len(tests), sum(tests.values()), noted=all(isinstance(folder, Path) for folder in folders))


def _keep(folder: Path, look: Look) -> bool:
    """Whether a look is noted (now, or was before)."""
    path = folder / f"{look.name}.json"
    before = _tests(path)
    if before is not None and before >= look.tests:
        return True
    content = {
        "command": look.command,
        "metrics": sorted(set(look.metrics)),
        "dataset": look.dataset,
        "family": look.family,
        "options": dict(look.options),
        "tests": look.tests,
    }
    partial = folder / f".{look.name}.{uuid.uuid4().hex}.tmp"
    try:
        folder.mkdir(exist_ok=True)
        partial.write_text(json.dumps(content, indent=1, sort_keys=True), encoding="utf-8")
        os.replace(partial, path)
    except OSError:
        return False
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return True


def _kept(folder: Path) -> dict[str, int]:
    """The tests of each look; none of one that cannot be read, which was a look all the same."""
    try:
        names = [entry.name for entry in os.scandir(folder) if _NAME.fullmatch(entry.name)]
    except OSError:
        return {}
    return {name.removesuffix(".json"): _tests(folder / name) or 0 for name in names}


def _tests(path: Path) -> int | None:
    try:
        if path.stat().st_size > _LARGEST:
            return None
        tests = json.loads(path.read_bytes())["tests"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return tests if type(tests) is int and tests >= 0 else None

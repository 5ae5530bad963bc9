"""The one claim that was fixed in advance (`protocol.toml`), and whether what is looked at is that claim."""

import json
import tomllib
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, fields
from datetime import date
from enum import StrEnum
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import Any

from analysis.errors import AnalysisError
from analysis.statistics.records import FEWEST_TESTED
from catalogs import nearest

EXCLUSIONS = ("toy nets", "duplicates", "failed fits")
"""Models that may be left out, by kind; samples of a catalog leave out all three."""

TOYS = "toy"
"""The family that catalogs put toy nets in."""

_CHOICES = {
    "aggregation": ("mean", "median"),
    "better": ("smaller", "larger"),
    "statistic": ("partial tau within families",),
    "test": ("sign flip over families",),
    "exclude": EXCLUSIONS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A claim with all that has to be chosen to test it.

    Attributes:
        fixed: The day from which it holds.
        claim: It, in a sentence.
        catalog: The models it is about.
        pretrain: Their classes of pretraining.
        fewest_in_family: Models below which a family takes no part.
        exclude: Kinds of models that are left out, of `EXCLUSIONS`.
        metric: A column of layers.
        aggregation: How a model's number is made of it: `mean` or `median` over layers.
        dataset: What the score was measured on, with `split`.
        split: Part of the data set.
        score_metric: What was measured.
        controls: Columns that are held fixed.
        statistic: What is computed in each family.
        test: How its mean over families is tested.
        better: Whether the metric is claimed to be `smaller` or `larger` for better models.
        level: The two-sided p up to which the claim counts as shown.
    """

    fixed: date
    claim: str
    catalog: str
    pretrain: tuple[str, ...]
    fewest_in_family: int
    exclude: tuple[str, ...]
    metric: str
    aggregation: str
    dataset: str
    split: str
    score_metric: str
    controls: tuple[str, ...]
    statistic: str
    test: str
    better: str
    level: float

    @property
    def column(self) -> str:
        """The metric as a column of `scored_models`."""
        return f"{self.metric}_{self.aggregation}"

    @property
    def sha256(self) -> str:
        """The first 12 digits of the hash of all values (comments and order do not count)."""
        return sha256(json.dumps(asdict(self), sort_keys=True, default=str).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What is about to be tested, or was.

    Attributes:
        metric: A column of `scored_models`.
        dataset: What the score was measured on.
        split: Part of the data set.
        score_metric: What was measured.
        pretrain: The classes of pretraining of the models that take part; None where nothing is known of some.
        family: The only family that is looked at; None for all.
        fewest_in_family: Models below which a family takes no part.
        controls: Columns that are held fixed.
        exclude: Kinds of models that are left out, of `EXCLUSIONS`.
    """

    metric: str
    dataset: str
    split: str | None
    score_metric: str
    pretrain: Collection[str | None]
    family: str | None = None
    fewest_in_family: int = FEWEST_TESTED
    controls: tuple[str, ...] = ("log10_params",)
    exclude: tuple[str, ...] = EXCLUSIONS


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a test is the one that was fixed in advance.

    Attributes:
        primary: Whether it is.
        differences: In what it is another, a phrase each.
    """

    primary: bool
    differences: tuple[str, ...]

    def __str__(self) -> str:
        if self.primary:
            return "the primary claim"
        return f"exploratory ({'; '.join(self.differences)})"


class Outcome(StrEnum):
    """What a test says of the claim."""

    SHOWN = "shown"
    REVERSED = "the reverse is shown"
    NOT_SHOWN = "not shown"
    UNTESTED = "cannot be tested"


@cache
def protocol() -> Protocol:
    """The protocol that comes with the package."""
    file = resources.files("analysis").joinpath("protocol.toml")
    return read_protocol(file.read_text(encoding="utf-8"), "protocol.toml")


def read_protocol(text: str, file: str) -> Protocol:
    """A protocol from TOML.

    Args:
        text: The whole file.
        file: Its name, for messages.

    Raises:
        AnalysisError: It is no TOML, lacks a value, has an unknown one, or one of the wrong kind.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise AnalysisError(f"{file} cannot be read as TOML: {error}") from error
    known = {field.name: field.type for field in fields(Protocol)}
    problems = [_unknown(name, known) for name in found if name not in known]
    problems += [f"{name} is missing" for name in known if name not in found]
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
    for name, value in values.items():
        if name in known and (problem := _problem(name, value, known[name])):
            problems.append(f"{name} {problem}, got {found[name]!r}")
    if problems:
        raise AnalysisError(f"{file}: {'; '.join(problems)}")
    return Protocol(**values)


def excluded(families: Iterable[str | None]) -> tuple[str, ...]:
    """The kinds of models that are left out of a sample with these families.

    No duplicates are in a sample, and a model whose fits all failed has no number; toy nets are a family of a catalog.
    """
    return tuple(kind for kind in EXCLUSIONS if kind != "toy nets" or TOYS not in set(families))


def standing(fixed: Protocol, chosen: Chosen) -> Standing:
    """Whether a test is the primary claim or exploratory.

    That the models are those of the claim's catalog is judged by their pretraining and the score; a folder that has
    some of them only gives a test of the same claim with less power.
    """
    pairs = {
        "metric": (chosen.metric, fixed.column),
        "data set": (chosen.dataset, fixed.dataset),
        "split": (chosen.split or "unknown", fixed.split),
        "score": (chosen.score_metric, fixed.score_metric),
        "models per family": (f"at least {chosen.fewest_in_family}", f"at least {fixed.fewest_in_family}"),
        "pretraining": (_listed(chosen.pretrain), _listed(fixed.pretrain)),
        "controls": (_listed(chosen.controls), _listed(fixed.controls)),
        "left out": (_listed(chosen.exclude), _listed(fixed.exclude)),
    }
    differences = [f"{what} {is_now}, not {was}" for what, (is_now, was) in pairs.items() if is_now != was]
    if chosen.family is not None:
        differences.append(f"family {chosen.family} alone")
    return Standing(not differences, tuple(differences))


def outcome(fixed: Protocol, *, tau: float | None, p: float | None, higher_is_better: bool) -> Outcome:
    """What a mean tau over families, of the metric with the score as published, and its p say of the claim."""
    if tau is None or p is None:
        return Outcome.UNTESTED
    if p > fixed.level or tau == 0:
        return Outcome.NOT_SHOWN
    claimed = (fixed.better == "larger") == higher_is_better
    return Outcome.SHOWN if (tau > 0) == claimed else Outcome.REVERSED


def _unknown(name: str, known: Collection[str]) -> str:
    near = nearest(name, known)
    return f"unknown key {name!r}" + (f" (nearest: {', '.join(near)})" if near else "")


def _problem(name: str, value: Any, kind: Any) -> str | None:
    if kind is date:
        return None if type(value) is date else "needs a day such as 2026-11-22"
    if kind is int:
        fits = type(value) is int and value >= FEWEST_TESTED
        return None if fits else f"needs a whole number of at least {FEWEST_TESTED}"
    if kind is float:
        return None if type(value) is float and 0 < value < 1 else "needs a number between 0 and 1"
    several = value if isinstance(value, tuple) else (value,)
    if (kind is str) == isinstance(value, tuple) or not all(isinstance(one, str) and one.strip() for one in several):
        return "needs a text" if kind is str else "needs a list of texts"
    choices = _CHOICES.get(name)
    unknown = [one for one in several if choices and one not in choices]
    return f"needs {'one' if kind is str else 'some'} of {', '.join(choices or ())}" if unknown else None


def _listed(names: Collection[str | None]) -> str:
    return ", ".join(sorted({name or "unknown" for name in names})) or "none"

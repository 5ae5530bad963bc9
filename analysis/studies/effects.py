"""What one choice does to one metric: to the ranks of models, and to its tau with their scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from analysis.samples.choices import Choice
from analysis.samples.published import LEAST_FAMILY, Published
from analysis.statistics.pairs import FamilyPairs, Order, family_pairs
from analysis.statistics.records import FEWEST_TESTED, Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What one choice does to one metric.

    Taus over all models need 5 of them; "within families" is the unweighted mean of tau-b over families of at least 4.
    Ranks go from 1, the smallest value.

    Attributes:
        metric: Column of `layers`.
        choice: Name of the choice.
        n: Models that have the metric under it.
        n_lost: Models that have it by default and not under this choice.
        n_changed: Models whose number is another than by default.
        agreement: Tau of the ranking with that by default, all models together.
        agreement_within: The same within families.
        n_common: Models that have it both by default and under this choice, which are ranked.
        moved: How many places the model moves that moves most; None below 2 such models.
        moved_model: Its name.
        moved_from: Its rank by default.
        moved_to: Its rank under this choice.
        tau: With the score: within families, or over all models where none is large enough.
        n_scored: Models with both.
        n_families: Families that tau is a mean over; 0 where it is over all models.
        tau_all: With the score, all models together.
        change: `tau` less that by default on the same models.
    """

    metric: str
    choice: str
    n: int
    n_lost: int
    n_changed: int
    agreement: float | None
    agreement_within: float | None
    n_common: int
    moved: float | None
    moved_model: str | None
    moved_from: float | None
    moved_to: float | None
    tau: float | None
    n_scored: int
    n_families: int
    tau_all: float | None
    change: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The models that are ranked, which stand first in every column of values.

    Attributes:
        names: Shape (n,).
        pairs: Those of one family.
    """

    names: tuple[str, ...]
    pairs: FamilyPairs


@dataclass(frozen=True, slots=True, eq=False)
class Scoring:
    """The models with a score.

    Attributes:
        places: Where their values stand, -1 for models without, shape (n,).
        score: In the target's unit, finite.
        pairs: Those of one family.
        order: Of the score.
    """

    places: NDArray[np.int64]
    score: Vector
    pairs: FamilyPairs
    order: Order

    def column(self, values: Vector) -> Vector:
        """The values of these models, NaN for those without."""
        return np.append(values, np.nan)[self.places]


def ranking(names: Sequence[str], families: Sequence[str | None]) -> Ranking:
    """Models and the series that each belongs to, None for none."""
    return Ranking(tuple(names), _pairs(families))


def scoring(scored: Published, place: dict[str, int]) -> Scoring:
    """Models with a score.

    Args:
        scored: The models.
        place: Where the values of each model stand, by its key; others have none.
    """
    places = np.array([place.get(model, -1) for model in scored.models], dtype=np.int64)
    pairs = _pairs(scored.families)
    return Scoring(places, scored.score, pairs, pairs.order(scored.score))


def effects(metric: str, found: Sequence[Choice], ranked: Ranking, scored: Scoring | None) -> list[Effect]:
    """Compare the choices with the first of them.

    Args:
        metric: Those that have none of its values are left out.
        found: Choices, the default first.
        ranked: The models that are ranked.
        scored: The models with a score, None for none.
    """
    default = found[0].values[metric]
    was = default[: len(ranked.names)]
    was_order = ranked.pairs.order(was)
    by_default = None if scored is None else _Default.of(scored, default)
    several = []
    for choice in found:
        if metric not in choice.values:
            continue
        values = choice.values[metric]
        now = values[: len(ranked.names)]
        common = np.isfinite(now) & np.isfinite(was)
        large = ranked.pairs.sizes(was, now) >= LEAST_FAMILY
        move = _largest_move(was, now, common, ranked.names)
        score = _Agreement() if by_default is None else by_default.agreement(values)
        several.append(
            Effect(
                metric=metric,
                choice=choice.name,
                n=int(np.isfinite(now).sum()),
                n_lost=int((np.isfinite(was) & ~np.isfinite(now)).sum()),
                n_changed=int((now[common] != was[common]).sum()),
                agreement=_overall(was, now),
                agreement_within=_mean(ranked.pairs.taus(was_order, now)[large]),
                n_common=int(common.sum()),
                moved=move.places,
                moved_model=move.model,
                moved_from=move.rank_before,
                moved_to=move.rank_after,
                tau=score.tau,
                n_scored=score.n,
                n_families=score.n_families,
                tau_all=score.tau_all,
                change=score.change,
            )
        )
    return several


def _pairs(families: Sequence[str | None]) -> FamilyPairs:
    known = {name: code for code, name in enumerate(sorted({name for name in families if name is not None}))}
    return family_pairs(np.array([-1 if name is None else known[name] for name in families], np.int64), len(known))


def _mean(taus: Vector) -> float | None:
    known = taus[np.isfinite(taus)]
    return round(float(known.mean()), 12) if len(known) else None


def _overall(x: Vector, y: Vector) -> float | None:
    """Tau-b of all models together; None for too few, or where one of the two does not vary."""
    there = np.isfinite(x) & np.isfinite(y)
    x, y = x[there], y[there]
    if len(x) < FEWEST_TESTED or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return round(float(scipy.stats.kendalltau(x, y, method="asymptotic").statistic), 12)


@dataclass(frozen=True, slots=True)
class _Move:
    places: float | None = None
    model: str | None = None
    rank_before: float | None = None
    rank_after: float | None = None


def _largest_move(was: Vector, now: Vector, common: NDArray[np.bool_], names: Sequence[str]) -> _Move:
    """The model that moves most, the first of several; ranks are those among the models that have both."""
    places = np.flatnonzero(common)
    if len(places) < 2:
        return _Move()
    before, after = scipy.stats.rankdata(was[places]), scipy.stats.rankdata(now[places])
    most = int(np.argmax(np.abs(after - before)))
    moved = float(abs(after[most] - before[most]))
    if moved == 0:
        return _Move(0.0)
    return _Move(moved, names[places[most]], float(before[most]), float(after[most]))


@dataclass(frozen=True, slots=True)
class _Agreement:
    tau: float | None = None
    n: int = 0
    n_families: int = 0
    tau_all: float | None = None
    change: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Default:
    """How a metric agrees with the score by default."""

    scored: Scoring
    values: Vector
    order: Order
    within: bool

    @classmethod
    def of(cls, scored: Scoring, default: Vector) -> "_Default":
        values = scored.column(default)
        order = scored.pairs.order(values)
        large = scored.pairs.sizes(values) >= LEAST_FAMILY
        within = bool(np.isfinite(scored.pairs.taus(order, scored.order)[large]).any())
        return cls(scored, values, order, within)

    def agreement(self, values: Vector) -> _Agreement:
        """Tau of values with the score, and how it differs from that by default on the same models."""
        now, was, score = self.scored.column(values), self.values, self.scored.score
        both = np.isfinite(now) & np.isfinite(was)
        n, tau_all = int(np.isfinite(now).sum()), _overall(now, score)
        now_common, was_common = np.where(both, now, np.nan), np.where(both, was, np.nan)
        if not self.within:  # no family is large enough: all models together
            after, before = _overall(now_common, score), _overall(was_common, score)
            change = None if after is None or before is None else round(after - before, 12)
            return _Agreement(tau_all, n, 0, tau_all, change)
        pairs, of_score = self.scored.pairs, self.scored.order
        taus = pairs.taus(now, of_score)[pairs.sizes(now) >= LEAST_FAMILY]
        large = pairs.sizes(now_common) >= LEAST_FAMILY
        before_order = self.order if np.array_equal(was_common, was, equal_nan=True) else was_common
        change = _mean((pairs.taus(now_common, of_score) - pairs.taus(before_order, of_score))[large])
        return _Agreement(_mean(taus), n, int(np.isfinite(taus).sum()), tau_all, change)

"""Whether a metric is missing more often for good or for bad models, and what the missing ones could hide.

A metric that many layers or models lack says something about those that have it. If what is missing goes with the
score, the tau of the others is that of a selected sample; the bounds say how far off it could be at worst.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.errors import AnalysisError
from analysis.opening.results import METRICS as KNOWN_METRICS
from analysis.opening.results import Results
from analysis.samples.missing_layers import MissingLayers, Reason, missing_layers
from analysis.samples.published import LEAST_FAMILY, Published, of_dataset, published
from analysis.samples.sample import Target
from analysis.statistics.bounds import tau_bounds
from analysis.statistics.pairs import FamilyPairs, family_pairs
from analysis.statistics.permutation import permuted_scores
from analysis.statistics.records import FEWEST_TESTED, Vector
from catalogs import unknown_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What is missing of one metric, among the models with a score.

    Attributes:
        metric: Column of `layers`.
        n_models: Models with the score.
        n_models_missing: Those whose mean over layers is not known.
        model_reasons: Why, the most frequent first.
        n_layers: Layers of the finished ones that apply a map.
        n_layers_missing: Those that are not in the mean.
        layer_reasons: Why, the most frequent first.
        score_missing: Mean score of the models without the metric; None where all or none have it.
        score_there: Mean score of those that have it.
        association: Tau-b of the share of a model's layers that is missing (1 for a model without the metric) with the
            score: over pairs of one family, or over all where no family has 4 models.
        p: Of no association, two-sided, by permuting the scores of a family; exact where there are few orders.
        reason: Why there is no `association`.
        tau: Tau-b of the mean with the score where it is known: mean over families of at least 4 models, or over all.
        low: The smallest that any values of the missing models could make of it; attained by some.
        high: The largest.
    """

    metric: str
    n_models: int
    n_models_missing: int
    model_reasons: tuple[Reason, ...]
    n_layers: int
    n_layers_missing: int
    layer_reasons: tuple[Reason, ...]
    score_missing: float | None
    score_there: float | None
    association: float | None
    p: float | None
    reason: str | None
    tau: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Missingness:
    """What is missing of all metrics.

    Attributes:
        target: The score; None where no model has one.
        n_families: Families of at least 4 models, which are looked at alone; 0 where all models are taken together.
        metrics: A row each.
    """

    target: Target | None
    n_families: int
    metrics: tuple[Missing, ...]


def missingness(
    results: Results,
    *,
    metrics: Sequence[str],
    dataset: str | None = None,
    generator: np.random.Generator,
    draws: int = 999,
) -> Missingness:
    """Look for what is missing, and whether it goes with the score.

    Args:
        results: Open results.
        metrics: Columns of `layers`.
        dataset: What the scores were measured on; by default the one with most models in families of at least 4.
        generator: Draws permutations.
        draws: How many, unless there are so few orders that all are gone through.

    Raises:
        AnalysisError: A metric or data set is unknown.
    """
    for metric in metrics:
        if metric not in KNOWN_METRICS:
            raise AnalysisError(unknown_name("metric", metric, KNOWN_METRICS))
    scored = of_dataset(published(results), dataset)
    if scored is None:
        return Missingness(target=None, n_families=0, metrics=())
    metrics = tuple(dict.fromkeys(metrics))
    blocks, n_families = _blocks(scored.families)
    columns = missing_layers(results, scored, metrics)
    found = _associations(np.column_stack([each.share for each in columns]), scored.score, blocks, generator, draws)
    judged = zip(columns, *found, strict=True)
    return Missingness(
        target=scored.target,
        n_families=n_families,
        metrics=tuple(_missing(column, scored, blocks, n_families, tau, p) for column, tau, p in judged),
    )


def missing_headline(found: Missingness) -> str | None:
    """One sentence: how much is missing at most, and whether it goes with the score. None where nothing can be said.

    Args:
        found: What is missing.
    """
    there = [each for each in found.metrics if each.n_layers or each.n_models_missing]
    if not there:
        return None
    most = max(there, key=lambda each: (each.n_models_missing, each.n_layers_missing))
    if not most.n_models_missing and not most.n_layers_missing:
        return "Missing: nothing; every model with a score has every metric, of every layer."
    said = f"Missing: {most.metric} of {most.n_models_missing} of {most.n_models} models with a score"
    if most.n_layers:
        said += f", and of {most.n_layers_missing / most.n_layers:.0%} of the layers"
    if most.association is None or most.p is None:
        return f"{said}; whether that goes with the score cannot be judged ({most.reason})."
    goes = "goes with the score" if most.p <= _LIKELY_CHANCE else "is not seen to go with the score"
    return f"{said}; that {goes} (tau = {most.association:.2f}, p = {most.p:.2g})."


_LIKELY_CHANCE = 0.05


def _blocks(families: Sequence[str | None]) -> tuple[NDArray[np.int64], int]:
    """Codes of the families of at least 4 models, -1 for other models; all models as one where there is no such."""
    sizes: dict[str, int] = {}
    for name in families:
        if name is not None:
            sizes[name] = sizes.get(name, 0) + 1
    large = sorted(name for name, size in sizes.items() if size >= LEAST_FAMILY)
    if not large:
        return np.zeros(len(families), dtype=np.int64), 0
    place = {name: code for code, name in enumerate(large)}
    return np.array([-1 if name is None else place.get(name, -1) for name in families], dtype=np.int64), len(large)


def _associations(
    shares: Vector, score: Vector, blocks: NDArray[np.int64], generator: np.random.Generator, draws: int
) -> tuple[list[float | None], list[float | None]]:
    """Tau-b over pairs of one block, and its p, of each column of shares; None where nothing varies in any block."""
    if len(score) < FEWEST_TESTED:
        return [None] * shares.shape[1], [None] * shares.shape[1]
    different, which = np.unique(shares, axis=1, return_inverse=True)
    which = which.reshape(-1)  # numpy 2.0 alone gives it two axes
    pairs = _pairs(blocks)
    of_score = pairs.order(score)
    pooled = [pairs.counts(column, of_score).pooled for column in different.T]
    permuted = np.abs(permuted_scores(different, score, blocks, generator=generator, draws=draws))
    shown = [None if tau is None else round(tau, 12) for tau in pooled]
    ps = [float((column >= column[0] - 1e-9 * (1 + column[0])).mean()) for column in permuted.T]
    return [shown[place] for place in which], [None if shown[place] is None else ps[place] for place in which]


def _pairs(blocks: NDArray[np.int64]) -> FamilyPairs:
    return family_pairs(blocks, int(blocks.max(initial=-1)) + 1)


def _missing(
    column: MissingLayers,
    scored: Published,
    blocks: NDArray[np.int64],
    n_families: int,
    association: float | None,
    p: float | None,
) -> Missing:
    there = np.isfinite(column.mean)
    n_missing = int((~there).sum())
    mixed = 0 < n_missing < len(there)
    tau, low, high = _bounded(column.mean, scored.score, blocks, LEAST_FAMILY if n_families else FEWEST_TESTED)
    return Missing(
        metric=column.metric,
        n_models=len(there),
        n_models_missing=n_missing,
        model_reasons=column.model_reasons,
        n_layers=column.n_layers,
        n_layers_missing=sum(each.n for each in column.layer_reasons),
        layer_reasons=column.layer_reasons,
        score_missing=float(scored.score[~there].mean()) if mixed else None,
        score_there=float(scored.score[there].mean()) if mixed else None,
        association=association,
        p=p,
        reason=None if association is not None else _why_not(len(there)),
        tau=tau,
        low=low,
        high=high,
    )


def _why_not(n: int) -> str:
    if n < FEWEST_TESTED:
        return f"{n} of at least {FEWEST_TESTED} models"
    return "the share that is missing, or the score, is the same for all that are compared"


def _bounded(
    mean: Vector, score: Vector, blocks: NDArray[np.int64], fewest: int
) -> tuple[float | None, float | None, float | None]:
    """Mean over blocks of tau-b where it is known, of its smallest and of its largest value."""
    pairs = _pairs(blocks)
    taus = np.where(pairs.sizes(mean) >= fewest, pairs.taus(mean, score), np.nan)
    lows, highs = taus.copy(), taus.copy()
    everyone = pairs.sizes()
    for code in np.flatnonzero((pairs.sizes(mean) < everyone) & (everyone >= fewest)):
        own = blocks == code
        bounds = tau_bounds(mean[own], score[own])
        if bounds.low is not None and bounds.high is not None:
            lows[code], highs[code] = bounds.low, bounds.high
    return _mean(taus), _mean(lows), _mean(highs)


def _mean(values: Vector) -> float | None:
    known = values[np.isfinite(values)]
    return round(float(known.mean()), 12) if len(known) else None

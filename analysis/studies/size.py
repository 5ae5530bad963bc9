"""Does a metric add anything to size? What every report says first.

Larger models of a series are nearly always better, and nearly every metric of weights follows size. So each metric is
asked three questions, all within families: does it still order models when size is held fixed (partial tau); are scores
of an unseen family predicted better with it than with size alone (left-out error); and, where size cannot play a part
because two models are one network trained differently, does it tell the better one (matched pairs)?
"""

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from analysis.errors import AnalysisError
from analysis.samples.sample import Sample
from analysis.statistics.left_out import left_out_error
from analysis.statistics.matched import MatchedPairs, matched_pairs
from analysis.statistics.partial import FamilyTaus, MeanTau, family_partial_taus, mean_tau, tau_difference
from analysis.statistics.permutation import max_t_sign_flip
from analysis.statistics.records import Vector
from analysis.statistics.within import demeaned
from analysis.studies.size_records import FEWEST_FAMILIES, Added, Adds, Baseline, FamilyLeftOut, SizeStudy
from analysis.studies.size_words import sentence

SIZE = "log10_params"

BASELINES = (SIZE, "depth")
"""Controls that a sample may lack; then nothing can be said."""

LIKELY_CHANCE = 0.05
"""The p above which what is seen is called chance."""

_ONE_SIZE = np.log10(1.01)
"""Difference of log10_params up to which two models of one architecture are of one size."""

_MOST_DRAWS, _FEWEST_DRAWS, _DRAWN = 1_999, 199, 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class _Taus:
    """Of one metric, by family of the whole sample: NaN where a family has none."""

    sample: Sample
    partial: FamilyTaus
    raw: Vector
    bent: Vector
    size: Vector


def size_study(
    sample: Sample, metrics: Sequence[str], *, controls: Sequence[str] = (SIZE,), seed: int = 0
) -> SizeStudy:
    """Ask of each metric what it adds to size.

    Args:
        sample: Models with one score. Columns named in `BASELINES` may be missing from it.
        metrics: Columns of it; those that are controls are left out.
        controls: What is held fixed: log10_params, or log10_params and depth.
        seed: Of resamples and signs. Numbers of a metric do not depend on which other metrics are asked for, but for
            `p_adjusted`.

    Raises:
        AnalysisError: There is no column of such a name, or nothing is to be held fixed.
    """
    if not controls:
        raise AnalysisError(f"what is to be held fixed is needed, such as {SIZE}; no control was named")
    asked = [metric for metric in dict.fromkeys(metrics) if metric not in controls]
    for name in (*asked, *(name for name in controls if name not in BASELINES)):
        sample.column(name)
    known = sample.where(sample.family_codes >= 0)
    there = np.ones(known.n, dtype=bool)
    for name in controls:
        there &= np.isfinite(known.columns.get(name, np.full(known.n, np.nan)))
    held = known.where(there)
    asked = asked if held.n else []
    taus = [_taus(held.complete(metric), metric, controls, held.family_names) for metric in asked]
    adjusted = _adjusted(taus, seed)
    rows = tuple(
        _row(sample, held, own, metric, controls, p, seed) for metric, own, p in zip(asked, taus, adjusted, strict=True)
    )
    baselines = tuple(_baseline(known, name, seed) for name in controls)
    return SizeStudy(
        target=sample.target,
        controls=tuple(controls),
        models=held.n,
        without_family=sample.n - known.n,
        without_controls=known.n - held.n,
        families=len(held.family_names),
        baselines=baselines,
        rows=rows,
        sentence=sentence(rows, baselines, _nothing_to_study(sample, known, held, baselines)),
    )


def _taus(sample: Sample, metric: str, controls: Sequence[str], names: Sequence[str]) -> _Taus:
    """Taus of each of the named families, of the models of the sample."""
    place = {name: index for index, name in enumerate(names)}
    codes = np.array([place[name] for name in sample.families if name is not None], dtype=np.int64)
    held = [sample.column(name) for name in controls]
    squares = [demeaned(column, codes, len(names)) ** 2 for column in held]
    values = sample.column(metric)
    partial = family_partial_taus(values, sample.score, codes, held)
    others = [
        family_partial_taus(values, sample.score, codes).values,
        family_partial_taus(values, sample.score, codes, [*held, *squares]).values,
        family_partial_taus(held[0], sample.score, codes).values,
    ]
    return _Taus(sample, partial, *(_padded(column, len(names)) for column in others))


def _padded(values: Vector, count: int) -> Vector:
    """The values with NaN for the last families, which no model of the metric is in."""
    return np.concatenate([values, np.full(count - len(values), np.nan)])


def _adjusted(taus: Sequence[_Taus], seed: int) -> list[float | None]:
    """The p of each metric's mean partial tau, adjusted for all of them."""
    if not taus:
        return []
    table = np.column_stack([_padded(own.partial.values, len(own.raw)) for own in taus])
    adjusted = max_t_sign_flip(table, generator=np.random.default_rng(seed), draws=_draws(len(table)))
    return [None if np.isnan(p) else float(p) for p in adjusted]


def _row(
    sample: Sample, held: Sample, own: _Taus, metric: str, controls: Sequence[str], adjusted: float | None, seed: int
) -> Added:
    generator = np.random.default_rng([seed, crc32(metric.encode())])
    names, models = held.family_names, own.sample
    draws = _draws(len(names))
    raw, partial, bent = (
        mean_tau(values, generator=generator, draws=draws) for values in (own.raw, own.partial.values, own.bent)
    )
    over_size, _ = tau_difference(own.raw, own.size, generator=generator, draws=draws)
    differences, scores = (
        left_out_error(
            models.column(metric),
            models.score,
            models.family_codes,
            [models.column(name) for name in controls],
            own_level=own_level,
            generator=generator,
            draws=draws,
        )
        for own_level in (True, False)
    )
    return Added(
        metric=metric,
        models=models.n,
        missing=held.n - models.n,
        raw=raw,
        partial=partial,
        p_adjusted=adjusted,
        bent=bent,
        over_size=over_size,
        differences=differences,
        scores=scores,
        matched=_matched(sample, metric, generator),
        left_out=tuple(
            FamilyLeftOut(names[one.family], one.models, one.too_small, one.reason) for one in own.partial.without
        ),
        verdict=_verdict(raw, partial, adjusted, bent),
    )


def _verdict(raw: MeanTau, partial: MeanTau, adjusted: float | None, bent: MeanTau) -> Adds:
    if partial.families < FEWEST_FAMILIES or partial.tau is None or adjusted is None:
        return Adds.TOO_FEW
    shown = raw.p is not None and raw.p <= LIKELY_CHANCE and raw.tau is not None
    if adjusted > LIKELY_CHANCE:
        return Adds.SIZE if shown else Adds.NOTHING
    if bent.p is None or bent.tau is None or bent.p > LIKELY_CHANCE or bent.tau * partial.tau <= 0:
        return Adds.BENT
    return Adds.REVERSED if shown and raw.tau is not None and raw.tau * partial.tau < 0 else Adds.ADDS


def _matched(sample: Sample, metric: str, generator: np.random.Generator) -> MatchedPairs:
    """Pairs of models of one family, architecture and size."""
    size = sample.columns.get(SIZE)
    if size is None or not np.isfinite(size).any():
        return MatchedPairs(architectures=0, pairs=0, reason=f"{SIZE} is known of no model")
    chosen = sample.complete(metric, SIZE)
    codes = _networks(chosen)
    return matched_pairs(
        chosen.column(metric),
        chosen.score,
        codes,
        chosen.family_codes,
        higher_is_better=sample.target.higher_is_better,
        generator=generator,
        draws=_draws(int(codes.max(initial=0)) + 1),
    )


def _networks(sample: Sample) -> NDArray[np.int64]:
    """A code for each architecture of a family and size (1 % apart or less); -1 where the architecture is unknown.

    A name that stands for networks of several sizes, such as that of a whole series, becomes several.
    """
    place: dict[tuple[str | None, str], int] = {}
    named = np.array(
        [
            -1 if own is None else place.setdefault((family, own), len(place))
            for family, own in zip(sample.families, sample.architectures, strict=True)
        ],
        dtype=np.int64,
    )
    size = sample.column(SIZE)
    order = np.lexsort((size, named))
    apart = (np.diff(named[order], prepend=-1) > 0) | (np.diff(size[order], prepend=-np.inf) > _ONE_SIZE)
    codes = np.empty(sample.n, dtype=np.int64)
    codes[order] = np.cumsum(apart)
    return np.where(named >= 0, codes, -1)


def _baseline(known: Sample, name: str, seed: int) -> Baseline:
    values = known.columns.get(name, np.full(known.n, np.nan))
    own = known.where(np.isfinite(values))
    if not own.n:
        return Baseline(name=name, models=0, tau=MeanTau(families=0, reason="it is known of no model of a family"))
    taus = family_partial_taus(own.column(name), own.score, own.family_codes).values
    generator = np.random.default_rng([seed, crc32(name.encode())])
    return Baseline(name=name, models=own.n, tau=mean_tau(taus, generator=generator, draws=_draws(len(taus))))


def _draws(units: int) -> int:
    """Fewer for many units, whose means are nearly normal."""
    return int(np.clip(_DRAWN // max(units, 1), _FEWEST_DRAWS, _MOST_DRAWS))


def _nothing_to_study(sample: Sample, known: Sample, held: Sample, baselines: Sequence[Baseline]) -> str | None:
    if held.n:
        return None
    if not sample.n:
        return "there are no models with this score"
    if not known.n:
        return "no model has a family"
    absent = [one.name for one in baselines if not one.models]
    if absent:
        return f"{' and '.join(absent)} of the models is not known"
    return f"no model has all of {', '.join(one.name for one in baselines)}"

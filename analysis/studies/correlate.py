"""How far the metrics of models agree with their published scores, beside what size and depth say alone.

Models are compared within a family: those of one recipe that differ in little else. Of several families, the taus of
the families are averaged and tested over families; one line through the models of all of them is not drawn, because it
mostly shows how families differ. A metric that orders models as their number of parameters or of layers does has not
shown anything, so these two baselines are in every group, and every verdict is relative to them.
"""

from collections.abc import Sequence
from dataclasses import replace
from zlib import crc32

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from analysis.errors import AnalysisError
from analysis.samples.sample import Sample
from analysis.statistics.association import Association, associations
from analysis.statistics.described import Described, describe
from analysis.statistics.partial import mean_tau, tau_difference
from analysis.statistics.permutation import max_t_sign_flip, max_t_within
from analysis.statistics.records import FEWEST_TESTED, Vector
from analysis.studies.correlation_records import Correlation, Correlations, Group, Together, Verdict
from analysis.studies.size import BASELINES, LIKELY_CHANCE

METRICS = (
    *("alpha_mean", "alpha_median", "alpha_hat_mean", "log_alpha_norm_mean"),
    *("log_norm_mean", "log_spectral_norm_mean", "stable_rank_mean", "entropy_mean"),
    *("erg_delta_mean", "erg_gap_mean", "tail_trace_log_mean"),
)
"""Columns of `scored_models` that are judged where none are named."""

MOST_TESTED = 100
"""Groups that are tested one by one, the largest; the others are described, and are in what is said of all."""

_MOST_DRAWS, _FEWEST_DRAWS, _DRAWN = 4_999, 499, 2_000_000
"""Resamples: fewer for many families, whose means are nearly normal."""


def correlate(sample: Sample, metrics: Sequence[str], *, against: str | None = None, seed: int = 0) -> Correlations:
    """Correlate metrics with one published score, family by family and over all families.

    Args:
        sample: Models with the score.
        metrics: Columns of it; the baselines that are known of any model come along.
        against: One of the metrics: how much stronger each is than it, family by family.
        seed: Of resamples and permutations. A family's numbers do not depend on other families.

    Raises:
        AnalysisError: There is no column of such a name.
    """
    asked = tuple(dict.fromkeys(name for name in metrics if name not in BASELINES))
    known = [name for name in BASELINES if name in sample.columns and np.isfinite(sample.column(name)).any()]
    columns = (*asked, *known)
    table = np.array([sample.column(name) for name in columns]).reshape(len(columns), sample.n).T
    if against is not None and against not in columns:
        sample.column(against)
        raise AnalysisError(f"the metrics are set against {against}, which is none of them; name it as a metric too.")
    names: tuple[str | None, ...] = sample.family_names or (None,)
    codes = sample.family_codes if sample.family_names else np.zeros(sample.n, dtype=np.int64)
    described = [describe(column, sample.score, codes, len(names)) for column in table.T]
    sizes = np.bincount(codes[codes >= 0], minlength=len(names))
    tested = set(np.argsort(-sizes, kind="stable")[:MOST_TESTED].tolist())
    members = np.split(np.argsort(codes, kind="stable")[int((codes < 0).sum()) :], np.cumsum(sizes)[:-1])
    groups = []
    for place, name in enumerate(names):
        rows = [_described(metric, each, place) for metric, each in zip(columns, described, strict=True)]
        if place in tested and sizes[place] >= FEWEST_TESTED:
            generator = np.random.default_rng([seed, crc32((name or "").encode("utf-8", "replace"))])
            rows = _tested(rows, table[members[place]], sample, members[place], len(asked), generator)
        groups.append(Group(family=name, n=int(sizes[place]), correlations=tuple(rows)))
    return Correlations(
        target=sample.target,
        n=sample.n,
        n_without_family=int((codes < 0).sum()),
        groups=tuple(groups),
        together=_together(columns, described, len(asked), against, seed) if len(names) > 1 else (),
        against=against,
    )


def _described(metric: str, each: Described, place: int) -> Correlation:
    n = int(each.n[place])
    if n < FEWEST_TESTED:
        verdict = Verdict.TOO_FEW
    else:
        verdict = Verdict.CONSTANT if np.isnan(each.tau[place]) else Verdict.UNTESTED
    return Correlation(
        metric=metric,
        n=n,
        kendall_tau=_known(each.tau[place]),
        pearson_r=_known(each.pearson[place]),
        r_squared=_known(each.r_squared[place]),
        rmse=_known(each.rmse[place]),
        slope=_known(each.slope[place]),
        intercept=_known(each.intercept[place]),
        verdict=verdict,
    )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _tested(
    rows: Sequence[Correlation],
    table: Vector,
    sample: Sample,
    members: NDArray[np.int64],
    n_metrics: int,
    generator: np.random.Generator,
) -> list[Correlation]:
    """The rows of one group with their tests and intervals."""
    score, error = sample.score[members], sample.score_error[members]
    found = associations(table, score, score_error=error, generator=generator)
    nobody = np.zeros(len(members), dtype=np.int64)
    adjusted = max_t_within(table[:, :n_metrics], score, nobody, generator=generator) if n_metrics else np.empty(0)
    p_values = [*map(_known, adjusted), *(None for _ in rows[n_metrics:])]
    return [
        _judged(_with_tests(row, own, p), column, table[:, n_metrics:], score)
        for row, own, p, column in zip(rows, found, p_values, table.T, strict=True)
    ]


def _with_tests(row: Correlation, own: Association, adjusted: float | None) -> Correlation:
    if own.tau is None or row.kendall_tau is None:
        return row
    return replace(
        row,
        kendall_p=own.tau_p,
        test=None if own.tau_test is None else str(own.tau_test),
        adjusted_p=adjusted,
        tau_interval=own.tau_interval,
        smallest_tau=own.smallest_tau,
        ceiling_tau=None if own.ceiling is None else own.ceiling.tau,
        spearman_rho=own.spearman,
        r_squared_interval=own.r_squared_interval,
    )


def _judged(row: Correlation, column: Vector, baselines: Vector, score: Vector) -> Correlation:
    """The row with its verdict."""
    return row if row.kendall_p is None else replace(row, verdict=_verdict(row, column, baselines, score))


def _verdict(row: Correlation, column: Vector, baselines: Vector, score: Vector) -> Verdict:
    if row.metric in BASELINES:
        return Verdict.BASELINE
    common = [np.isfinite(column) & np.isfinite(baseline) for baseline in baselines.T]
    for baseline, there in zip(baselines.T, common, strict=True):
        if _strength(baseline[there], score[there]) >= _strength(column[there], score[there]) - 1e-12 and there.any():
            return Verdict.NO_MORE
    p = row.kendall_p if row.adjusted_p is None else row.adjusted_p
    if p is None or p > LIKELY_CHANCE:
        return Verdict.CHANCE
    if not any(there.any() for there in common):
        return Verdict.UNCOMPARED
    varies = any(np.unique(each[there]).size > 1 for each, there in zip(baselines.T, common, strict=True))
    return Verdict.BETTER if varies else Verdict.UNRIVALLED


def _strength(column: Vector, score: Vector) -> float:
    """|tau| on the models that have both a metric and a baseline; below 0 where it does not vary."""
    if len(column) < 2 or np.ptp(column) == 0 or np.ptp(score) == 0:
        return -1.0
    return abs(float(scipy.stats.kendalltau(column, score, method="asymptotic").statistic))


def _together(
    columns: Sequence[str], described: Sequence[Described], n_metrics: int, against: str | None, seed: int
) -> tuple[Together, ...]:
    if not columns:
        return ()
    taus = np.column_stack([each.tau for each in described])
    adjusted = np.full(len(columns), np.nan)
    draws = int(np.clip(_DRAWN // len(taus), _FEWEST_DRAWS, _MOST_DRAWS))
    if n_metrics:
        generator = np.random.default_rng(seed)
        adjusted[:n_metrics] = max_t_sign_flip(taus[:, :n_metrics], generator=generator, draws=draws)
    other = None if against is None else taus[:, columns.index(against)]
    rows = []
    for place, (metric, each) in enumerate(zip(columns, described, strict=True)):
        generator = np.random.default_rng([seed, crc32(metric.encode("utf-8", "replace"))])
        difference = None
        if other is not None and metric != against:
            difference, _ = tau_difference(each.tau, other, generator=generator, draws=draws)
        known = np.isfinite(each.tau)
        rows.append(
            Together(
                metric=metric,
                n=int(each.n[known].sum()),
                tau=mean_tau(each.tau, generator=generator, draws=draws),
                adjusted_p=_known(adjusted[place]),
                r_squared=_mean(each.r_squared),
                rmse=_mean(each.rmse),
                difference=difference,
            )
        )
    return tuple(rows)


def _mean(values: Vector) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None

"""Kendall's tau-b of metrics with one score: how likely by chance, and how sure."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import kendalltau, norm

from analysis.statistics.bootstrap import resamples
from analysis.statistics.ceiling import exact_p
from analysis.statistics.permutation import permuted_scores
from analysis.statistics.records import FEWEST_INTERVAL, Interval, Vector

MOST_RESAMPLED = 200
"""Models up to which p is counted out and intervals are bootstrapped; above, tau is normal."""

_LEVEL = 0.95

_DRAWS = 1_999

_CELLS = 4_000_000
"""Numbers held at once."""

_PARTNERS = 1_000
"""Models that each is paired with at most, to see how much it sways a tau of very many."""


class TauTest(StrEnum):
    """Where the p-value of a tau is from."""

    EXACT = "exact"
    PERMUTATION = "permutation"
    NORMAL = "normal"


@dataclass(frozen=True, slots=True)
class Tau:
    """Kendall's tau-b of a metric with a score.

    Attributes:
        tau: It.
        p: Its two-sided p-value for no association.
        test: Where that is from.
        interval: Its 95 % interval, None below `FEWEST_INTERVAL` models.
    """

    tau: float
    p: float
    test: TauTest
    interval: Interval | None


def taus(metrics: Vector, score: Vector, *, generator: np.random.Generator) -> list[Tau]:
    """Tau-b of each metric with the score.

    Args:
        metrics: Shape (n, K), finite, each with at least two values.
        score: Shape (n,), the same.
        generator: Draws resamples, and orders where there are ties.
    """
    n = len(score)
    values = [float(kendalltau(metric, score, method="asymptotic").statistic) for metric in metrics.T]
    tests = _tests(metrics, score, values, generator)
    if n < FEWEST_INTERVAL:
        intervals: list[Interval | None] = [None] * len(values)
    elif n <= MOST_RESAMPLED:
        intervals = _resampled(metrics, score, values, generator)
    else:
        intervals = [_on_z(tau, n, _error(metric, score)) for metric, tau in zip(metrics.T, values, strict=True)]
    return [Tau(tau, *test, interval) for tau, test, interval in zip(values, tests, intervals, strict=True)]


def _tests(
    metrics: Vector, score: Vector, values: list[float], generator: np.random.Generator
) -> list[tuple[float, TauTest]]:
    """The p-value of each, and where it is from."""
    n = len(score)
    if n > MOST_RESAMPLED:
        normal = [kendalltau(metric, score, method="asymptotic").pvalue for metric in metrics.T]
        return [(float(p), TauTest.NORMAL) for p in normal]
    tied = np.array([len(np.unique(metric)) < n or len(np.unique(score)) < n for metric in metrics.T], dtype=bool)
    pairs = n * (n - 1) // 2
    found = [
        (exact_p(round((1 - tau) / 2 * pairs), n), TauTest.EXACT) if not tie else None
        for tau, tie in zip(values, tied, strict=True)
    ]
    if tied.any():
        one = np.zeros(n, dtype=np.int64)
        s = np.abs(permuted_scores(metrics[:, tied], score, one, generator=generator, draws=_DRAWS))
        how = TauTest.EXACT if len(s) != 1 + _DRAWS else TauTest.PERMUTATION
        for column, p in zip(np.flatnonzero(tied), (s >= s[0] - 0.5).mean(axis=0), strict=True):
            found[column] = (float(p), how)
    return [each for each in found if each is not None]


def _resampled(
    metrics: Vector, score: Vector, values: list[float], generator: np.random.Generator
) -> list[Interval | None]:
    """BCa intervals, all metrics from the same resamples of models."""
    n = len(score)
    places = np.concatenate(list(resamples(n, generator=generator, draws=_DRAWS)))
    cells = (np.arange(_DRAWS)[:, None] * n + places).ravel()
    often = np.bincount(cells, minlength=_DRAWS * n).reshape(_DRAWS, n).astype(np.float32)
    weights = np.concatenate([often, 1 - np.eye(n, dtype=np.float32)])
    of_score = _signs(score, score)
    there = _sums(weights, [of_score**2])[0]
    step = max(1, _CELLS // weights.size)
    intervals: list[Interval | None] = []
    for start in range(0, len(values), step):
        orders = [_signs(metric, metric) for metric in metrics.T[start : start + step]]
        sums = _sums(weights, [order * of_score for order in orders])
        roots = [np.sqrt(there * untied) for untied in _sums(weights, [order**2 for order in orders])]
        for tau, s, root in zip(values[start : start + step], sums, roots, strict=True):
            again = np.divide(s, root, out=np.full_like(s, np.nan), where=root > 0)
            sure = abs(tau) > 1 - 1e-12
            intervals.append(_on_z(tau, n, 0.0) if sure else _bca(again[:_DRAWS], again[_DRAWS:], tau))
    return intervals


def _signs(values: Vector, others: Vector) -> Vector:
    """Which of each pair is larger, shape (len(values), len(others))."""
    signs: Vector = np.sign(values[:, None] - others[None, :]).astype(np.float32)
    return signs


def _sums(weights: Vector, pairs: list[Vector]) -> Vector:
    """The sum over pairs, each as often as the product of its two models' weights; integers, so exact in float32.

    Args:
        weights: Shape (R, n).
        pairs: K matrices (n, n).

    Returns:
        Shape (K, R).
    """
    partial = (weights @ np.hstack(pairs)).reshape(len(weights), len(pairs), -1)
    sums: Vector = np.einsum("rkn,rn->kr", partial, weights).astype(np.float64)
    return sums


def _bca(again: Vector, without: Vector, tau: float) -> Interval | None:
    """From the taus of resamples, and of all models but one (Efron, 1987)."""
    again, without = again[np.isfinite(again)], without[np.isfinite(without)]
    below = ((again < tau - 1e-9).sum() + (again <= tau + 1e-9).sum()) / 2
    bias = ndtri((below + 0.5) / (len(again) + 1))
    pull = without.mean() - without
    spread = (pull**2).sum() ** 1.5
    skew = (pull**3).sum() / (6 * spread) if spread > 0 else 0.0
    shift = bias + ndtri(np.array([(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]))
    low, high = np.quantile(again, ndtr(bias + shift / (1 - skew * shift)))
    return Interval(float(low), float(high), _LEVEL)


def _on_z(tau: float, n: int, error: float) -> Interval:
    """On the scale of Fisher's z, by the larger of a given standard error of tau and Fieller's."""
    inside = np.clip(tau, -1 + 2 / (n * (n - 1)), 1 - 2 / (n * (n - 1)))
    half = norm.ppf((1 + _LEVEL) / 2) * max(error / (1 - inside**2), np.sqrt(0.437 / (n - 4)))
    low, high = np.tanh(np.arctanh(inside) + half * np.array([-1, 1]))
    return Interval(-1.0 if tau < -1 + 1e-12 else float(low), 1.0 if tau > 1 - 1e-12 else float(high), _LEVEL)


def _error(metric: Vector, score: Vector) -> float:
    """Standard error of a tau of many models, from how much each sways it (the jackknife's, for many)."""
    n = len(score)
    partners = np.argsort(score, kind="stable")[:: -(-n // _PARTNERS)]
    step = _CELLS // len(partners)
    sway = np.empty(n)
    for start in range(0, n, step):
        own = slice(start, start + step)
        concordant = _signs(metric[own], metric[partners]) * _signs(score[own], score[partners])
        sway[own] = concordant.mean(axis=1, dtype=np.float64)
    return float(2 * sway.std(ddof=1) / np.sqrt(n * _untied(metric) * _untied(score)))


def _untied(values: Vector) -> float:
    """The share of pairs whose two values differ."""
    counts = np.unique(values, return_counts=True)[1]
    return float(1 - (counts / len(values)) @ (counts / len(values)))

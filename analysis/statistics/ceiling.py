"""What could be seen at most: the smallest tau that so few models can show, and the largest that noisy scores allow."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtr
from scipy.stats import norm

from analysis.statistics.records import FEWEST_TESTED, Vector

LEVEL = 0.05
"""The p-value at which a tau counts as shown."""

_MOST_EXACT = 200
"""Models up to which the distribution of tau is counted out; above, it is normal to four decimals."""

_MOST_PAIRED = 2_000
"""Models whose pairs are gone through; of more, every so-manieth in the order of scores."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """How far a metric that knew the truth would agree with scores that are known with an error.

    Attributes:
        n: Models whose standard error is known.
        reliability: Share of the variance of the scores that is not error, 0 to 1.
        tau: Expected Kendall's tau-b between true and published scores.
        pearson: Expected correlation between them, the root of the reliability.
        reason: Why the three are None.
    """

    n: int
    reliability: float | None = None
    tau: float | None = None
    pearson: float | None = None
    reason: str | None = None


@lru_cache(maxsize=1_024)
def smallest_tau(n: int) -> float | None:
    """The smallest |tau| of n models without ties that has a two-sided p of at most .05.

    A smaller one that is not zero could not have been told from chance, whatever the metric. Exact up to 200 models.

    Args:
        n: Models.

    Returns:
        None below `FEWEST_TESTED`.
    """
    if n < FEWEST_TESTED:
        return None
    pairs = n * (n - 1) // 2
    if n > _MOST_EXACT:
        return float(norm.ppf(1 - LEVEL / 2) * np.sqrt(2 * (2 * n + 5) / (9 * n * (n - 1))))
    below = np.cumsum(_inversions(n))  # P(at most so many discordant pairs)
    most = int(np.flatnonzero(2 * below <= LEVEL)[-1])
    return 1 - 2 * most / pairs


def exact_p(discordant: int, n: int) -> float:
    """The exact two-sided p of an order of n models without ties that has so many discordant pairs."""
    pairs = n * (n - 1) // 2
    few = min(discordant, pairs - discordant)
    return float(min(1.0, 2 * _inversions(n)[: few + 1].sum()))


@lru_cache(maxsize=256)
def _inversions(n: int) -> Vector:
    """How likely each number of discordant pairs is in a random order, shape (n (n - 1) / 2 + 1,).

    The k-th model that comes in stands before 0 to k - 1 of the others, each as likely: a convolution for each model.
    """
    chances = np.ones(1)
    for k in range(2, n + 1):
        summed = np.concatenate([np.cumsum(chances), np.full(k - 1, chances.sum())])
        summed[k:] -= np.cumsum(chances)[: len(summed) - k]
        chances = np.maximum(summed, 0.0) / k
    chances.setflags(write=False)
    return chances


def ceiling(score: Vector, error: Vector) -> Ceiling:
    """The agreement that a perfect metric could be expected to reach.

    Published scores scatter more than the truth does. The variance of the truth is that of the scores less the mean
    square of their standard errors. Each score is moved towards the mean by the root of its own reliability, so that
    the estimated truths scatter as the truth does (moved by the reliability itself, as for the best guess of each, they
    would lie too close together, and the ceiling be too low). What is expected of tau is then in closed form: two
    models whose truths differ by d keep their order with probability Phi(d / root of the sum of squared errors).

    Errors are taken to be independent. Models tested on the same examples err alike, so their order is surer than this
    says, and a metric may lie above the ceiling; other noise, such as the seed of a training, lowers it.

    In 2,000 simulations of 20 models with normal truths and errors of .2, .5 and 1 of their spread, the mean of this
    tau was .87, .70 and .46, that of the truth with the scores .87, .70 and .50; with exponential truths .82, .64 and
    .42 against .80, .61 and .43.

    Args:
        score: Published scores, shape (n,), finite.
        error: Their standard errors in the same unit, NaN where unknown.
    """
    known = np.isfinite(error)
    y, s = score[known], error[known]
    n = len(y)
    if n < FEWEST_TESTED:
        return Ceiling(n, reason=f"the error of the score is known for {n} of {len(score)} models")
    spread = float(y.var(ddof=1))
    if spread == 0:
        return Ceiling(n, reason="all scores are the same")
    truth = max(0.0, spread - float((s**2).mean()))
    shrunk = y.mean() + np.sqrt(truth / np.where(truth + s**2 > 0, truth + s**2, 1.0)) * (y - y.mean())
    reliability = truth / spread
    return Ceiling(n, reliability, _expected_tau(shrunk, s), float(np.sqrt(reliability)))


def _expected_tau(truth: Vector, error: Vector) -> float:
    """Of true scores with the same after errors are added."""
    chosen = np.argsort(truth, kind="stable")[:: -(-len(truth) // _MOST_PAIRED)]
    first, second = np.triu_indices(len(chosen), 1)
    gap = np.abs(truth[chosen][first] - truth[chosen][second])
    noise = np.sqrt(error[chosen][first] ** 2 + error[chosen][second] ** 2)
    differ, published = gap > 0, (gap > 0) | (noise > 0)
    if not differ.any():
        return 0.0
    kept = 2 * ndtr(gap[differ] / np.maximum(noise[differ], 1e-300)) - 1
    return float(kept.sum() / np.sqrt(float(differ.sum()) * float(published.sum())))


def binomial_error(score: Vector, n_test: Vector, *, of: float) -> Vector:
    """Standard errors of shares of examples that were got right (or wrong).

    One success and one failure are added, so that a score of 0 or 100 % is not taken to be known without error.

    Args:
        score: Shares, shape (n,), 0 to `of`.
        n_test: Examples that each was measured on, shape (n,), NaN where unknown.
        of: What all examples are: 1 for fractions, 100 for percent.

    Returns:
        In the unit of the score, shape (n,); NaN where the number of examples is unknown, or the score lies outside.
    """
    share = (score / of * n_test + 1) / (n_test + 2)
    inside = (score >= 0) & (score <= of) & (n_test > 0)
    return np.where(
        inside, of * np.sqrt(np.where(inside, share * (1 - share), 0.0) / np.where(inside, n_test, 1)), np.nan
    )

"""Resampled spectra: is a power law plausible at all, and how far does alpha vary with lambda_min chosen anew?

Both take eigenvalues for independent draws, as Clauset, Shalizi and Newman (SIAM Review 51, 2009, sections 3.3 and
4.1) take their data. Those of a matrix are not: neighbours repel each other, so that a spectrum scatters less
than such draws do. The interval is then rather too wide, and the p-value rather too large.

Each replica has a generator of its own, spawned from the caller's: the results are the same to the last bit however
the replicas are spread over processes.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.reasons import Reason
from setol.tails.law import check_positive
from setol.tails.scan import TailChoice, scan_tails

ReplicaMap = Callable[..., Iterable[Any]]
"""What spreads replicas, called as the built-in `map`: `map` itself, or the `map` of an executor or a pool."""


@dataclass(frozen=True, slots=True)
class GoodnessOfFit:
    """Whether a power law could have left the tail as it is; free of scale.

    Attributes:
        p_value: Share of the replicas that lie at least as far from their own power law as the spectrum from its
            own, in [0, 1]. Below 0.1 the source rules the power law out; a large one does not prove it.
        standard_error: Of p_value, from the number of replicas.
        d_ww: D of the spectrum, the one lambda_min is chosen by, here as in the replicas.
        n_replicas: Number of replicas that had a tail.
    """

    p_value: float
    standard_error: float
    d_ww: float
    n_replicas: int


@dataclass(frozen=True, slots=True)
class AlphaInterval:
    """Spread of the fit over resampled spectra, the choice of lambda_min included.

    Attributes:
        alpha: Exponent of the spectrum itself, free of scale.
        alpha_low: Lower percentile of the replicas' exponents.
        alpha_high: Upper percentile.
        lambda_min_low: Lower percentile of the replicas' lambda_min, in the scale of the eigenvalues.
        lambda_min_high: Upper percentile.
        level: Share of the replicas between the percentiles, in (0, 1).
        n_replicas: Number of replicas that had a tail.
    """

    alpha: float
    alpha_low: float
    alpha_high: float
    lambda_min_low: float
    lambda_min_high: float
    level: float
    n_replicas: int


def goodness_of_fit(
    evals: NDArray[np.float64], rng: np.random.Generator, *, n_replicas: int = 1000, spread: ReplicaMap = map
) -> GoodnessOfFit | Reason:
    """Parametric bootstrap p-value of a power-law tail.

    A replica has as many eigenvalues: each comes from the fitted power law with probability n_tail/n, and is
    drawn from the eigenvalues below lambda_min otherwise. It is fitted as the spectrum was, lambda_min included.

    Args:
        evals: Positive eigenvalues, shape (n,), any order, any scale.
        rng: Generator to spawn those of the replicas from; another call with it has other replicas.
        n_replicas: Number of replicas; the source advises 1/(4 e^2) for p to within e, 2,500 for 0.01.
        spread: Called as `map`, to run replicas elsewhere.

    Returns:
        The p-value, or why there is none: fewer than two eigenvalues, all of them equal, or no replica with a tail.

    Raises:
        SetolError: An eigenvalue is not positive or not finite, or n_replicas is below 1.
    """
    fitted = _fit(evals, n_replicas)
    if isinstance(fitted, Reason):
        return fitted
    log_evals, choice = fitted
    replica = partial(_parametric_replica, log_evals, choice.start, choice.alpha)
    distances = np.array([each.distance for each in spread(replica, rng.spawn(n_replicas)) if each is not None])
    if not len(distances):
        return Reason.NO_REPLICA
    p_value = float(np.mean(distances >= choice.distance))
    error = math.sqrt(p_value * (1.0 - p_value) / len(distances))
    return GoodnessOfFit(p_value, error, choice.distance, len(distances))


def alpha_interval(
    evals: NDArray[np.float64],
    rng: np.random.Generator,
    *,
    level: float = 0.9,
    n_replicas: int = 1000,
    spread: ReplicaMap = map,
) -> AlphaInterval | Reason:
    """Percentile interval of alpha over spectra resampled with replacement, lambda_min chosen anew in each.

    It says how alpha would vary from one spectrum to another of the same law; alpha_sigma is what of it remains
    if lambda_min is taken as known. Resampling repeats eigenvalues, which makes D a little larger everywhere, and
    where D has several minima the replicas fall into each: the interval then spans them.

    Args:
        evals: Positive eigenvalues, shape (n,), any order, any scale.
        rng: Generator to spawn those of the replicas from; another call with it has other replicas.
        level: Share of the replicas that the interval holds, in (0, 1), the rest split evenly.
        n_replicas: Number of replicas.
        spread: Called as `map`, to run replicas elsewhere.

    Returns:
        The interval, or why there is none: fewer than two eigenvalues, all of them equal, or no replica with a tail.

    Raises:
        SetolError: An eigenvalue is not positive or not finite, n_replicas is below 1, or level is not in (0, 1).
    """
    if not 0 < level < 1:
        raise SetolError(f"need a level between 0 and 1, such as 0.9; got {level}.")
    fitted = _fit(evals, n_replicas)
    if isinstance(fitted, Reason):
        return fitted
    log_evals, choice = fitted
    replicas = [each for each in spread(partial(_resampled_fit, log_evals), rng.spawn(n_replicas)) if each is not None]
    if not replicas:
        return Reason.NO_REPLICA
    shares = (0.5 - level / 2.0, 0.5 + level / 2.0)
    low, high = np.quantile([each.alpha for each in replicas], shares)
    ordered = np.sort(evals).astype(np.float64)
    # An eigenvalue, not a mean of two, and so without overflow.
    edges = np.quantile(ordered[[each.index for each in replicas]], shares, method="nearest")
    return AlphaInterval(
        alpha=choice.alpha,
        alpha_low=float(low),
        alpha_high=float(high),
        lambda_min_low=float(edges[0]),
        lambda_min_high=float(edges[1]),
        level=level,
        n_replicas=len(replicas),
    )


@dataclass(frozen=True, slots=True)
class _ResampledFit:
    """Exponent of a resampled spectrum, and the index of its lambda_min in the ascending original."""

    alpha: float
    index: int


def _fit(evals: NDArray[np.float64], n_replicas: int) -> tuple[NDArray[np.float64], TailChoice] | Reason:
    """Logarithms of the eigenvalues, ascending, and the tail chosen."""
    check_positive(evals)
    if n_replicas < 1:
        raise SetolError(f"need at least one replica; got n_replicas = {n_replicas}.")
    if len(evals) < 2:
        return Reason.TOO_FEW_EIGENVALUES
    log_evals = np.log(np.sort(evals).astype(np.float64))
    choice = scan_tails(log_evals)
    return Reason.EQUAL_EIGENVALUES if choice is None else (log_evals, choice)


def _parametric_replica(
    log_evals: NDArray[np.float64], start: int, alpha: float, rng: np.random.Generator
) -> TailChoice | None:
    n = len(log_evals)
    n_tail = rng.binomial(n, (n - start) / n)
    tail = log_evals[start] + rng.exponential(1.0 / (alpha - 1.0), n_tail)  # ln(lambda) above a power law's edge
    bulk = log_evals[rng.integers(0, start, n - n_tail)] if n_tail < n else log_evals[:0]
    return scan_tails(np.sort(np.concatenate([bulk, tail])))


def _resampled_fit(log_evals: NDArray[np.float64], rng: np.random.Generator) -> _ResampledFit | None:
    drawn = np.sort(rng.integers(0, len(log_evals), len(log_evals)))
    choice = scan_tails(log_evals[drawn])
    return None if choice is None else _ResampledFit(choice.alpha, int(drawn[choice.start]))

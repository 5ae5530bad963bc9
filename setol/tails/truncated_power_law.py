"""A power law with an exponential cutoff: density proportional to lambda^-alpha exp(-lambda/cutoff).

With x = ln(lambda / lambda_min) it is an exponential family in x and e^x, so the likelihood is concave in
alpha and 1/cutoff, and Newton's method finds its only maximum. The normalization, an incomplete gamma function
of order 1 - alpha (any sign), is an integral over x whose logarithm is concave: quadrature has it to rounding
for every alpha, together with the moments that the method needs.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol.reasons import Reason
from setol.tails.law import TailLaw, exp_or_limit, scaled_expm1, tail_above

NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)
"""Gauss-Legendre rule of one panel; panels are at most about one standard deviation of x wide."""

NEGLIGIBLE = 45.0
"""Where the log density has fallen so far below its peak, the integrals end: e^-45 is 3e-20."""

HALVINGS = 10
"""To find that place to a part in a thousand: far beyond it e^x would leave float64."""

PANELS, WIDEST = 64, 0.5
"""Fewest panels, and the widest one in x, on which e^x is still a smooth factor."""

STEPS, PRECISION = 200, 1e-20
"""Most Newton steps, and the gain of log-likelihood an eigenvalue at which the last one is made (the error of
the parameters is about its root, and the last step squares that)."""


@dataclass(frozen=True, slots=True)
class TruncatedPowerLaw(TailLaw):
    """Density proportional to lambda^-alpha exp(-lambda/cutoff) from lambda_min up.

    Attributes:
        lambda_min: Lower edge of the tail, in the scale of the eigenvalues that were given.
        alpha: Exponent, free of scale; any real number, above 1 where there is no cutoff.
        log_cutoff: Natural logarithm of the cutoff; infinite where the power law itself fits best.
    """

    lambda_min: float
    alpha: float
    log_cutoff: float

    @property
    def cutoff(self) -> float:
        """Eigenvalue at which the exponential takes over, in the scale of the eigenvalues; 1/cutoff is its rate."""
        return exp_or_limit(self.log_cutoff)

    @property
    def _log_rate(self) -> float:
        return math.log(self.lambda_min) - self.log_cutoff

    def _log_density(self, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
        slope = self.alpha - 1.0
        if self.log_cutoff == math.inf:
            return math.log(slope) - slope * ratios
        return -_descent(ratios, slope, self._log_rate) - _integrate(slope, self._log_rate).log_integral

    def _cdf(self, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
        slope = self.alpha - 1.0
        if self.log_cutoff == math.inf:
            return -np.expm1(-slope * ratios)
        integral = _integrate(slope, self._log_rate)
        starts = integral.edges[:-1]
        inside = np.clip(ratios, integral.edges[0], integral.edges[-1])
        panel = np.clip(np.searchsorted(integral.edges, inside, side="right") - 1, 0, len(starts) - 1)
        lengths = inside - starts[panel]
        points = starts[panel][:, None] + lengths[:, None] * (NODES + 1.0) / 2.0
        densities = np.exp(-_descent(points, slope, self._log_rate) - integral.log_integral)
        partial: NDArray[np.float64] = densities @ WEIGHTS * lengths / 2.0
        return np.concatenate([[0.0], np.cumsum(integral.masses)])[panel] + partial


def fit_truncated_power_law(evals: NDArray[np.float64], lambda_min: float) -> TruncatedPowerLaw | Reason:
    """Fit a power law with an exponential cutoff to the tail above a given lambda_min by maximum likelihood.

    Args:
        evals: Positive eigenvalues, shape (n,), any order, any scale; those below lambda_min are left out.
        lambda_min: Lower edge of the tail, in the same scale.

    Returns:
        The law, or why there is none: fewer than two eigenvalues in the tail, all of them equal, or so close
        together that the two parameters cannot be told apart.

    Raises:
        SetolError: An eigenvalue or lambda_min is not positive or not finite.
    """
    tail = tail_above(evals, lambda_min)
    if isinstance(tail, Reason):
        return tail
    span = float(tail.log_ratios[-1])
    mean_log = float(tail.log_ratios.mean())
    mean_excess = float(scaled_expm1(-span, tail.log_ratios).mean())
    slope = 1.0 / mean_log  # of the power law without a cutoff, whose mean excess is e^-span/(slope - 1)
    if slope > 1.0 and exp_or_limit(-span) <= mean_excess * (slope - 1.0):
        return TruncatedPowerLaw(lambda_min, 1.0 + slope, math.inf)
    best = _maximize(slope, span, mean_log, mean_excess)
    if best is None:
        return Reason.NO_MAXIMUM
    slope, rate = best
    return TruncatedPowerLaw(lambda_min, 1.0 + slope, math.log(lambda_min) + span - math.log(rate))


@dataclass(frozen=True, slots=True)
class _Integral:
    """Integral of exp(-descent) over x from 0 up.

    Attributes:
        log_integral: Its natural logarithm.
        edges: Ends of the panels, ascending, shape (p + 1,).
        points: Values of x, shape (p, 16).
        shares: Probability of each point, shape (p, 16); they sum to 1.
    """

    log_integral: float
    edges: NDArray[np.float64]
    points: NDArray[np.float64]
    shares: NDArray[np.float64]

    @property
    def masses(self) -> NDArray[np.float64]:
        """Probability of each panel, shape (p,)."""
        return self.shares.sum(axis=1)


def _descent(x: NDArray[np.float64], slope: float, log_rate: float) -> NDArray[np.float64]:
    """Minus the log density of x without its constant; convex in x."""
    return slope * x + scaled_expm1(log_rate, x)


def _integrate(slope: float, log_rate: float) -> _Integral:
    """Gauss-Legendre panels over the stretch of x that matters."""
    peak = max(0.0, math.log(-slope) - log_rate) if slope < 0 else 0.0
    bottom = _descent_at(peak, slope, log_rate)

    def end(direction: float) -> float:
        step = 1e-3 / (1.0 + abs(slope) + math.exp(min(log_rate + peak, 700.0)))
        inside = 0.0
        while _descent_at(peak + direction * step, slope, log_rate) - bottom < NEGLIGIBLE:
            inside, step = step, 2.0 * step
            if peak + direction * step <= 0.0:
                return 0.0
        for _ in range(HALVINGS):
            middle = (inside + step) / 2.0
            if _descent_at(peak + direction * middle, slope, log_rate) - bottom < NEGLIGIBLE:
                inside = middle
            else:
                step = middle
        return peak + direction * step

    low, high = (end(-1.0) if peak > 0 else 0.0), end(1.0)
    edges = np.linspace(low, high, max(PANELS, math.ceil((high - low) / WIDEST)) + 1)
    halves = np.diff(edges)[:, None] / 2.0
    points = edges[:-1, None] + halves * (NODES + 1.0)
    values = np.exp(bottom - _descent(points, slope, log_rate)) * WEIGHTS * halves
    total = values.sum()
    return _Integral(math.log(total) - bottom, edges, points, values / total)


def _descent_at(x: float, slope: float, log_rate: float) -> float:
    return slope * x + math.exp(min(log_rate + x, 700.0)) * -math.expm1(-x)


def _maximize(slope: float, span: float, mean_log: float, mean_excess: float) -> tuple[float, float] | None:
    """Damped Newton on the slope alpha - 1 and the rate lambda_max/cutoff.

    Args:
        slope: Where to begin.
        span: ln(lambda_max / lambda_min), which makes the rate of order 1.
        mean_log: Mean of x over the tail.
        mean_excess: Mean of e^(x - span) - e^-span over the tail.
    """

    def likelihood(slope: float, rate: float) -> tuple[float, _Integral]:
        integral = _integrate(slope, math.log(rate) - span)
        return -slope * mean_log - rate * mean_excess - integral.log_integral, integral

    rate = 1.0
    value, integral = likelihood(slope, rate)
    for _ in range(STEPS):
        excess = scaled_expm1(-span, integral.points)
        expected_log = float((integral.shares * integral.points).sum())
        expected_excess = float((integral.shares * excess).sum())
        off_log, off_excess = integral.points - expected_log, excess - expected_excess
        var_log = float((integral.shares * off_log**2).sum())
        var_excess = float((integral.shares * off_excess**2).sum())
        covariance = float((integral.shares * off_log * off_excess).sum())
        determinant = var_log * var_excess - covariance**2
        if not determinant > 1e-13 * var_log * var_excess:
            return None
        gradient = expected_log - mean_log, expected_excess - mean_excess
        step_slope = (var_excess * gradient[0] - covariance * gradient[1]) / determinant
        step_rate = (var_log * gradient[1] - covariance * gradient[0]) / determinant
        last = gradient[0] * step_slope + gradient[1] * step_rate < PRECISION
        if step_rate < -0.9 * rate:  # the rate stays positive; the slope goes where it is best beside that
            step_rate = -0.9 * rate
            step_slope = (gradient[0] - covariance * step_rate) / var_log
        if last:
            return slope + step_slope, rate + step_rate
        rise = gradient[0] * step_slope + gradient[1] * step_rate
        share = 1.0
        while True:
            new_slope, new_rate = slope + share * step_slope, rate + share * step_rate
            new_value, new_integral = likelihood(new_slope, new_rate)
            if new_value >= value + 1e-4 * share * rise or rise < 1e-10:  # below, rounding decides
                break
            share /= 2.0
            if share < 1e-12:
                return None
        slope, rate, value, integral = new_slope, new_rate, new_value, new_integral
    return None

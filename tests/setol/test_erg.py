"""The ERG edge: closed forms, then 50 digits, then the inequalities that define it."""

import mpmath
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import torch

from setol import (
    PowerLawFit,
    Reason,
    SetolError,
    effective_correlation_space,
    fit_power_law,
    tail_trace_log,
    trace_scale,
)
from setol.erg import closest_correlation_space, to_trace_scale
from setol.weights.decomposition import decompose

CONTINUOUS = ("pareto", "lognormal", "marchenko_pastur", "uniform", "mixture")
KINDS = (*CONTINUOUS, "one_decimal")


def erg_by_mpmath(evals):
    """Number, smallest and trace log of the ECS, every operation with 50 digits."""
    with mpmath.workdps(50):
        exact = [mpmath.mpf(float(value)) for value in np.sort(evals)[::-1]]
        scale = len(exact) / mpmath.fsum(exact)
        trace_log, n = mpmath.mpf(0), 0
        while trace_log >= 0:
            trace_log += mpmath.log(exact[n] * scale)
            n += 1
            if n == 1:
                assert trace_log > 0  # the largest is above the mean
        return n, float(exact[n - 1] * scale), float(trace_log)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [8_192, 16_384, 20_000])
@pytest.mark.parametrize("spectrum", ["lognormal", "marchenko_pastur", "pareto"])
def test_equals_50_digits_at_large_sizes(marchenko_pastur_quantiles, draw_pareto, spectrum, n, dtype):
    rng = np.random.default_rng(17)
    evals = {
        "lognormal": lambda: np.exp(2 * rng.standard_normal(n)),
        "marchenko_pastur": lambda: marchenko_pastur_quantiles(n, 1.0),
        "pareto": lambda: draw_pareto(rng, n, 2.5),
    }[spectrum]().astype(dtype)
    ecs = effective_correlation_space(evals)
    n_exact, lambda_min, trace_log = erg_by_mpmath(evals)
    assert ecs.n == n_exact
    assert ecs.lambda_min == pytest.approx(lambda_min, rel=1e-13)
    # Partial sums reach 10^4 and 10^4 of them are added: 10^4 x 10^4 x 2^-53 bounds what is lost.
    assert ecs.trace_log == pytest.approx(trace_log, abs=1e-8)
    assert tail_trace_log(evals, evals[evals >= ecs.lambda_min / trace_scale(evals) * (1 - 1e-9)].min()) == (
        pytest.approx(trace_log, abs=1e-8)
    )
    closest = closest_correlation_space(evals)
    without_last = trace_log - np.log(lambda_min)  # above 0 by definition, and the product before is nearer or not
    if abs(without_last + trace_log) > 1e-6:
        assert closest.n == n_exact - (without_last < -trace_log)
        assert closest.trace_log == pytest.approx(min(without_last, trace_log, key=abs), abs=1e-8)


def marchenko_pastur_erg(aspect_ratio):
    """Edge and share of the ECS of the Marchenko-Pastur law: where the integral of ln lambda from above is 0."""
    q = 1 / aspect_ratio
    low, high = (1 - np.sqrt(q)) ** 2, (1 + np.sqrt(q)) ** 2

    def above(t_start, weight):
        def integrand(t):  # lambda = low + (high - low) sin^2 t
            x = low + (high - low) * np.sin(t) ** 2
            return weight(x) * (high - low) ** 2 * (np.sin(t) * np.cos(t)) ** 2 / (np.pi * q * x)

        return scipy.integrate.quad(integrand, t_start, np.pi / 2, epsabs=1e-12)[0]

    t = scipy.optimize.brentq(lambda t: above(t, np.log), 1e-6, np.arcsin(np.sqrt((1 - low) / (high - low))))
    return low + (high - low) * np.sin(t) ** 2, above(t, lambda x: 1.0)


@pytest.mark.parametrize(
    ("aspect_ratio", "value", "share"), [(1, 0.1812, 0.7311), (2, 0.3117, 0.8145), (10, 0.5799, 0.918)]
)
def test_marchenko_pastur_edge(marchenko_pastur_quantiles, aspect_ratio, value, share):
    lambda_min, fraction = marchenko_pastur_erg(aspect_ratio)
    assert (lambda_min, fraction) == (pytest.approx(value, abs=1e-4), pytest.approx(share, abs=1e-4))
    n = 8192
    ecs = effective_correlation_space(marchenko_pastur_quantiles(n, aspect_ratio))
    # Quantiles are a midpoint rule for the integral: its error is of order 1/n.
    assert ecs.n / n == pytest.approx(fraction, abs=5 / n)
    assert ecs.lambda_min == pytest.approx(lambda_min, abs=10 / n)


def test_gaussian_matrix_lies_on_the_marchenko_pastur_edge():
    W = np.random.default_rng(12).standard_normal((1600, 800))
    evals = decompose(torch.from_numpy(W)[None]).evals[0]
    lambda_min, fraction = marchenko_pastur_erg(2)
    ecs = effective_correlation_space(evals)
    # Eigenvalues of a random matrix are rigid: counts fluctuate by a few, of 800.
    assert ecs.n / 800 == pytest.approx(fraction, abs=0.005)
    assert ecs.lambda_min == pytest.approx(lambda_min, abs=0.01)


@pytest.mark.parametrize(("high", "k"), [(10.0, 1), (10.0, 7), (3.0, 40), (1.5, 90), (1.5, 10), (1e6, 3)])
def test_two_point_spectrum_by_hand(high, k):
    """k eigenvalues a over b: the sum reaches k ln a, then loses -ln b at every step."""
    n = 200
    evals = np.r_[np.full(k, high), np.ones(n - k)]
    a, b = high * n / evals.sum(), n / evals.sum()
    expected = k + int(np.floor(k * np.log(a) / -np.log(b))) + 1
    ecs = effective_correlation_space(evals)
    assert k < expected < n
    assert ecs.n == expected
    assert ecs.lambda_min == pytest.approx(b, rel=1e-14)
    assert ecs.trace_log == pytest.approx(k * np.log(a) + (expected - k) * np.log(b), abs=1e-11)


def test_product_of_exactly_1_is_not_below_1():
    # In the trace scale 2, 1/2, 1/2: the products are 2, 1, 1/2, and every logarithm is exact up to its sign.
    ecs = effective_correlation_space(np.array([4.0, 1.0, 1.0]))
    assert (ecs.n, ecs.lambda_min) == (3, 0.5)
    assert ecs.trace_log == pytest.approx(-np.log(2), rel=1e-15)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [5, 60, 700])
def test_last_product_is_the_first_below_1(draw_spectrum, kind, n):
    evals = draw_spectrum(kind, np.random.default_rng([KINDS.index(kind), n]), n)
    ecs = effective_correlation_space(evals)
    logs = np.log(np.sort(evals)[::-1] * n / evals.sum())
    assert logs[: ecs.n - 1].sum() >= -1e-10
    assert logs[: ecs.n].sum() < 0
    assert ecs.trace_log == pytest.approx(logs[: ecs.n].sum(), abs=1e-10)
    assert ecs.lambda_min == pytest.approx(np.exp(logs[ecs.n - 1]), rel=1e-13)


@pytest.mark.parametrize("kind", CONTINUOUS)
@pytest.mark.parametrize("seed", range(8))
def test_signs_of_the_distance_to_the_tail(draw_spectrum, kind, seed):
    """Continuous spectra, so no two eigenvalues are equal and the three statements are one."""
    evals = draw_spectrum(kind, np.random.default_rng([KINDS.index(kind), seed, 19]), 150)
    fit, ecs = fit_power_law(evals), effective_correlation_space(evals)
    assert isinstance(fit, PowerLawFit)
    delta = fit.lambda_min * trace_scale(evals) - ecs.lambda_min
    trace_log = tail_trace_log(evals, fit.lambda_min)
    assert (fit.n_tail > ecs.n) == (delta < -1e-12)
    assert (fit.n_tail < ecs.n) == (delta > 1e-12)
    assert (fit.n_tail < ecs.n) == (trace_log >= 0)


def test_the_signs_above_occur_both_ways(draw_spectrum):
    gaps = []
    for kind in CONTINUOUS:
        for seed in range(8):
            evals = draw_spectrum(kind, np.random.default_rng([KINDS.index(kind), seed, 19]), 150)
            gaps.append(effective_correlation_space(evals).n - fit_power_law(evals).n_tail)
    assert min(gaps) < 0 < max(gaps)


@pytest.mark.parametrize("shape", [(300, 100), (100, 300), (260, 260)])
def test_orthogonal_columns_are_all_in_it(shape):
    gaussian = torch.randn(max(shape), min(shape), generator=torch.Generator().manual_seed(10), dtype=torch.float64)
    W = torch.linalg.qr(gaussian).Q
    evals = decompose((W if shape[0] >= shape[1] else W.T)[None]).evals[0]
    ecs = effective_correlation_space(evals)
    assert ecs.n == min(shape)
    assert ecs.trace_log == 0.0
    assert ecs.lambda_min == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 1000])
def test_equal_eigenvalues_are_all_in_it(n):
    ecs = effective_correlation_space(np.full(n, 0.1))
    assert (ecs.n, ecs.trace_log) == (n, 0.0)
    assert ecs.lambda_min == pytest.approx(1.0, rel=1e-14)


def test_zeros_count_in_the_scale_only():
    evals = np.random.default_rng(11).lognormal(sigma=1.5, size=80)
    with_zeros = np.r_[evals, np.zeros(20)]
    # 20 zeros among 100 raise the trace scale of the rest by 100/80.
    assert trace_scale(with_zeros) == pytest.approx(1.25 * trace_scale(evals), rel=1e-14)
    logs = np.log(np.sort(evals)[::-1] * trace_scale(with_zeros)).cumsum()
    ecs = effective_correlation_space(with_zeros)
    assert ecs.n == np.flatnonzero(logs < 0)[0] + 1


def test_where_the_rank_ends_first_the_whole_range_is_in_it():
    ecs = effective_correlation_space(np.array([0.0, 1.0, 0.0, 1.0]))  # 2, 2, 0, 0 in the trace scale
    assert (ecs.n, ecs.lambda_min) == (2, 2.0)
    assert ecs.trace_log == pytest.approx(2 * np.log(2), rel=1e-15)


def test_trace_scale_makes_the_mean_1():
    evals = np.random.default_rng(13).lognormal(size=1000)
    assert (evals * trace_scale(evals)).mean() == pytest.approx(1.0, rel=1e-13)


def test_tail_trace_log_by_hand():
    # Trace scale: factor 4/10, so 0.4, 0.8, 1.2, 1.6; from 2 up that leaves out the first.
    assert tail_trace_log(np.array([4.0, 1.0, 3.0, 2.0]), 2.0) == pytest.approx(np.log(0.8 * 1.2 * 1.6), rel=1e-13)


def test_zero_matrix_has_a_reason():
    assert effective_correlation_space(np.zeros(3)) is Reason.ZERO_MATRIX
    assert closest_correlation_space(np.zeros(3)) is Reason.ZERO_MATRIX


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [5, 60, 700])
def test_closest_is_the_smallest_product_past_the_peak(draw_spectrum, kind, n):
    evals = draw_spectrum(kind, np.random.default_rng([KINDS.index(kind), n, 3]), n)
    logs = np.log(np.sort(evals)[::-1] * n / evals.sum())
    peak = np.count_nonzero(logs > 0)
    sizes = {k: abs(logs[:k].sum()) for k in range(peak, n + 1)}
    closest = closest_correlation_space(evals)
    assert sizes[closest.n] == pytest.approx(min(sizes.values()), abs=1e-10)
    assert closest.trace_log == pytest.approx(logs[: closest.n].sum(), abs=1e-10)
    assert closest.lambda_min == pytest.approx(np.exp(logs[closest.n - 1]), rel=1e-13)
    assert effective_correlation_space(evals).n - closest.n in (0, 1)


def test_closest_takes_either_side():
    above = closest_correlation_space(np.array([2.0, 0.6, 0.4]))  # products 2, 1.2, 0.48
    assert (above.n, above.trace_log) == (2, pytest.approx(np.log(1.2), rel=1e-14))
    below = closest_correlation_space(np.array([1.2, 1.2, 0.69, 0.91]))  # products 1.2, 1.44, 1.3104, 0.904
    assert (below.n, below.trace_log) == (4, pytest.approx(np.log(1.2 * 1.2 * 0.91 * 0.69), rel=1e-13))
    exact = closest_correlation_space(np.array([4.0, 1.0, 1.0]))  # products 2, 1, 1/2
    assert (exact.n, exact.trace_log) == (2, 0.0)


@pytest.mark.parametrize("n", [1, 2, 1000])
def test_closest_of_equal_eigenvalues_is_all_of_them(n):
    assert closest_correlation_space(np.full(n, 0.1)).n == n


@pytest.mark.parametrize("exponent", [-1000, -300, 0, 300, 1000])
def test_nothing_depends_on_the_exponent(exponent):
    """Powers of two, so that not one bit may differ."""
    evals = np.random.default_rng(23).lognormal(sigma=1.5, size=500)
    scaled = np.ldexp(evals, exponent)
    assert effective_correlation_space(scaled) == effective_correlation_space(evals)
    assert closest_correlation_space(scaled) == closest_correlation_space(evals)
    np.testing.assert_array_equal(to_trace_scale(scaled), to_trace_scale(evals))
    assert trace_scale(scaled) == np.ldexp(trace_scale(evals), -exponent)
    assert tail_trace_log(scaled, np.ldexp(1.0, exponent)) == tail_trace_log(evals, 1.0)


def test_denormal_spectrum():
    tiny = np.array([2.0, 1.0, 1.0]) * 5e-324
    assert effective_correlation_space(tiny) == effective_correlation_space(np.array([2.0, 1.0, 1.0]))
    np.testing.assert_array_equal(to_trace_scale(tiny), [1.5, 0.75, 0.75])
    with pytest.raises(SetolError, match=r"the largest is 1e-323\. Call to_trace_scale"):
        trace_scale(tiny)


def test_the_largest_spectrum():
    huge = np.array([1.7e308, 1.7e308, 1.7e308 / 4])
    assert effective_correlation_space(huge) == effective_correlation_space(np.array([1.7, 1.7, 1.7 / 4]))


@pytest.mark.parametrize("function", [trace_scale, to_trace_scale, lambda evals: tail_trace_log(evals, 1.0)])
def test_zeros_alone_have_no_trace_scale(function):
    with pytest.raises(SetolError, match="need at least one positive eigenvalue for the trace scale; got only zeros"):
        function(np.zeros(4))


@pytest.mark.parametrize("lambda_min", [0.0, -1.0, np.nan, np.inf])
def test_tail_trace_log_refuses_what_is_no_edge(lambda_min):
    with pytest.raises(SetolError, match="need a finite lower edge lambda_min above 0; got"):
        tail_trace_log(np.ones(3), lambda_min)


@pytest.mark.parametrize(
    ("evals", "message"),
    [
        (np.array([]), r"need at least one eigenvalue, shape \(n,\); got shape \(0,\)"),
        (np.ones((1, 3)), r"need at least one eigenvalue, shape \(n,\); got shape \(1, 3\)"),
        (np.array([2.0, -1.0]), r"got 1 others, the first -1\.0"),
        (np.array([2.0, np.nan]), r"got 1 others, the first nan"),
        (np.array([2.0, np.inf]), r"got 1 others, the first inf"),
    ],
)
@pytest.mark.parametrize(
    "function",
    [
        effective_correlation_space,
        closest_correlation_space,
        trace_scale,
        to_trace_scale,
        lambda evals: tail_trace_log(evals, 1.0),
    ],
)
def test_refuses_what_is_no_spectrum(function, evals, message):
    with pytest.raises(SetolError, match=message):
        function(evals)

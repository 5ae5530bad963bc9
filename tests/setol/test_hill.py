"""Hill's exponent at the median: by hand, on Marchenko-Pastur spectra, on heavy-tailed entries."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from setol import Reason, SetolError
from setol.tails.hill import fit_hill


def test_by_hand():
    # n = 5, so from index 2: 4, 8, 16 and their logarithms above 4, in units of ln 2: 0, 1, 2.
    fit = fit_hill(np.array([16.0, 1.0, 4.0, 2.0, 8.0]))
    assert fit.alpha == pytest.approx(1 + 3 / (3 * math.log(2)), rel=1e-14)
    assert (fit.n_tail, fit.lambda_min, fit.lambda_max) == (3, 4.0, 16.0)
    cdf = 1 - np.array([1.0, 2.0, 4.0]) ** (1 - fit.alpha)
    assert fit.d_ww == pytest.approx(np.abs(cdf - np.arange(3) / 3).max(), rel=1e-14)
    assert fit.d_ks == pytest.approx(max(fit.d_ww, np.abs(cdf - np.arange(1, 4) / 3).max()), rel=1e-14)
    assert fit.alpha_sigma == pytest.approx((fit.alpha - 1) / math.sqrt(3), rel=1e-14)


@pytest.mark.parametrize("n", [4, 5, 100, 101])
def test_tail_is_the_upper_half(n):
    assert fit_hill(np.arange(1.0, n + 1)).n_tail == n - n // 2


@pytest.mark.parametrize(("aspect_ratio", "alpha"), [(1, 2.12), (2, 2.71), (4, 3.47), (8, 4.48)])
def test_random_matrices_depend_on_their_aspect_ratio(marchenko_pastur_quantiles, aspect_ratio, alpha):
    """Quantiles of the law, so free of scatter; the size hardly matters, the aspect ratio does."""
    for n in (1000, 4000):
        assert fit_hill(marchenko_pastur_quantiles(n, aspect_ratio)).alpha == pytest.approx(alpha, abs=0.03)


@pytest.mark.parametrize(("aspect_ratio", "alpha"), [(1, 2.12), (4, 3.47)])
def test_drawn_random_matrices_have_these_values(aspect_ratio, alpha):
    W = np.random.default_rng(1).standard_normal((500 * aspect_ratio, 500))
    assert fit_hill(np.linalg.svd(W, compute_uv=False) ** 2).alpha == pytest.approx(alpha, abs=0.05)


def test_heavy_tailed_spectrum(draw_pareto):
    """A power law as a whole is one above its median as well; five standard errors."""
    fit = fit_hill(draw_pareto(np.random.default_rng(2), 4000, 2.5))
    assert abs(fit.alpha - 2.5) < 5 * fit.alpha_sigma


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(4, 200), st.floats(1e-290, 1e290))
def test_scale_and_order(seed, n, factor):
    rng = np.random.default_rng(seed)
    evals = np.exp(rng.standard_normal(n))
    fit, scaled = fit_hill(evals), fit_hill(rng.permutation(evals) * factor)
    assert scaled.alpha == pytest.approx(fit.alpha, rel=1e-9)
    assert scaled.d_ww == pytest.approx(fit.d_ww, abs=1e-9)
    assert (scaled.n_tail, scaled.lambda_min) == (fit.n_tail, fit.lambda_min * factor)


@pytest.mark.parametrize("evals", [[], [2.0], [1.0, 2.0]])
def test_too_few_eigenvalues(evals):
    assert fit_hill(np.array(evals)) is Reason.TOO_FEW_EIGENVALUES


def test_equal_upper_half():
    assert fit_hill(np.array([0.1, 0.2, 3.0, 3.0])) is Reason.EQUAL_EIGENVALUES


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_refuses_what_has_no_logarithm(bad):
    with pytest.raises(SetolError, match=r"need positive finite eigenvalues.*with 1 that are not.*Drop zeros"):
        fit_hill(np.array([1.0, bad, 2.0, 3.0]))


@pytest.mark.parametrize("evals", [[5e-324, 1e-323, 2e-323, 5e-323], [1e300, 2e300, 3e300, 1e301]])
def test_the_ends_of_float64(evals):
    fit = fit_hill(np.array(evals))
    assert fit.alpha > 1
    assert fit.lambda_min == evals[2]

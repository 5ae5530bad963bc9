"""Windows of one aspect ratio: where they lie, what they hold, and that they free exponents of the shape."""

import numpy as np
import pytest

from setol import Reason, SetolError
from setol.weights.decomposition import decompose
from setol.weights.farms import FarmsOptions, WindowSpectra, window_spectra
from tests.setol.stacks import BAD_ENTRIES, DEVICES, WRONG_STACKS, gaussian, spoiled


def median_hill(evals):
    """Exponent of the density above the median, 1 + n/sum ln(lambda/lambda_median), the smallest one included."""
    ordered = np.sort(evals, axis=None)
    tail = ordered[len(ordered) // 2 :]
    return 1 + len(tail) / np.log(tail / tail[0]).sum()


@pytest.fixture(scope="module")
def gaussians():
    """Of aspect ratios 1, 2, 4 and 8, all 400 wide."""
    return {q: gaussian((1, 400 * q, 400), seed=q) for q in (1, 2, 4, 8)}


def test_the_exponent_of_a_whole_gaussian_matrix_depends_on_its_shape(gaussians):
    """Its values: 1 + 1/(mean of ln(lambda/median) above the median) of the Marchenko-Pastur law."""
    for q, expected in ((1, 2.12), (2, 2.71), (4, 3.47), (8, 4.48)):
        # Four draws of this size spread by .01 to .03 (measured), growing with the exponent.
        assert median_hill(decompose(gaussians[q]).evals) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(("aspect_ratio", "expected"), [(1.0, 2.12), (2.0, 2.71)])
def test_the_exponent_of_its_windows_does_not(gaussians, aspect_ratio, expected):
    options = FarmsOptions(aspect_ratio=aspect_ratio, largest_cols=200, n_positions=3)
    alphas = [median_hill(window_spectra(matrix, options).evals) for matrix in gaussians.values()]
    assert max(alphas) / min(alphas) < 1.03
    assert np.mean(alphas) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("orientation", ["tall", "wide"])
def test_each_window_is_decomposed_as_it_lies(orientation, device):
    matrices = gaussian((2, 50, 23), seed=10)
    given = matrices if orientation == "tall" else matrices.mT
    spectra = window_spectra(given.to(device), FarmsOptions(aspect_ratio=2.0, largest_cols=10, n_positions=3))
    assert isinstance(spectra, WindowSpectra)
    assert (spectra.n_rows, spectra.n_cols) == (20, 10)
    assert spectra.evals.shape == (2, 9, 10)
    corners = [(top, left) for top in (0, 15, 30) for left in (0, 6, 13)]  # 6.5 goes to the even 6
    for index, (top, left) in enumerate(corners):
        window = matrices[:, top : top + 20, left : left + 10].numpy()
        exact = np.linalg.svd(window, compute_uv=False)[:, ::-1] ** 2
        np.testing.assert_allclose(spectra.evals[:, index], exact, rtol=0, atol=1e-13 * exact.max())


def test_the_taps_of_a_kernel_have_windows_of_their_own():
    kernel = gaussian((30, 12, 3, 3), seed=11)
    taps = kernel.flatten(2).permute(2, 0, 1)
    options = FarmsOptions(n_positions=4)
    spectra = window_spectra(taps, options)
    assert spectra.evals.shape == (9, 4, 12)  # the columns leave no room to move
    for tap in range(9):
        alone = window_spectra(taps[tap][None], options)
        np.testing.assert_allclose(spectra.evals[tap], alone.evals[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("shape", "options", "window", "n_windows"),
    [
        ((64, 64), FarmsOptions(), (64, 64), 1),
        ((64, 64), FarmsOptions(largest_cols=60), (60, 60), 25),  # 5 places on each axis, not 10
        ((64, 60), FarmsOptions(n_positions=1, largest_cols=9), (9, 9), 1),
        ((100, 64), FarmsOptions(aspect_ratio=2.0), (100, 50), 10),
        ((100, 64), FarmsOptions(aspect_ratio=1.5), (96, 64), 5),
        ((7, 5), FarmsOptions(aspect_ratio=3.0), (6, 2), 8),
        ((3, 1), FarmsOptions(aspect_ratio=2.5), (2, 1), 2),
    ],
)
def test_windows_fit_and_none_comes_twice(shape, options, window, n_windows):
    spectra = window_spectra(gaussian((1, *shape), seed=12), options)
    assert (spectra.n_rows, spectra.n_cols) == window
    assert spectra.evals.shape == (1, n_windows, window[1])
    assert len(np.unique(spectra.evals[0, :, -1])) == n_windows


def test_a_window_over_all_is_the_matrix_itself():
    matrices = gaussian((3, 40, 40), seed=13)
    assert np.array_equal(window_spectra(matrices).evals[:, 0], decompose(matrices).evals)


def test_scale_and_transposition():
    matrices, options = gaussian((1, 60, 25), seed=14), FarmsOptions(largest_cols=10, n_positions=3)
    plain = window_spectra(matrices, options)
    np.testing.assert_allclose(window_spectra(1e-3 * matrices, options).evals, 1e-6 * plain.evals, rtol=1e-9)
    np.testing.assert_allclose(window_spectra(matrices.mT, options).evals, plain.evals, rtol=1e-12)


def test_a_matrix_too_short_for_a_window_is_a_reason():
    assert window_spectra(gaussian((1, 3, 2)), FarmsOptions(aspect_ratio=4.0)) is Reason.TOO_FEW_EIGENVALUES


@pytest.mark.parametrize("value", BAD_ENTRIES)
def test_entries_without_a_finite_square_are_a_reason(value):
    assert window_spectra(spoiled((2, 30, 20), value)) is Reason.NON_FINITE


@pytest.mark.parametrize(("stack", "message"), WRONG_STACKS)
def test_refuses_what_is_no_stack(stack, message):
    with pytest.raises(SetolError, match=message):
        window_spectra(stack)


@pytest.mark.parametrize("aspect_ratio", [0.5, 0.0, -1.0, float("nan"), float("inf")])
def test_refuses_an_aspect_ratio_that_is_none(aspect_ratio):
    with pytest.raises(SetolError, match=f"aspect_ratio of at least 1.*got {aspect_ratio}"):
        FarmsOptions(aspect_ratio=aspect_ratio)


@pytest.mark.parametrize("options", [{"largest_cols": 0}, {"n_positions": 0}, {"n_positions": -2}])
def test_refuses_empty_grids(options):
    (name, value), *_ = options.items()
    with pytest.raises(SetolError, match=f"at least 1 .*got {name} = {value}"):
        FarmsOptions(**options)

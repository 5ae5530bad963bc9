"""The preset natcomm2021: every tap of a kernel is a matrix, as in Nature Communications 12, 4122 (2021)."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from analysis.opening.results import open_results
from catalogs.paths import catalog_of_paths
from pipeline.options import preset
from setol import fit_power_law
from tests.conftest import run_here


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    """Kernels of 3 x 3, 1 x 1 and 2 x 3 taps, one too narrow for a fit, and a linear layer; all heavy-tailed."""
    generator = torch.Generator().manual_seed(21)

    def heavy(*shape: int) -> torch.Tensor:
        noise = torch.randn(shape, generator=generator, dtype=torch.float64)
        return (
            noise * torch.rand(shape[:1], generator=generator).pow(-0.4).reshape(-1, *[1] * (len(shape) - 1))
        ).float()

    return {
        "a.weight": 0.1 * heavy(96, 64, 3, 3),
        "b.weight": heavy(60, 128, 1, 1),
        "c.weight": heavy(64, 64, 2, 3),
        "narrow.weight": heavy(128, 49, 3, 3),
        "fc.weight": heavy(100, 80),
    }


@pytest.fixture(scope="module")
def folder(weights, tmp_path_factory):
    home = tmp_path_factory.mktemp("model")
    save_file(weights, home / "net.safetensors")
    run_here(catalog_of_paths([str(home / "net.safetensors")]), home / "r", preset("natcomm2021"))
    return home / "r"


def spectra_of(tensor: torch.Tensor) -> list[np.ndarray]:
    """Of each tap, from singular values, times k_h k_w / 2; of a linear layer the only one, as it is."""
    if tensor.ndim == 2:
        return [torch.linalg.svdvals(tensor.double()).numpy() ** 2]
    taps = tensor.double().reshape(*tensor.shape[:2], -1)
    n_taps = taps.shape[2]
    return [torch.linalg.svdvals(taps[:, :, tap]).numpy() ** 2 * n_taps / 2 for tap in range(n_taps)]


def test_a_row_for_every_tap(weights, folder):
    rows = open_results([folder]).rows("SELECT * FROM layers ORDER BY row, tap")
    counts = {name: sum(row["tensor"] == name for row in rows) for name in weights}
    assert counts == {"a.weight": 9, "b.weight": 1, "c.weight": 6, "narrow.weight": 9, "fc.weight": 1}
    assert [row["tap"] for row in rows if row["tensor"] == "a.weight"] == list(range(9))
    assert [row["tap"] for row in rows if row["tensor"] == "fc.weight"] == [None]
    factors = {row["tensor"]: row["evals_factor"] for row in rows}
    assert factors == {"a.weight": 4.5, "b.weight": 0.5, "c.weight": 3.0, "narrow.weight": 4.5, "fc.weight": 1.0}
    assert sum(row["n_params"] for row in rows) == sum(tensor.numel() for tensor in weights.values())


def test_metrics_of_every_tap_by_brute_force(weights, folder):
    rows = open_results([folder]).rows("SELECT * FROM layers ORDER BY row, tap")
    for name, tensor in weights.items():
        for row, evals in zip((row for row in rows if row["tensor"] == name), spectra_of(tensor), strict=True):
            assert row["n_evals"] == min(tensor.shape[:2])
            assert row["log_norm"] == pytest.approx(np.log10(evals.sum()), abs=1e-12)
            assert row["log_spectral_norm"] == pytest.approx(np.log10(evals.max()), abs=1e-12)
            if name == "narrow.weight":  # 49 eigenvalues, and 50 are asked for
                assert (row["status"], row["reason"], row["alpha"]) == ("no_tail", "too_few_eigenvalues", None)
                continue
            fit = fit_power_law(np.sort(evals[evals > 1e-5]))
            assert row["alpha"] == pytest.approx(fit.alpha, rel=1e-9)
            assert row["alpha_hat"] == pytest.approx(fit.alpha * np.log10(evals.max()), rel=1e-9)
            assert row["log_alpha_norm"] == pytest.approx(np.log10((evals**fit.alpha).sum()), rel=1e-9)


def test_a_model_is_the_mean_over_taps_of_logarithms(weights, folder):
    """A kernel of nine taps counts nine times; the logarithm comes first, the mean after."""
    (row,) = open_results([folder]).rows("FROM model_metrics")
    spectra = [evals for name in weights if name != "narrow.weight" for evals in spectra_of(weights[name])]
    assert row["n_layers"] == len(spectra) == 9 + 1 + 6 + 1
    logs = np.array([np.log10(evals.sum()) for evals in spectra])
    assert row["log_norm_mean"] == pytest.approx(logs.mean(), abs=1e-12)
    assert abs(row["log_norm_mean"] - np.log10(np.mean(10**logs))) > 0.05  # the logarithm of the mean is another number
    assert row["log_spectral_norm_mean"] == pytest.approx(np.mean([np.log10(evals.max()) for evals in spectra]))
    assert row["alpha_mean"] == pytest.approx(np.mean([fit_power_law(np.sort(each)).alpha for each in spectra]))


def test_the_published_norms_in_sql(weights, folder):
    """docs/commands.md: the paper's log_norm has no square, and one of its tables the logarithm of a mean."""
    (row,) = open_results([folder]).rows(
        "SELECT avg(log_norm) / 2 AS log_norm, ln(avg(lambda_max)) AS spectral FROM layers WHERE status = 'ok'"
    )
    taps = [torch.from_numpy(each) for name in weights if name != "narrow.weight" for each in spectra_of(weights[name])]
    assert row["log_norm"] == pytest.approx(np.mean([float(tap.sum().sqrt().log10()) for tap in taps]))
    assert row["spectral"] == pytest.approx(float(torch.stack([tap.max() for tap in taps]).mean().log()))

"""Names by content, and what may be chosen."""

from dataclasses import replace

import pytest

from pipeline import options
from pipeline.options import MetricOptions, OptionError, SpectrumOptions, fit_id, preset, spectra_id

SHA = "ab" * 32


def test_ids_are_a_chain():
    spectra = spectra_id(SHA, SpectrumOptions())
    assert spectra == spectra_id(SHA, SpectrumOptions())
    assert spectra != spectra_id("cd" * 32, SpectrumOptions())
    assert fit_id(spectra, MetricOptions()) != fit_id(spectra, MetricOptions(min_evals=20))
    assert fit_id(spectra, MetricOptions()) != fit_id(spectra_id("cd" * 32, SpectrumOptions()), MetricOptions())


def test_a_raised_version_renames_what_depends_on_it(monkeypatch):
    spectra, fit = spectra_id(SHA, SpectrumOptions()), fit_id("x", MetricOptions())
    monkeypatch.setattr(options, "METRICS_VERSION", options.METRICS_VERSION + 1)
    assert spectra_id(SHA, SpectrumOptions()) == spectra
    assert fit_id("x", MetricOptions()) != fit
    monkeypatch.setattr(options, "SPECTRA_VERSION", options.SPECTRA_VERSION + 1)
    assert spectra_id(SHA, SpectrumOptions()) != spectra


def test_presets():
    assert preset("default") == MetricOptions(kernel_factor=0.5, least_eigenvalue=0.0, min_evals=50, small_sample=False)
    assert preset("weightwatcher") == MetricOptions(
        kernel_factor=0.5, least_eigenvalue=1e-5, min_evals=8, small_sample=True
    )
    with pytest.raises(OptionError, match=r"unknown preset 'weightwacher'; nearest: weightwatcher"):
        preset("weightwacher")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernel_factor": 0.0}, "kernel_factor must be positive"),
        ({"kernel_factor": float("nan")}, "kernel_factor must be positive"),
        ({"least_eigenvalue": -1.0}, "least_eigenvalue must be 0 or more"),
        ({"min_evals": 1}, "min_evals must be at least 2"),
    ],
)
def test_options_out_of_range(change, message):
    with pytest.raises(OptionError, match=message):
        replace(MetricOptions(), **change)


def test_unknown_precision():
    with pytest.raises(OptionError, match=r"unknown precision 'float32'.*float64"):
        SpectrumOptions(precision="float32")

"""Names by content, and what may be chosen."""

from dataclasses import replace

import pytest

from catalogs.identity import config_id, fit_id, spectra_id
from pipeline import options
from pipeline.errors import OptionError
from pipeline.options import MetricOptions, Options, SpectrumOptions, options_of, preset

SHA = "ab" * 32


def test_ids_are_a_chain():
    default, other = Options().content, Options(metrics=MetricOptions(min_evals=20)).content
    assert spectra_id(SHA, default) == spectra_id(SHA, other)
    assert fit_id(SHA, default) != fit_id(SHA, other)
    assert spectra_id(SHA, default) != spectra_id("cd" * 32, default)
    assert fit_id(SHA, default) != fit_id("cd" * 32, default)
    assert Options().config != Options(metrics=MetricOptions(min_evals=20)).config


def test_a_raised_version_renames_what_depends_on_it(monkeypatch):
    spectra, fit, config = spectra_id(SHA, Options().content), fit_id(SHA, Options().content), Options().config
    monkeypatch.setattr(options, "METRICS_VERSION", options.METRICS_VERSION + 1)
    assert spectra_id(SHA, Options().content) == spectra
    assert fit_id(SHA, Options().content) != fit
    assert Options().config != config
    monkeypatch.setattr(options, "SPECTRA_VERSION", options.SPECTRA_VERSION + 1)
    assert spectra_id(SHA, Options().content) != spectra


def test_what_a_folder_adds_to_its_options_does_not_rename_them():
    assert config_id({**Options().content, "planned": "2026-01-01", "catalog": "demo"}) == Options().config


def test_a_spectrum_option_at_its_default_renames_nothing():
    assert SpectrumOptions().content == {"precision": "float64"}
    assert SpectrumOptions(permutations=2, vectors=True).content == {
        "precision": "float64",
        "permutations": 2,
        "vectors": True,
    }
    other = Options(spectrum=SpectrumOptions(windows=True)).content
    assert spectra_id(SHA, other) != spectra_id(SHA, Options().content)


def test_presets():
    assert preset("default") == MetricOptions(kernel_factor=0.5, least_eigenvalue=0.0, min_evals=50, small_sample=False)
    assert preset("weightwatcher") == MetricOptions(
        kernel_factor=0.5, least_eigenvalue=1e-5, min_evals=8, small_sample=True, detail="basic"
    )
    assert preset("natcomm2021") == MetricOptions(
        kernels="slices", kernel_factor=0.5, factor_by_taps=True, least_eigenvalue=1e-5, min_evals=50, detail="basic"
    )
    assert preset("natcomm2021").factor(9) == 4.5
    assert preset("default").factor(9) == 0.5
    assert preset("default", min_evals=9, kernel_factor=None).min_evals == 9
    with pytest.raises(OptionError, match=r"unknown preset 'weightwacher'; nearest: weightwatcher"):
        preset("weightwacher")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernel_factor": 0.0}, "kernel_factor must be positive"),
        ({"kernel_factor": float("nan")}, "kernel_factor must be positive"),
        ({"least_eigenvalue": -1.0}, "least_eigenvalue must be 0 or more"),
        ({"tracy_widom_level": 1.0}, "tracy_widom_level must be between 0 and 1"),
        ({"kernels": "pool"}, "unknown kernels 'pool'; nearest: pooled"),
        ({"fingers": "clipp"}, "unknown fingers 'clipp'; nearest: clip"),
        ({"bulk": "median"}, "unknown bulk 'median'"),
        ({"detail": "ful"}, "unknown detail 'ful'; nearest: full"),
        ({"bootstrap": -1}, "bootstrap must be at least 0, got -1"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"min_evals": 1}, "min_evals must be at least 2"),
    ],
)
def test_options_out_of_range(change, message):
    with pytest.raises(OptionError, match=message):
        replace(MetricOptions(), **change)


def test_unknown_precision():
    with pytest.raises(OptionError, match=r"unknown precision 'float16'.*float64"):
        SpectrumOptions(precision="float16")


def test_options_about_spectra_and_metrics_are_told_apart():
    options = options_of("weightwatcher", detail="full", permutations=2, seed=3, min_evals=None)
    assert options.spectrum == SpectrumOptions(permutations=2, seed=3)
    assert options.metrics == replace(preset("weightwatcher"), detail="full", seed=3)
    with pytest.raises(OptionError, match="unknown option 'permutation'; nearest: permutations"):
        options_of("default", permutation=1)

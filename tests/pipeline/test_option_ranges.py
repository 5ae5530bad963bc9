"""Every option refuses what it cannot mean, and says what it can."""

from dataclasses import fields, replace

import pytest

from pipeline.errors import OptionError
from pipeline.options import PRESETS, MetricOptions, SpectrumOptions, preset

NAN, INFINITE = float("nan"), float("inf")
REFUSED = {
    "kernels": (["pool", ""], r"unknown kernels '.*'.*pooled"),
    "kernel_factor": ([0.0, -0.5, NAN, INFINITE], r"kernel_factor must be positive and finite, got "),
    "least_eigenvalue": ([-1e-5, NAN, INFINITE], r"least_eigenvalue must be 0 or more and finite, got "),
    "min_evals": ([1, 0, -50], r"min_evals must be at least 2 .*, got "),
    "fingers": (["cut", "Clip"], r"unknown fingers '.*'.*clip"),
    "bulk": (["quantiles", "median"], r"unknown bulk '.*'.*quantile"),
    "tracy_widom_level": (
        [0.0, 1.0, -0.1, 99.0, NAN],
        r"tracy_widom_level must be between 0 and 1, .*, got ",
    ),
    "detail": (["all", "ful"], r"unknown detail '.*'.*full"),
    "bootstrap": ([-1], r"bootstrap must be at least 0, got -1"),
    "seed": ([-1], r"seed must be at least 0, got -1"),
}
YES_OR_NO = {"factor_by_taps", "small_sample", "vectors", "windows"}


def test_every_option_is_here():
    named = {field.name for options in (MetricOptions, SpectrumOptions) for field in fields(options)}
    assert named == {*REFUSED, *YES_OR_NO, "precision", "permutations", "base"}


@pytest.mark.parametrize(("option", "value"), [(name, value) for name in REFUSED for value in REFUSED[name][0]])
def test_a_metric_option_out_of_range(option, value):
    with pytest.raises(OptionError, match=REFUSED[option][1]):
        replace(MetricOptions(), **{option: value})
    with pytest.raises(OptionError, match=REFUSED[option][1]):
        preset("default", **{option: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"precision": "float16"}, r"unknown precision 'float16'.*float64"),
        ({"permutations": -1}, r"permutations must be at least 0, got -1"),
        ({"seed": -7}, r"seed must be at least 0, got -7"),
    ],
)
def test_a_spectrum_option_out_of_range(change, message):
    with pytest.raises(OptionError, match=message):
        SpectrumOptions(**change)


def test_the_ends_of_the_ranges_are_within():
    replace(MetricOptions(), min_evals=2, least_eigenvalue=0.0, bootstrap=0, seed=0, tracy_widom_level=1e-9)
    replace(MetricOptions(), kernel_factor=5e-324, tracy_widom_level=1 - 1e-9)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_with_nothing_chosen_is_itself(name):
    assert preset(name, min_evals=None, detail=None, seed=None) == PRESETS[name]

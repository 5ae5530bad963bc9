"""What may be chosen: how spectra are made, and how metrics are computed from them."""

from dataclasses import asdict, dataclass, field
from typing import Any

from catalogs import unknown_name
from catalogs.identity import config_id
from pipeline.errors import OptionError

SPECTRA_VERSION = 1
"""Raised by hand when the values in a spectra file may change: the layout rules, the decomposition."""

METRICS_VERSION = 1
"""Raised by hand when the values of a metric may change; never for a new column."""


@dataclass(frozen=True, slots=True)
class SpectrumOptions:
    """How spectra are made from weights. Another choice here means reading the weights again.

    Attributes:
        precision: Number format of the decomposition.
    """

    precision: str = "float64"

    def __post_init__(self) -> None:
        if self.precision != "float64":
            raise OptionError(f"{unknown_name('precision', self.precision, ['float64'])}")


@dataclass(frozen=True, slots=True)
class MetricOptions:
    """How metrics are computed from spectra. Another choice here needs no weights.

    Attributes:
        kernel_factor: Factor on the eigenvalues of convolution kernels, whose taps are pooled into one spectrum.
            1/2 is WeightWatcher's; 1 leaves them as they are.
        least_eigenvalue: Absolute threshold on the eigenvalues of a tail fit, after the factor. 0 keeps all that
            the decomposition resolves, which makes alpha free of scale; WeightWatcher cuts at 1e-5.
        min_evals: Fewest eigenvalues above the threshold for a tail fit.
        small_sample: Whether spectra of fewer than 20 eigenvalues are fitted as WeightWatcher 0.7.7 does.
    """

    kernel_factor: float = 0.5
    least_eigenvalue: float = 0.0
    min_evals: int = 50
    small_sample: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.kernel_factor < float("inf"):
            raise OptionError(f"kernel_factor must be positive and finite, got {self.kernel_factor}.")
        if not 0 <= self.least_eigenvalue < float("inf"):
            raise OptionError(f"least_eigenvalue must be 0 or more and finite, got {self.least_eigenvalue}.")
        if self.min_evals < 2:
            raise OptionError(f"min_evals must be at least 2 (a tail has two points or more), got {self.min_evals}.")


@dataclass(frozen=True, slots=True)
class Options:
    """A whole configuration.

    Attributes:
        spectrum: How spectra are made.
        metrics: How metrics are computed from them.
    """

    spectrum: SpectrumOptions = field(default_factory=SpectrumOptions)
    metrics: MetricOptions = field(default_factory=MetricOptions)

    @property
    def content(self) -> dict[str, Any]:
        """All options and the versions of the values, as a results folder keeps them."""
        return {
            "spectrum": asdict(self.spectrum),
            "spectra_version": SPECTRA_VERSION,
            "metrics": asdict(self.metrics),
            "metrics_version": METRICS_VERSION,
        }

    @property
    def config(self) -> str:
        """Name of the configuration."""
        return config_id(self.content)


PRESETS = {
    "default": MetricOptions(),
    "weightwatcher": MetricOptions(least_eigenvalue=1e-5, min_evals=8, small_sample=True),
}


def preset(name: str) -> MetricOptions:
    """Metric options by name.

    Raises:
        OptionError: There is no such preset.
    """
    if name not in PRESETS:
        raise OptionError(unknown_name("preset", name, PRESETS))
    return PRESETS[name]

"""What may be chosen: how spectra are made, and how metrics are computed from them."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from catalogs import unknown_name

SPECTRA_VERSION = 1
"""Raised by hand when the values in a spectra file may change: the layout rules, the decomposition."""

METRICS_VERSION = 1
"""Raised by hand when the values of a metric may change; never for a new column."""


class OptionError(ValueError):
    """An option outside its range, or a preset that does not exist."""


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


def spectra_id(weights_sha256: str, options: SpectrumOptions) -> str:
    """Name of the spectra of a weight file: its content, the options, and the version of the code's values.

    The layout (tensor to kind and part) is a function of the content and of SPECTRA_VERSION.
    """
    return digest({"weights": weights_sha256, "spectrum": asdict(options), "version": SPECTRA_VERSION})


def fit_id(spectra: str, options: MetricOptions) -> str:
    """Name of the metrics of a spectra file."""
    return digest({"spectra": spectra, "metrics": asdict(options), "version": METRICS_VERSION})


def digest(content: dict[str, Any]) -> str:
    """32 hexadecimal digits of the sha256 of content as canonical JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]

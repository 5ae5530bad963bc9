"""What may be chosen: how spectra are made, and how metrics are computed from them."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from catalogs import unknown_name
from catalogs.identity import config_id
from pipeline.base_model import BaseModel
from pipeline.errors import OptionError

SPECTRA_VERSION = 4
"""Raised by hand when the values in a spectra file may change: the layout rules, the decomposition."""

METRICS_VERSION = 3
"""Raised by hand when the values of a metric may change; never for a new column."""


FINGERS = ("keep", "clip", "clip_weightwatcher", "peak")
KERNELS = ("pooled", "slices")
BULKS = ("iteration", "quantile")
PRECISIONS = ("float64", "float32")
DETAILS = ("basic", "standard", "full")


def _check_name(option: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise OptionError(unknown_name(option, value, known))


def _check_least(option: str, value: int, least: int) -> None:
    if value < least:
        raise OptionError(f"{option} must be at least {least}, got {value}.")


@dataclass(frozen=True, slots=True)
class SpectrumOptions:
    """How spectra are made from weights. Another choice here means reading the weights again.

    Attributes:
        precision: `float64`; or `float32`, for devices whose float64 is a small fraction of it: eigenvalues are right
            to about 10^-5 of the largest, those below are zeros, and a sample is checked in float64. It changes values,
            so it is chosen by hand and never by what the machine can do.
        permutations: How many spectra of permuted entries are stored beside each spectrum.
        vectors: Whether the spread of every singular vector is stored; takes several times as long.
        windows: Whether the spectra of square windows (FARMS) are stored.
        seed: Where permutations come from.
        base: The model that is subtracted first, tensor by tensor; None for spectra of the weights themselves.
    """

    precision: str = "float64"
    permutations: int = 0
    vectors: bool = False
    windows: bool = False
    seed: int = 0
    base: BaseModel | None = None

    def __post_init__(self) -> None:
        _check_name("precision", self.precision, PRECISIONS)
        _check_least("permutations", self.permutations, 0)
        _check_least("seed", self.seed, 0)

    @property
    def stores_more(self) -> bool:
        """Whether anything is stored beside the spectra."""
        return bool(self.permutations or self.windows or self.vectors)

    @property
    def content(self) -> dict[str, Any]:
        """What names the spectra: options at their default say nothing, so a new one renames none."""
        return self._chosen(None if self.base is None else self.base.sha256)

    @property
    def shown(self) -> dict[str, Any]:
        """The same for readers: the base by its key."""
        return self._chosen(None if self.base is None else self.base.model)

    def _chosen(self, base: str | None) -> dict[str, Any]:
        values = {each.name: getattr(self, each.name) for each in fields(self)} | {"base": base}
        return {"precision": self.precision} | {
            name: value for name, value in values.items() if value != getattr(PLAIN_SPECTRA, name)
        }


PLAIN_SPECTRA = SpectrumOptions()


def stored_spectrum(content: Mapping[str, Any]) -> SpectrumOptions:
    """The spectrum options of a configuration; of a base only its content and its key are known.

    Args:
        content: `Options.content`, as an options file has it.
    """
    return SpectrumOptions(**{**content["spectrum"], "base": stored_base(content)})


def stored_base(content: Mapping[str, Any]) -> BaseModel | None:
    """The base of a configuration by content and key, None where nothing was subtracted.

    Args:
        content: `Options.content`, as an options file has it.
    """
    sha256 = content["spectrum"].get("base")
    return None if sha256 is None else BaseModel(content["base"], sha256)


@dataclass(frozen=True, slots=True)
class MetricOptions:
    """How metrics are computed from spectra. Another choice here needs no weights.

    Attributes:
        kernels: `pooled`: the taps of a convolution kernel are one spectrum; `slices`: each is a matrix of its own.
        kernel_factor: Factor on the eigenvalues of kernels. 1/2 is WeightWatcher's; 1 leaves them as they are.
        factor_by_taps: Whether that factor is multiplied by the number of taps.
        least_eigenvalue: Absolute threshold on the eigenvalues of a tail fit, after the factor. 0 keeps all that
            the decomposition resolves, which makes alpha free of scale; WeightWatcher cuts at 1e-5.
        min_evals: Fewest eigenvalues above the threshold for a tail fit.
        small_sample: Whether spectra of fewer than 20 eigenvalues are fitted as WeightWatcher 0.7.7 does.
        fingers: `keep` all eigenvalues; `clip` the few largest that raise alpha; `clip_weightwatcher`, the same as
            that program counts them; `peak`: lambda_min near the peak of the histogram.
        bulk: How the variance of the Marchenko-Pastur bulk is had: `iteration`, which takes spikes off and where that
            fails is as `quantile`, which matches the median.
        tracy_widom_level: Probability with which noise alone yields no spike in a layer.
        detail: How many metrics: `basic`, those of WeightWatcher's default and ERG; `standard`, also other exponents,
            the Marchenko-Pastur bulk, spikes and the phase; `full`, also the tails that fit nearly as well, other laws
            of the tail, and the layer qualities of SETOL (experimental), in several times as long.
        bootstrap: Replicas for the goodness of fit and the interval of alpha; 0 for neither.
        seed: Where replicas come from.
    """

    kernels: str = "pooled"
    kernel_factor: float = 0.5
    factor_by_taps: bool = False
    least_eigenvalue: float = 0.0
    min_evals: int = 50
    small_sample: bool = False
    fingers: str = "keep"
    bulk: str = "iteration"
    tracy_widom_level: float = 0.99
    detail: str = "standard"
    bootstrap: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.kernel_factor < float("inf"):
            raise OptionError(f"kernel_factor must be positive and finite, got {self.kernel_factor}.")
        if not 0 <= self.least_eigenvalue < float("inf"):
            raise OptionError(f"least_eigenvalue must be 0 or more and finite, got {self.least_eigenvalue}.")
        if self.min_evals < 2:
            raise OptionError(f"min_evals must be at least 2 (a tail has two points or more), got {self.min_evals}.")
        if not 0 < self.tracy_widom_level < 1:
            raise OptionError(f"tracy_widom_level must be between 0 and 1, such as 0.99, got {self.tracy_widom_level}.")
        _check_name("kernels", self.kernels, KERNELS)
        _check_name("fingers", self.fingers, FINGERS)
        _check_name("bulk", self.bulk, BULKS)
        _check_name("detail", self.detail, DETAILS)
        _check_least("bootstrap", self.bootstrap, 0)
        _check_least("seed", self.seed, 0)

    def factor(self, n_taps: int) -> float:
        """Factor on the eigenvalues of a kernel of so many taps."""
        return self.kernel_factor * n_taps if self.factor_by_taps else self.kernel_factor


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
        """All options and the versions of the values, as a results folder keeps them; the base's key names nothing."""
        base = self.spectrum.base
        return ({} if base is None else {"base": base.model}) | {
            "spectrum": self.spectrum.content,
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
    "weightwatcher": MetricOptions(least_eigenvalue=1e-5, min_evals=8, small_sample=True, detail="basic"),
    "natcomm2021": MetricOptions(kernels="slices", factor_by_taps=True, least_eigenvalue=1e-5, detail="basic"),
}


def preset(name: str, **chosen: Any) -> MetricOptions:
    """Metric options by name, with what was chosen otherwise.

    Args:
        name: One of `PRESETS`.
        chosen: Fields of `MetricOptions`; None leaves that of the preset.

    Raises:
        OptionError: There is no such preset, or an option is out of range.
    """
    _check_name("preset", name, PRESETS)
    return replace(PRESETS[name], **{option: value for option, value in chosen.items() if value is not None})


def options_of(preset_name: str, **chosen: Any) -> Options:
    """A configuration from a preset and what was chosen otherwise, about spectra and about metrics.

    Args:
        preset_name: One of `PRESETS`.
        chosen: Fields of `SpectrumOptions` and `MetricOptions` (`seed` is one of both); None leaves the default.

    Raises:
        OptionError: There is no such preset or option, or an option is out of range.
    """
    spectrum, metrics = ({each.name for each in fields(record)} for record in (SpectrumOptions, MetricOptions))
    for name in chosen:
        _check_name("option", name, sorted(spectrum | metrics))
    given = {name: value for name, value in chosen.items() if value is not None}
    return Options(
        SpectrumOptions(**{name: value for name, value in given.items() if name in spectrum}),
        preset(preset_name, **{name: value for name, value in given.items() if name in metrics}),
    )

"""The theory as pure numerics: spectra in, frozen records out. Importing it loads no torch."""

from setol.erg import EffectiveCorrelationSpace, effective_correlation_space, tail_trace_log, trace_scale
from setol.errors import SetolError
from setol.reasons import Reason
from setol.scale import ScaleMetrics, log_alpha_norm, scale_metrics
from setol.tails.power_law import PowerLawFit, SmallSample, fit_power_law

__all__ = [
    "EffectiveCorrelationSpace",
    "PowerLawFit",
    "Reason",
    "ScaleMetrics",
    "SetolError",
    "SmallSample",
    "effective_correlation_space",
    "fit_power_law",
    "log_alpha_norm",
    "scale_metrics",
    "tail_trace_log",
    "trace_scale",
]

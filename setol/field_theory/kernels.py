"""Kernels of infinitely wide networks as functions of the cosine between two inputs of norm 1.

On the diagonal every layer has one variance, so all of a layer's kernel is a function of the cosine (Cho and Saul,
NeurIPS 2009, for ReLU; Williams, Neural Computation 10, 1998, for erf; Jacot, Gabriel and Hongler, NeurIPS 2018, for
the neural tangent kernel).
"""

import math
from typing import Any

import numpy as np

from setol.field_theory.architecture import Activation, Architecture, Kernel


def diagonals(architecture: Architecture) -> tuple[float, ...]:
    """Variances of the pre-activations, layer by layer, the output last: the NNGP kernel of an input with itself."""
    variance = architecture.weight_variance * architecture.input_scale + architecture.bias_variance
    found = [variance]
    for _ in range(architecture.hidden_layers):
        variance = architecture.weight_variance * _mean_square(architecture.activation, variance)
        variance += architecture.bias_variance
        found.append(variance)
    return tuple(found)


def kernel_values(architecture: Architecture, cosine: Any, arrays: Any = np) -> Any:
    """The kernel at the cosines of pairs of inputs.

    Args:
        architecture: The network.
        cosine: Cosines, an array of any shape; rounding beyond [-1, 1] is cut off. An input with itself has to have
            exactly 1, as the ReLU tangent kernel has a cusp there.
        arrays: The module that the array is of: numpy, or torch for tensors.

    Returns:
        The kernel, in squared units of the output, same shape.
    """
    cosine = arrays.clip(cosine, -1.0, 1.0)
    weight, bias = architecture.weight_variance, architecture.bias_variance
    covariance = weight * architecture.input_scale * cosine + bias
    tangent = covariance
    for variance in diagonals(architecture)[:-1]:
        value, slope = _averages(architecture.activation, covariance, variance, arrays)
        covariance = weight * value + bias
        tangent = covariance + weight * slope * tangent
    return tangent if architecture.kernel is Kernel.NTK else covariance


def kernel_at_one(architecture: Architecture) -> float:
    """The kernel of an input with itself, which is the sum of all eigenvalues with their degeneracies."""
    return float(kernel_values(architecture, np.ones(1))[0])


def _mean_square(activation: Activation, variance: float) -> float:
    """E phi(z)^2 for z of this variance."""
    if activation is Activation.RELU:
        return variance / 2
    if activation is Activation.ERF:
        return 2 / math.pi * math.asin(2 * variance / (1 + 2 * variance))
    return variance


def _averages(activation: Activation, covariance: Any, variance: float, arrays: Any) -> tuple[Any, Any]:
    """E phi(z) phi(z') and E phi'(z) phi'(z') for z, z' of one variance and this covariance."""
    if activation is Activation.RELU:
        rho = arrays.clip(covariance / variance, -1.0, 1.0)
        angle = math.pi - arrays.arccos(rho)
        value = variance / (2 * math.pi) * (arrays.sqrt(1 - rho**2) + rho * angle)
        return value, angle / (2 * math.pi)
    if activation is Activation.ERF:
        whole = 1 + 2 * variance
        value = 2 / math.pi * arrays.arcsin(arrays.clip(2 * covariance / whole, -1.0, 1.0))
        return value, 4 / math.pi / arrays.sqrt(whole**2 - 4 * covariance**2)
    return covariance, arrays.ones_like(covariance)

"""Taylor coefficients of a kernel in the cosine: never negative, and so is every step of their recursion.

A kernel of one angle is positive definite on spheres of every dimension if and only if its coefficients are not
negative (Schoenberg, Duke Math. J. 9, 1942). Series are composed by integrating their derivatives, so that nothing
is subtracted and the last coefficient is as exact as the first.
"""

import math

import numpy as np
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.field_theory.architecture import Activation, Architecture, Kernel
from setol.field_theory.kernels import diagonals

Series = NDArray[np.float64]


def taylor_coefficients(architecture: Architecture, count: int) -> Series:
    """The first coefficients b_q of K(t) = sum_q b_q t^q.

    Args:
        architecture: The network.
        count: How many, at least 1. The ReLU tangent kernel's fall as q^(-3/2), all others faster.

    Returns:
        Coefficients, shape (count,), in squared units of the output. Exactly 0 where a parity is absent.

    Raises:
        SetolError: `count` is below 1.
    """
    if count < 1:
        raise SetolError(f"need a count of at least 1 coefficient, got {count}.")
    weight, bias = architecture.weight_variance, architecture.bias_variance
    covariance = np.zeros(count)
    covariance[1:2] = weight * architecture.input_scale
    covariance[0] += bias
    tangent = covariance
    for variance in diagonals(architecture)[:-1]:
        value, slope = _averages(architecture.activation, covariance, variance)
        covariance = weight * value
        covariance[0] += bias
        tangent = covariance + weight * np.convolve(slope, tangent)[:count]
    return tangent if architecture.kernel is Kernel.NTK else covariance


def _averages(activation: Activation, covariance: Series, variance: float) -> tuple[Series, Series]:
    """E phi phi' and E of the derivatives' product, as series of a series."""
    if activation is Activation.LINEAR:
        unit = np.zeros_like(covariance)
        unit[0] = 1
        return covariance.copy(), unit
    if activation is Activation.ERF:
        ratio = 2 * covariance / (1 + 2 * variance)
        inverse_root = _inverse_root(ratio)
        arcsine = _integral(ratio, inverse_root, math.asin(ratio[0]))
        return 2 / math.pi * arcsine, 4 / math.pi / (1 + 2 * variance) * inverse_root
    rho = covariance / variance
    first = rho[0]
    angle = math.pi - math.acos(first)
    order_zero = _integral(rho, _inverse_root(rho) / math.pi, angle / math.pi)
    order_one = _integral(rho, order_zero, (math.sqrt(1 - first**2) + first * angle) / math.pi)
    return variance / 2 * order_one, order_zero / 2


def _inverse_root(inner: Series) -> Series:
    """(1 - inner^2)^(-1/2) by J. C. P. Miller's recurrence for a power of a series (Knuth, TAOCP 2, 4.7)."""
    square = -np.convolve(inner, inner)[: len(inner)]
    square[0] += 1
    power = np.empty_like(square)
    power[0] = square[0] ** -0.5
    index = np.arange(1, len(square), dtype=np.float64)
    for k in range(1, len(square)):
        i = index[:k]
        power[k] = np.dot((-0.5 * i - (k - i)) * square[1 : k + 1], power[k - 1 :: -1][:k]) / (k * square[0])
    return power


def _integral(inner: Series, outer: Series, constant: float) -> Series:
    """Constant + the integral of inner' times outer."""
    order = np.arange(1, len(inner), dtype=np.float64)
    found = np.empty_like(inner)
    found[0] = constant
    found[1:] = np.convolve(inner[1:] * order, outer)[: len(order)] / order
    return found

"""Kernels against wide networks, closed forms, and their own Taylor series."""

import math

import numpy as np
import pytest
import torch

from setol import SetolError
from setol.field_theory import Architecture
from setol.field_theory.kernels import kernel_at_one, kernel_values
from setol.field_theory.taylor import taylor_coefficients
from tests.setol.field_theory.networks import ALL, DEEP, LINEAR, SHALLOW

WIDTH, SEEDS, COSINE = 700, 60, 0.3
SIX_STANDARD_ERRORS = 6
"""A correct kernel fails such a test once in 10^8 (seeded, so never); finite width adds less than one."""


def wide_network(activation: str, seed: int) -> tuple[float, float]:
    """The tangent kernel of one network at cosines 1 and COSINE, by automatic differentiation."""
    generator = torch.Generator().manual_seed(seed)
    sizes = [(WIDTH, 3), (WIDTH, WIDTH), (WIDTH, WIDTH), (1, WIDTH)]
    layers = [
        (torch.randn(*size, generator=generator).requires_grad_(), torch.randn(size[0], generator=generator))
        for size in sizes
    ]
    act = torch.relu if activation == "relu" else torch.erf
    inputs = torch.tensor([[1.0, 0, 0], [COSINE, math.sqrt(1 - COSINE**2), 0]])
    gradients = []
    for x in inputs:
        parameters = [(weight, bias.clone().requires_grad_()) for weight, bias in layers]
        z, scale = x, 1.2
        for depth, (weight, bias) in enumerate(parameters):
            z = scale * (weight @ z) / (math.sqrt(WIDTH) if depth else 1) + 0.7 * bias
            z = act(z) if depth < len(parameters) - 1 else z
        flat = [tensor for pair in parameters for tensor in pair]
        gradients.append(torch.cat([g.flatten() for g in torch.autograd.grad(z.sum(), flat)]))
    return float(gradients[0] @ gradients[0]), float(gradients[0] @ gradients[1])


@pytest.mark.parametrize("activation", ["relu", "erf"])
def test_tangent_kernel_is_that_of_wide_networks(activation):
    architecture = Architecture(hidden_layers=3, activation=activation, weight_variance=1.44, bias_variance=0.49)
    drawn = np.array([wide_network(activation, seed) for seed in range(SEEDS)])
    error = drawn.std(axis=0, ddof=1) / math.sqrt(SEEDS)
    expected = kernel_values(architecture, np.array([1.0, COSINE]))
    assert np.all(np.abs(drawn.mean(axis=0) - expected) < SIX_STANDARD_ERRORS * error)


def test_one_layer_of_relu_is_the_arc_cosine_kernel():
    t = np.linspace(-1, 1, 9)
    angle = np.arccos(t)
    # Cho and Saul's kernel of degree 1 over pi, times s_w^2 q/2 with q = s_w^2 = 2.
    expected = 2 * (np.sin(angle) + (math.pi - angle) * t) / math.pi
    assert kernel_values(SHALLOW, t) == pytest.approx(expected, rel=1e-13, abs=1e-15)


def test_a_linear_network_is_linear():
    t = np.linspace(-1, 1, 5)
    # K_1 = t + .5, K_2 = K_1 + .5, K_3 = K_2 + .5; tangent: each layer adds the one below to its own kernel.
    assert kernel_values(LINEAR, t) == pytest.approx(3 * t + 0.5 * (1 + 2 + 3), rel=1e-14)


@pytest.mark.parametrize("architecture", ALL)
def test_taylor_series_sums_to_the_kernel(architecture):
    t = np.linspace(-0.9, 0.9, 19)
    coefficients = taylor_coefficients(architecture, 801)
    assert (coefficients >= 0).all()
    assert np.polynomial.polynomial.polyval(t, coefficients) == pytest.approx(kernel_values(architecture, t), rel=1e-12)


def test_an_absent_parity_is_exactly_absent():
    assert not taylor_coefficients(SHALLOW, 20)[3::2].any()


def test_tensors_give_the_same():
    t = np.linspace(-1, 1, 7)
    assert kernel_values(DEEP, torch.tensor(t), torch).numpy() == pytest.approx(kernel_values(DEEP, t), rel=1e-14)
    assert kernel_at_one(DEEP) == pytest.approx(float(kernel_values(DEEP, np.array(1.0))))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"hidden_layers": -1}, "hidden_layers of 0 or more, got -1"),
        ({"weight_variance": 0}, "weight_variance above 0"),
        ({"weight_variance": float("nan")}, "weight_variance above 0"),
        ({"bias_variance": -0.1}, "bias_variance of 0 or more, got -0.1"),
        ({"input_scale": -1}, "input_scale above 0"),
        ({"activation": "gelu"}, "unknown activation 'gelu'; known: relu, erf, linear"),
        ({"kernel": "nkt"}, "unknown kernel 'nkt'; known: nngp, ntk"),
    ],
)
def test_impossible_networks_are_refused(wrong, told):
    with pytest.raises(SetolError, match=told):
        Architecture(**({"hidden_layers": 1} | wrong))


def test_no_coefficients_are_refused():
    with pytest.raises(SetolError, match="at least 1 coefficient"):
        taylor_coefficients(DEEP, 0)

"""Trained networks of finite width approach kernel regression on the same data."""

import pytest
import torch

from setol import SetolError
from setol.field_theory import Architecture
from setol_zoo.lab.finite_width import train_widths

NETWORK = Architecture(hidden_layers=2, weight_variance=2, bias_variance=0.1)


@pytest.mark.parametrize("activation", ["relu", "erf"])
def test_wider_networks_are_nearer_to_the_kernel(activation):
    network = Architecture(hidden_layers=2, activation=activation, weight_variance=2, bias_variance=0.1)
    generator = torch.Generator().manual_seed(0)
    narrow, wide = train_widths(
        network, 10, [0, 0.6, 0.4], 64, [64, 256], steps=300, new_inputs=500, generator=generator
    )
    assert (narrow.width, wide.width) == (64, 256)
    assert narrow.kernel_error == wide.kernel_error
    assert wide.training_error < 1e-6  # it interpolates, as the kernel does
    # The squared distance falls as one over the width: 4 times here, less the luck of few networks.
    assert wide.distance < narrow.distance / 2.2
    assert abs(wide.error / wide.kernel_error - 1) < 0.4


def test_without_training_nothing_is_predicted():
    generator = torch.Generator().manual_seed(1)
    (found,) = train_widths(NETWORK, 5, [0, 1], 10, [32], data_sets=1, steps=0, new_inputs=400, generator=generator)
    assert found.error == pytest.approx(1, abs=0.2)  # the output is centred: 0 before training
    assert found.training_error > 0.2


def test_another_kernel_is_refused():
    posterior = Architecture(hidden_layers=1, kernel="nngp")
    with pytest.raises(SetolError, match="need an architecture of kernel ntk"):
        train_widths(posterior, 5, [0, 1], 10, [32], generator=torch.Generator())
    linear = Architecture(hidden_layers=1, activation="linear")
    with pytest.raises(SetolError, match="Gram matrix of 40 examples is singular"):
        train_widths(linear, 5, [0, 1], 40, [32], generator=torch.Generator())

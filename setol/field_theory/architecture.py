"""What an infinitely wide, fully connected network is: its layers, its variances, and how it is trained."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from setol.errors import SetolError


class Activation(StrEnum):
    """What acts on the pre-activations of a hidden layer."""

    RELU = "relu"
    ERF = "erf"
    LINEAR = "linear"


class Kernel(StrEnum):
    """Whose mean predictor: a network with trained last layer or sampled weights, or one trained by gradient flow."""

    NNGP = "nngp"
    NTK = "ntk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A fully connected network of infinite width, in NTK parametrization, on inputs of norm 1.

    z1 = s_w sqrt(input_scale) W1 x + s_b b1 and z(k+1) = s_w / sqrt(width) W(k+1) phi(z(k)) + s_b b(k+1), every
    weight and bias a standard normal before training, all of them trained.

    Attributes:
        hidden_layers: Nonlinear layers; a linear readout comes on top.
        activation: Of the hidden layers. For ReLU the initialization of He is a weight_variance of 2.
        weight_variance: s_w^2.
        bias_variance: s_b^2.
        kernel: `ntk` for gradient flow, `nngp` for a Bayesian posterior or Langevin sampling with weight decay.
        input_scale: Variance of the first layer's weights over weight_variance: 1, or 1/d as in Cohen et al.

    Raises:
        SetolError: A number is outside its range, or the network is constant.
    """

    hidden_layers: int
    activation: Activation = Activation.RELU
    weight_variance: float = 2.0
    bias_variance: float = 0.0
    kernel: Kernel = Kernel.NTK
    input_scale: float = 1.0

    def __post_init__(self) -> None:
        if self.hidden_layers < 0:
            raise SetolError(f"need hidden_layers of 0 or more, got {self.hidden_layers}.")
        for name in ("weight_variance", "input_scale"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise SetolError(f"need a {name} above 0 (without weights the network is constant), got {value}.")
        if not (math.isfinite(self.bias_variance) and self.bias_variance >= 0):
            raise SetolError(f"need a bias_variance of 0 or more, got {self.bias_variance}.")
        # Names that are not known end here with the known ones.
        object.__setattr__(self, "activation", _member(Activation, self.activation))
        object.__setattr__(self, "kernel", _member(Kernel, self.kernel))


_Name = TypeVar("_Name", bound=StrEnum)


def _member(kind: type[_Name], value: str) -> _Name:
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(kind)
        raise SetolError(f"unknown {kind.__name__.lower()} {value!r}; known: {known}.") from None

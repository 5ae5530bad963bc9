"""Networks of finite width, trained by full-batch gradient descent, against the kernel that they tend to.

The output is centred: the network at initialization is subtracted, so that in the limit of infinite width training
ends at ridgeless regression with the tangent kernel (Jacot, Gabriel and Hongler, NeurIPS 2018).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from setol.errors import SetolError
from setol.field_theory.architecture import Activation, Architecture, Kernel
from setol.field_theory.kernels import kernel_values
from setol_zoo.lab.kernel_regression import zonal_harmonic

_MOMENTUM = 0.93
_STEP = 1.5
"""Learning rate times the largest eigenvalue of the Gram matrix; with this momentum it is stable up to 3.86."""

_ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    Activation.RELU: torch.relu,
    Activation.ERF: torch.erf,
    Activation.LINEAR: lambda z: z,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FiniteWidth:
    """Networks of one width against kernel regression on the same data, means over data sets.

    Attributes:
        width: Of every hidden layer.
        error: Mean squared deviation of a trained network from the target, on new inputs.
        kernel_error: That of ridgeless regression with the tangent kernel.
        distance: Mean squared difference of network and kernel regression, on new inputs.
        training_error: Mean squared deviation from the training labels that was left.
    """

    width: int
    error: float
    kernel_error: float
    distance: float
    training_error: float


def train_widths(
    architecture: Architecture,
    dimension: int,
    target_power: Sequence[float],
    n_examples: int,
    widths: Sequence[int],
    *,
    data_sets: int = 5,
    steps: int = 700,
    new_inputs: int = 2000,
    generator: torch.Generator,
) -> tuple[FiniteWidth, ...]:
    """Train one network of each width on each of several data sets, all widths on the same.

    Args:
        architecture: The network; its kernel has to be the tangent kernel.
        dimension: Of the inputs, uniform on the sphere.
        target_power: Mean square of the target by degree; each degree is a random zonal harmonic.
        n_examples: Training examples, without label noise.
        widths: Of the hidden layers.
        data_sets: How many.
        steps: Of gradient descent with momentum.
        new_inputs: Where the errors are measured.
        generator: Its device is where the work is done: kernels in float64, networks in float32.

    Raises:
        SetolError: The kernel is not the tangent kernel, or its Gram matrix is singular.
    """
    if architecture.kernel is not Kernel.NTK:
        raise SetolError("need an architecture of kernel ntk: gradient descent ends at the tangent kernel.")
    normal = partial(torch.randn, generator=generator, device=generator.device, dtype=torch.float64)
    rows = []
    for _ in range(data_sets):
        inputs = torch.nn.functional.normalize(normal(n_examples + new_inputs, dimension), dim=1)
        labels = torch.zeros_like(inputs[:, 0])
        for degree, power in enumerate(target_power):
            direction = torch.nn.functional.normalize(normal(dimension), dim=0)
            labels += math.sqrt(power) * zonal_harmonic(inputs @ direction, dimension, degree)
        by_kernel, rate = _kernel_regression(architecture, inputs, labels[:n_examples])
        kernel_error = (by_kernel - labels[n_examples:]).square().mean()
        for width in widths:
            output = _trained(architecture, width, inputs.float(), labels[:n_examples].float(), rate, steps, generator)
            old, new = output[:n_examples].double(), output[n_examples:].double()
            parts = [(new - labels[n_examples:]).square().mean(), kernel_error, (new - by_kernel).square().mean()]
            rows.append([*map(float, parts), float((old - labels[:n_examples]).square().mean())])
    means = torch.tensor(rows).reshape(data_sets, len(widths), 4).mean(dim=0).tolist()
    return tuple(
        FiniteWidth(width=width, error=error, kernel_error=kernel, distance=distance, training_error=left)
        for width, (error, kernel, distance, left) in zip(widths, means, strict=True)
    )


def _kernel_regression(architecture: Architecture, inputs: Tensor, labels: Tensor) -> tuple[Tensor, float]:
    """Ridgeless predictions at the inputs without labels, and the learning rate of the networks."""
    count = len(labels)
    cosine = inputs @ inputs[:count].T
    cosine[:count].fill_diagonal_(1.0)
    kernel = kernel_values(architecture, cosine, torch)
    factor, failed = torch.linalg.cholesky_ex(kernel[:count])
    if int(failed):
        raise SetolError(f"the Gram matrix of {count} examples is singular: need fewer examples.")
    weights = torch.cholesky_solve(labels[:, None], factor)
    return (kernel[count:] @ weights)[:, 0], _STEP / float(torch.linalg.eigvalsh(kernel[:count])[-1])


def _trained(
    architecture: Architecture,
    width: int,
    together: Tensor,
    labels: Tensor,
    rate: float,
    steps: int,
    generator: torch.Generator,
) -> Tensor:
    """Centred outputs at all inputs, those with labels first, after training."""
    sizes = [together.shape[1], *[width] * architecture.hidden_layers, 1]
    parameters = [
        torch.randn(shape, generator=generator, device=generator.device).requires_grad_()
        for before, after in pairwise(sizes)
        for shape in ((after, before), (after,))
    ]
    with torch.no_grad():
        start = _output(architecture, parameters, together)
    inputs, aim = together[: len(labels)], labels + start[: len(labels)]
    velocities = [torch.zeros_like(parameter) for parameter in parameters]
    for _ in range(steps):
        loss = (_output(architecture, parameters, inputs) - aim).square().sum() / 2
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for parameter, velocity, gradient in zip(parameters, velocities, gradients, strict=True):
                velocity.mul_(_MOMENTUM).sub_(gradient, alpha=rate)
                parameter.add_(velocity)
    with torch.no_grad():
        return _output(architecture, parameters, together) - start


def _output(architecture: Architecture, parameters: Sequence[Tensor], inputs: Tensor) -> Tensor:
    """Of the network in NTK parametrization, shape (inputs,)."""
    act = _ACTIVATIONS[architecture.activation]
    bias_scale = math.sqrt(architecture.bias_variance)
    z = inputs
    for depth, (weight, bias) in enumerate(zip(parameters[::2], parameters[1::2], strict=True)):
        scale = architecture.input_scale if depth == 0 else 1 / weight.shape[1]
        z = z if depth == 0 else act(z)
        z = torch.addmm(bias_scale * bias, z, weight.T, alpha=math.sqrt(architecture.weight_variance * scale))
    return z[:, 0]

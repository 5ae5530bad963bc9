"""Steps of stochastic gradient descent on the mean cross-entropy of a batch."""

from typing import Protocol

import torch
from torch import Tensor, nn


class Steps(Protocol):
    """Changes a network by one batch at a time."""

    def step(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """One step.

        Args:
            inputs: Shape (n, ...).
            targets: Shape (n, classes), one-hot.

        Returns:
            The sum of the losses of the batch before the step, a scalar tensor.
        """


def steps_of(network: nn.Sequential, learning_rate: float, weight_decay: float) -> Steps:
    """The fastest way to take steps with a network, whose parameters are changed in place."""
    layers = [layer for layer in network if not isinstance(layer, nn.Flatten | nn.ReLU)]
    if all(isinstance(layer, nn.Linear) for layer in layers):
        return _Linear(network, learning_rate, weight_decay)
    return _Autograd(network, learning_rate, weight_decay)


class _Autograd:
    """Any network."""

    def __init__(self, network: nn.Sequential, learning_rate: float, weight_decay: float) -> None:
        self._network = network
        learning = [value for value in network.parameters() if value.requires_grad]
        self._optimizer = torch.optim.SGD(learning, lr=learning_rate, weight_decay=weight_decay)

    def step(self, inputs: Tensor, targets: Tensor) -> Tensor:
        with torch.enable_grad():
            loss = nn.functional.cross_entropy(self._network(inputs), targets, reduction="sum")
            self._optimizer.zero_grad()
            (loss / len(inputs)).backward()
        self._optimizer.step()
        return loss.detach()


class _Linear:
    """Linear layers with ReLU between them, the gradient written out and applied in place.

    With batches of one example it takes a fifth of autograd's time, which makes a gradient of the weights' size anew
    in each step. Equal to it to rounding; a test compares the two.
    """

    def __init__(self, network: nn.Sequential, learning_rate: float, weight_decay: float) -> None:
        layers = [layer for layer in network if isinstance(layer, nn.Linear)]
        self._weights = [layer.weight.detach() for layer in layers]  # the same memory
        self._biases = [layer.bias.detach() for layer in layers]
        self._learns = [layer.weight.requires_grad for layer in layers]
        self._rate, self._kept = learning_rate, 1.0 - learning_rate * weight_decay

    def step(self, inputs: Tensor, targets: Tensor) -> Tensor:
        values, last = [inputs.flatten(1)], len(self._weights) - 1
        for place, (weight, bias) in enumerate(zip(self._weights, self._biases, strict=True)):
            value = torch.addmm(bias, values[-1], weight.t())
            values.append(value if place == last else value.clamp_min_(0))
        logs = torch.log_softmax(values.pop(), 1)
        error = logs.exp().sub_(targets)
        pace = -self._rate / len(inputs)
        for place in range(last, self._learns.index(True) - 1, -1):
            weight, bias, value = self._weights[place], self._biases[place], values[place]
            below = (error @ weight).mul_(value > 0) if any(self._learns[:place]) else None
            if self._learns[place]:
                if self._kept != 1.0:
                    weight.mul_(self._kept)
                    bias.mul_(self._kept)
                weight.addmm_(error.t(), value, alpha=pace)
                bias.add_(error.sum(0), alpha=pace)
            if below is not None:
                error = below
        return -(logs * targets).sum()

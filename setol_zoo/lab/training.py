"""One network, trained by stochastic gradient descent; its state after every epoch.

The set-up is that of the SETOL paper (arXiv 2507.17912, section 6): no momentum, constant learning rate, the mean loss
of a batch, and an end when the loss of an epoch has stopped falling.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from catalogs import counted
from setol_zoo.lab.data.examples import DataSet, Examples
from setol_zoo.lab.errors import SettingError
from setol_zoo.lab.gradient import Steps, steps_of
from setol_zoo.lab.networks import build, errors, split_frozen
from setol_zoo.lab.setting import Setting

CONVERGED, MAX_EPOCHS, DIVERGED = "converged", "max_epochs", "diverged"
"""How training ends: the loss has stopped falling, the last epoch came first, a loss or a weight was not finite."""

_GATHERED = 4096
"""Examples that are brought into the order of an epoch at a time."""

_OCTAVE = 8
"""Epochs of each octave whose state is kept: all to 15, every second to 31, every fourth to 63."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """A network after an epoch.

    Attributes:
        epoch: Which; 0 is the untrained network.
        kept: Whether its state is worth keeping; errors are measured of those alone.
        end: How training ended with it: `converged`, `max_epochs` or `diverged`; None if it goes on.
        train_loss: Mean cross-entropy over the epoch, nats, each batch before its step; this is what ends training.
            None for epoch 0, and where it is not finite.
        train_error: Share of the training examples, with the labels that were learned, that it gets wrong.
        test_loss: Mean cross-entropy on the test examples, nats.
        test_error: Share of the test examples that it gets wrong.
        network: The network itself, which goes on to be trained.
    """

    epoch: int
    kept: bool
    end: str | None
    train_loss: float | None
    train_error: float | None
    test_loss: float | None
    test_error: float | None
    network: nn.Sequential


@dataclass(frozen=True, slots=True)
class LabelledTensors:
    """Examples as a network takes them.

    Attributes:
        inputs: Pixels in 0 to 1, float32, shape (n, channels, height, width).
        labels: Classes, shape (n,).
    """

    inputs: Tensor
    labels: Tensor


def train(setting: Setting, data: DataSet) -> Iterator[Epoch]:
    """Train a network and yield it after every epoch, the untrained one first.

    The same setting gives the same weights to the last bit on one machine with one torch thread.

    Args:
        setting: What to train.
        data: Its data set.

    Raises:
        SettingError: The data set and the setting do not go together.
    """
    for_weights, order, _ = _streams(setting)
    learned = training_examples(setting, data)
    tested = tensors_of(data.test)
    generator = torch.Generator().manual_seed(int(for_weights.integers(2**63)))
    network = build(setting, data.train.images.shape[1:], data.n_classes, generator)
    head, rest = split_frozen(network)
    with torch.no_grad():
        inputs = torch.cat([head(part) for part in learned.inputs.split(_GATHERED)])
        test_inputs = torch.cat([head(part) for part in tested.inputs.split(_GATHERED)])
    targets = nn.functional.one_hot(learned.labels, data.n_classes).float()
    steps = steps_of(rest, setting.learning_rate, setting.weight_decay)

    def measured(epoch: int, end: str | None, loss: float | None) -> Epoch:
        if end == DIVERGED or not (kept := end is not None or (setting.kept == "octaves" and is_kept(epoch))):
            return Epoch(epoch, False, end, loss, None, None, None, network)
        _, train_error = errors(rest, inputs, learned.labels)
        test_loss, test_error = errors(rest, test_inputs, tested.labels)
        return Epoch(epoch, kept, end, loss, train_error, test_loss, test_error, network)

    yield measured(0, None, None)
    least, waited = math.inf, 0
    for epoch in range(1, setting.max_epochs + 1):
        permutation = torch.from_numpy(order.permutation(len(inputs)))
        loss = _epoch(steps, inputs, targets, permutation, setting.batch_size)
        if not (math.isfinite(loss) and all(bool(value.isfinite().all()) for value in network.parameters())):
            yield measured(epoch, DIVERGED, None)
            return
        least, waited = (loss, 0) if loss < least - setting.min_drop else (least, waited + 1)
        converged = setting.patience and waited >= setting.patience
        end = CONVERGED if converged else MAX_EPOCHS if epoch == setting.max_epochs else None
        yield measured(epoch, end, loss)
        if end:
            return


def is_kept(epoch: int) -> bool:
    """Whether the state after an epoch is kept: eight an octave."""
    return epoch % 2 ** max(0, epoch.bit_length() - _OCTAVE.bit_length()) == 0


def tensors_of(examples: Examples) -> LabelledTensors:
    """Examples as a network takes them: pixels divided by 255."""
    return LabelledTensors(torch.tensor(examples.images).float().div_(255), torch.tensor(examples.labels))


def training_examples(setting: Setting, data: DataSet) -> LabelledTensors:
    """What a network learns from: a share of the training examples, some of them with wrong labels.

    Args:
        setting: Says how many are held out, used, and mislabelled.
        data: Its data set.

    Raises:
        SettingError: The data set has another name, or fewer examples are left than a batch takes.
    """
    n_used = count_used(setting, data)
    choice = _streams(setting)[2]
    used = choice.permutation(len(data.train.labels))[:n_used]
    labels = data.train.labels[used]
    wrong = choice.permutation(n_used)[: round(n_used * setting.label_noise)]
    labels[wrong] = (labels[wrong] + choice.integers(1, data.n_classes, len(wrong))) % data.n_classes
    return tensors_of(Examples(data.train.images[used], labels))


def count_used(setting: Setting, data: DataSet) -> int:
    """How many training examples a network learns from.

    Args:
        setting: Says which share is held out, and which used.
        data: Its data set.

    Raises:
        SettingError: The data set has another name, or fewer examples are left than a batch takes.
    """
    if data.name != setting.data:
        raise SettingError(f"need the data set {setting.data} of the setting; got {data.name}.")
    everything = len(data.train.labels)
    n_used = round((everything - round(everything * setting.held_out)) * setting.data_share)
    if n_used < setting.batch_size:
        raise SettingError(
            f"need at least one batch of {setting.batch_size}; {n_used} of {counted(everything, 'training example')} "
            f"of {data.name} are left with held_out {setting.held_out:g} and data_share {setting.data_share:g}."
        )
    return n_used


def _streams(setting: Setting) -> list[np.random.Generator]:
    """For initial weights, for the order of examples, and for which of them are used and mislabelled."""
    return [np.random.default_rng(stream) for stream in np.random.SeedSequence(setting.seed).spawn(3)]


def _epoch(steps: Steps, inputs: Tensor, targets: Tensor, order: Tensor, batch_size: int) -> float:
    """Mean loss over an epoch; not finite as soon as one batch's is not."""
    total = torch.zeros((), dtype=torch.float64)
    gathered = max(_GATHERED // batch_size, 1) * batch_size
    with torch.no_grad():
        for chosen in order.split(gathered):
            for part, wanted in zip(inputs[chosen].split(batch_size), targets[chosen].split(batch_size), strict=True):
                total += steps.step(part, wanted)
            if not torch.isfinite(total):
                return math.inf
    return float(total) / len(inputs)

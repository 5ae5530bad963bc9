"""The networks that are trained here: stacks of linear layers, and small convolutional nets."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from setol_zoo.lab.errors import SettingError
from setol_zoo.lab.setting import Setting


def build(setting: Setting, image: tuple[int, int, int], n_classes: int, generator: torch.Generator) -> nn.Sequential:
    """An untrained network: Glorot-normal weights, biases of zero, float32.

    Args:
        setting: Its architecture and widths.
        image: Channels, height and width of the images that it takes, as a batch of shape (n, *image).
        n_classes: How many outputs it has.
        generator: Draws the weights.

    Raises:
        SettingError: The images are too small for so many poolings.
    """
    convolutional = setting.architecture == "cnn"
    n_kernels = len(setting.widths) - 1 if convolutional else 0
    channels, height, width = image
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for place, out in enumerate(setting.widths[:n_kernels], 1):
        layers[f"conv{place}"] = nn.Conv2d(channels, out, 3, padding=1)
        layers[f"relu{place}"] = nn.ReLU()
        layers[f"pool{place}"] = nn.MaxPool2d(2)
        channels, height, width = out, height // 2, width // 2
    if not height or not width:
        raise SettingError(
            f"need images of at least {2**n_kernels} x {2**n_kernels} for {n_kernels} poolings by 2; got "
            f"{image[1]} x {image[2]} of {setting.data}. Take fewer widths."
        )
    layers["flatten"] = nn.Flatten()
    n_in = channels * height * width
    for place, out in enumerate(setting.widths[n_kernels:], 1):
        layers[f"fc{place}"] = nn.Linear(n_in, out)
        layers[f"relu{n_kernels + place}"] = nn.ReLU()
        n_in = out
    layers["out"] = nn.Linear(n_in, n_classes)
    network = nn.Sequential(layers)
    for name, value in network.named_parameters():
        if name.endswith("weight"):
            nn.init.xavier_normal_(value, generator=generator)
        else:
            nn.init.zeros_(value)
        value.requires_grad_(setting.trained in ("all", name.partition(".")[0]))
    return network


def split_frozen(network: nn.Sequential) -> tuple[nn.Sequential, nn.Sequential]:
    """The layers before the first one that learns, and the rest.

    What the frozen ones make of the examples is the same in every step, so it is worked out once.
    """
    layers = list(network.named_children())
    first = next(
        place for place, (_, layer) in enumerate(layers) if any(value.requires_grad for value in layer.parameters())
    )
    return nn.Sequential(OrderedDict(layers[:first])), nn.Sequential(OrderedDict(layers[first:]))


def n_parameters(network: nn.Module) -> int:
    """Weights and biases, learning or not."""
    return sum(value.numel() for value in network.parameters())


def errors(network: nn.Module, inputs: Tensor, labels: Tensor, batch: int = 5000) -> tuple[float, float]:
    """Mean cross-entropy in nats, and share of wrong answers.

    Args:
        network: Left as it is.
        inputs: Shape (n, ...).
        labels: Shape (n,), the classes.
        batch: Examples at a time.
    """
    loss, wrong = 0.0, 0
    with torch.inference_mode():
        for part, wanted in zip(inputs.split(batch), labels.split(batch), strict=True):
            logits = network(part)
            loss += float(nn.functional.cross_entropy(logits, wanted, reduction="sum"))
            wrong += int((logits.argmax(1) != wanted).sum())
    return loss / len(labels), wrong / len(labels)

"""Pretrained models by torchvision's names: where each one's weights lie."""

from dataclasses import dataclass

from catalogs import unknown_name
from checkpoints.errors import CheckpointError
from checkpoints.torchvision_import import import_torchvision


@dataclass(frozen=True, slots=True)
class TorchvisionWeights:
    """Where torchvision takes a model's weights from: the name of the weights (`IMAGENET1K_V2`) and their address."""

    name: str
    url: str


def torchvision_names() -> tuple[str, ...]:
    """The models of the installed torchvision, sorted.

    Raises:
        CheckpointError: torchvision is not installed.
    """
    return tuple(import_torchvision().models.list_models())


def find_in_torchvision(model: str, weights: str | None) -> TorchvisionWeights:
    """Where the weights of a model are.

    Args:
        model: A name out of `torchvision_names()`.
        weights: Name of the weights; None for torchvision's default.

    Raises:
        CheckpointError: torchvision is not installed, or has no such model or weights; the message names the nearest.
    """
    torchvision = import_torchvision()
    version = f"torchvision {torchvision.__version__}"
    if model not in torchvision_names():
        raise CheckpointError(f"{version}: {unknown_name('model', model, torchvision_names())}")
    published = torchvision.models.get_model_weights(model)
    names = list(published.__members__)
    if not names:
        raise CheckpointError(f"{version} publishes no weights of {model}: choose another model.")
    if weights is not None and weights not in names:
        raise CheckpointError(f"{version}, {model}: {unknown_name('weights', weights, names)}")
    chosen = published.DEFAULT if weights is None else published[weights]
    return TorchvisionWeights(chosen.name, chosen.url)

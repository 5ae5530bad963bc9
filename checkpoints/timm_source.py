"""Pretrained models by timm's names: where each one's weights lie."""

from dataclasses import dataclass
from functools import cache

from catalogs import unknown_name
from checkpoints.errors import CheckpointError
from checkpoints.torchvision_import import import_timm


@dataclass(frozen=True, slots=True)
class TimmWeights:
    """Where timm takes a model's weights from.

    Attributes:
        name: The model with its tag, `resnet50.a1_in1k`.
        repo: Its repository on the hub; None for the few that are on the web only.
        file: Path in the repository; None for the usual one.
        url: Its address; None where there is a repository.
    """

    name: str
    repo: str | None
    file: str | None
    url: str | None


@cache
def timm_names() -> frozenset[str]:
    """The pretrained models of the installed timm: each with its tag, and bare where timm has a default tag.

    Raises:
        CheckpointError: timm is not installed.
    """
    tagged = import_timm().list_pretrained()
    return frozenset(tagged) | {name.partition(".")[0] for name in tagged}


def find_in_timm(name: str) -> TimmWeights:
    """Where the weights of a model are.

    Args:
        name: `MODEL.TAG`, or `MODEL` for timm's default tag.

    Raises:
        CheckpointError: timm is not installed, or knows no such model; the message names the nearest.
    """
    timm = import_timm()
    if name not in timm_names():
        known = sorted(other for other in timm_names() if ("." in other) == ("." in name))
        raise CheckpointError(f"timm {timm.__version__}: {unknown_name('pretrained model', name, known)}")
    config = timm.models.get_pretrained_cfg(name)
    full_name = f"{config.architecture}.{config.tag}" if config.tag else config.architecture
    if config.hf_hub_id:
        return TimmWeights(full_name, config.hf_hub_id, config.hf_hub_filename, None)
    if config.url:
        return TimmWeights(full_name, None, None, config.url)
    raise CheckpointError(f"timm {timm.__version__} publishes no weights of {full_name}: choose another tag.")

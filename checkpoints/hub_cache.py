"""Where the hub's client keeps what it fetched."""

from pathlib import Path
from types import ModuleType


def repository_folder(hub: ModuleType, repo: str) -> Path:
    """The folder of a model's repository in the user's cache, whether or not it is there.

    Args:
        hub: huggingface_hub.
        repo: `organization/name`.
    """
    return Path(hub.constants.HF_HUB_CACHE) / ("models--" + repo.replace("/", "--"))

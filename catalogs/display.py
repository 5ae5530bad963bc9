"""Short names to show models by: no two of one catalog have the same."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from catalogs.keys import ModelKey


def display_names(keys: Sequence[ModelKey]) -> list[str]:
    """A name for each model: the last part of its key's id without a file's suffix, and more of it where that is taken.

    Two files of one folder are told apart by their suffixes (`net.pt`, `net.safetensors`), files of one name by as
    much of their paths as that takes (`a/model`, `b/model`).

    Args:
        keys: Of different models.

    Returns:
        Names in the same order, all different.
    """
    taken = Counter(key.short_name for key in keys)
    chains = [names_of(key) if taken[key.short_name] > 1 else [key.short_name] for key in keys]
    claimed = Counter(name for chain in chains for name in set(chain))
    return [next((name for name in chain if claimed[name] == 1), chain[-1]) for chain in chains]


def names_of(key: ModelKey) -> list[str]:
    """Names that a model can be shown by, from short to long."""
    if key.source != "path":
        return [key.short_name, key.long_name, str(key)]
    path = Path(os.path.abspath(key.id))
    _, *parts = path.parts
    names = []
    for count in range(1, len(parts) + 1):
        whole = "/".join(parts[-count:])
        names += [ModelKey("path", whole, None).long_name, whole]
    return [*names, str(path)]

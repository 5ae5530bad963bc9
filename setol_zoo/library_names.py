"""The pretrained models of timm and torchvision by name, without the seconds that importing these takes."""

import json
import os
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def library_names() -> dict[str, frozenset[str]]:
    """The names that timm and torchvision know, where they are installed.

    A library is asked once a version; then its names lie in the cache directory.
    """
    from checkpoints.errors import CheckpointError

    found = {}
    for library, ask in (("timm", _timm), ("torchvision", _torchvision)):
        with suppress(PackageNotFoundError, CheckpointError):  # not there, or not what it needs
            found[library] = _remembered(library, version(library), ask)
    return found


def _timm() -> Iterable[str]:
    from checkpoints.timm_source import timm_names

    return timm_names()


def _torchvision() -> Iterable[str]:
    from checkpoints.torchvision_source import torchvision_names

    return torchvision_names()


def _remembered(library: str, release: str, ask: Callable[[], Iterable[str]]) -> frozenset[str]:
    from catalogs.places import cache_directory

    place = cache_directory() / "names" / f"{library}-{release}.json"
    with suppress(OSError, ValueError):  # not asked yet, or damaged
        names = json.loads(place.read_bytes())
        if isinstance(names, list) and names:
            return frozenset(map(str, names))
    names = sorted(ask())
    with suppress(OSError):  # a cache that cannot be written to costs time only
        _write(place, json.dumps(names).encode())
    return frozenset(names)


def _write(place: Path, content: bytes) -> None:
    partial = place.with_name(f".{uuid.uuid4().hex}.tmp")
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        partial.write_bytes(content)
        os.replace(partial, place)
    finally:
        partial.unlink(missing_ok=True)

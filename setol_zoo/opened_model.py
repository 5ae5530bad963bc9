"""A model's weights, opened for reading, whatever it was named by: in memory, a file, shards, a name."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    from torch import nn

    from catalogs import WeightFile
    from checkpoints.live import LiveCheckpoint
    from checkpoints.parts import Facts
    from checkpoints.tensors import Checkpoint

AnyModel = Union["nn.Module", Mapping[str, Any], str, Path]
"""A torch module, a state dict, a path, or a name that `setol analyze` takes."""


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """All tensors of one model as one checkpoint.

    Attributes:
        file: What the rows about it carry: its key, its short name, the sha256 of its content.
        checkpoint: Its tensors, of all shards together.
        facts: What the model's own modules say about them.
        paths: The files they are read from; none for what is in memory.
        device: torch device that they are on; None for files.
    """

    file: "WeightFile"
    checkpoint: "Checkpoint"
    facts: "Facts"
    paths: tuple[Path, ...] = ()
    device: str | None = None


def open_model(model: AnyModel) -> OpenedModel:
    """Open a model; what is not on this machine is fetched first, and its hash checked.

    Args:
        model: A torch module, a state dict, or what `setol analyze` takes: a path or a name.

    Raises:
        CatalogError: No model has that name.
        CheckpointError: The weights cannot be had or read.
        TypeError: The model is of a kind that cannot be read.
    """
    return _open_target(model) if isinstance(model, str | Path) else _opened_live(open_live(model))


def open_live(model: Any) -> "LiveCheckpoint":
    """A module or state dict as a checkpoint.

    Raises:
        CheckpointError: Its weights have no values, or are quantized, sparse or spread over processes.
        TypeError: It is anything else; the message says what to do with it.
    """
    from torch import nn

    from checkpoints.live import live_module, live_state_dict
    from checkpoints.open import state_dict_in
    from setol_zoo.refusals import no_model

    if isinstance(model, nn.Module):
        return live_module(model)
    if tensors := state_dict_in(model):
        return live_state_dict(tensors)
    raise TypeError(no_model(model))


def device_for(model: OpenedModel, device: str | None) -> str:
    """The torch device for what a model's matrices are put through.

    Args:
        model: The model.
        device: What was asked for; None for where its weights are or, for files, the GPU if there is one.

    Raises:
        OptionError: This machine has no such device.
    """
    from pipeline.decomposition.device import require_device, resolve_device

    where = device or model.device or "auto"
    require_device(where)
    return resolve_device(where)


def ask_nobody(name: str, meanings: object) -> None:
    """A call from a program gets an error with the meanings of a name, not a question on its terminal."""


def _opened_live(checkpoint: "LiveCheckpoint") -> OpenedModel:
    from catalogs import WeightFile

    sha256 = checkpoint.sha256()
    file = WeightFile(
        model=f"memory:{checkpoint.name}@{sha256[:12]}",
        name=checkpoint.name,
        file=checkpoint.name,
        weights_sha256=sha256,
        layout="module" if checkpoint.facts else None,
    )
    return OpenedModel(file, checkpoint, checkpoint.facts, device=checkpoint.device)


def _open_target(target: str | Path) -> OpenedModel:
    from dataclasses import replace

    from catalogs.places import cache_directory
    from checkpoints.fetch import fetch
    from checkpoints.joined import joined
    from checkpoints.libraries import architecture_facts
    from checkpoints.open import open_checkpoint
    from pipeline.planning.identify import identify
    from setol_zoo.targets import catalog_of_targets

    catalog = catalog_of_targets([f"path:{target}" if isinstance(target, Path) else target], choose=ask_nobody)
    identified = identify(catalog.files, cache_directory())
    if identified.unidentified:
        raise identified.unidentified[0].error
    paths = [fetch(file, cache_directory()) for file in identified.files]
    opened = [open_checkpoint(path) for path in paths]
    facts = {
        name: known
        for file, checkpoint in zip(identified.files, opened, strict=True)
        for name, known in architecture_facts(file, checkpoint.headers).items()
    }
    first = identified.files[0]
    if len(opened) == 1:
        return OpenedModel(first, opened[0], facts, tuple(paths))
    together = hashlib.sha256("".join(str(file.weights_sha256) for file in identified.files).encode()).hexdigest()
    return OpenedModel(replace(first, weights_sha256=together), joined(opened), facts, tuple(paths))

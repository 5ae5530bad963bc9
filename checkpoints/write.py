"""Weight files put in place whole: one tensor at a time, under a hidden name until all are on the disk."""

import json
import os
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors import SafetensorError, safe_open

from checkpoints.errors import CheckpointError
from checkpoints.names import natural_order
from checkpoints.safetensors_header import entry_format
from checkpoints.tensors import TensorHeader

SUFFIX = ".safetensors"


class DestinationError(CheckpointError):
    """A file that may not be written where it was asked for."""


def check_destination(path: Path, sources: Iterable[Path] = (), *, force: bool = False) -> None:
    """Refuse to write where something is, or over what is being read.

    Args:
        path: Where a weight file is to go.
        sources: Files that it is made from.
        force: Whether a file that is there may be replaced; a source never is.

    Raises:
        DestinationError: It may not be written there.
    """
    if path.suffix != SUFFIX:
        raise DestinationError(f"cannot write {path}: need a name that ends in {SUFFIX}, the one format written here.")
    if path.is_dir():
        raise DestinationError(f"cannot write {path}: a folder is there. Name a file in it.")
    if not path.exists():
        return
    if any(source.exists() and path.samefile(source) for source in sources):
        raise DestinationError(f"cannot write {path}: it is the file that is read. Name another; the original stays.")
    if not force:
        raise DestinationError(f"cannot write {path}: it is there already. Name another file, or give --force.")


def write_safetensors(
    path: Path,
    headers: Sequence[TensorHeader],
    read: Callable[[str], torch.Tensor],
    metadata: Mapping[str, str] | None = None,
    *,
    force: bool = False,
) -> None:
    """Write tensors as a safetensors file, one after the other; the folder is made if missing.

    Tensors stand by size of their entries, the largest first, so that each begins at a multiple of that size.
    Memory: what `read` gives, one tensor at a time.

    Args:
        path: Its place, with the suffix `.safetensors`.
        headers: All tensors; names, formats and shapes are known before any is read.
        read: Gives each by its name, in the format and shape of its header, on any device.
        metadata: Strings about the whole, as safetensors keeps them in its header.
        force: Whether a file that is there may be replaced.

    Raises:
        DestinationError: It may not be written there.
        CheckpointError: A number format has no name in safetensors, the disk is full, or what `read` raises.
    """
    check_destination(path, force=force)
    ordered = sorted(headers, key=lambda header: (-_format(header)[1], natural_order(header.name)))
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            _write(file, ordered, read, metadata)
            file.flush()
            os.fsync(file.fileno())
        check_destination(path, force=force)  # somebody may have been faster
        os.replace(partial, path)
    except OSError as error:
        told = f"cannot write {path}: {error.strerror or error}. Choose another place, or make room."
        raise CheckpointError(told, transient=True) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def metadata_of(path: Path) -> dict[str, str]:
    """The strings that a weight file carries about itself; of a pickle, which has none, that it is torch's.

    Raises:
        CheckpointError: It is no safetensors file although it is called so.
    """
    if path.suffix != SUFFIX:
        return {"format": "pt"}
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"damaged safetensors file {path.name}: {error}. Fetch it again.") from error


def _write(
    file: BinaryIO,
    headers: Sequence[TensorHeader],
    read: Callable[[str], torch.Tensor],
    metadata: Mapping[str, str] | None,
) -> None:
    entries: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    start = 0
    for header in headers:
        name, size = _format(header)
        stop = start + header.n_params * size
        entries[header.name] = {"dtype": name, "shape": list(header.shape), "data_offsets": [start, stop]}
        start = stop
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for header in headers:
        _write_tensor(file, header, read(header.name))  # a call, so that none outlives its turn


def _write_tensor(file: BinaryIO, header: TensorHeader, tensor: torch.Tensor) -> None:
    came = TensorHeader(header.name, str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape))
    if came != header:
        raise CheckpointError(
            f"{header.name} must be {header.dtype} {list(header.shape)}, as announced; got {came.dtype} "
            f"{list(came.shape)}. The weights changed while they were written; do it again."
        )
    file.write(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)


def _format(header: TensorHeader) -> tuple[str, int]:
    """Name in safetensors and bytes of an entry."""
    found = entry_format(header.dtype)
    if found is None:
        raise CheckpointError(
            f"cannot write {header.name}: safetensors has no number format {header.dtype}. "
            "Convert the tensor, or take it out of the checkpoint."
        )
    return found

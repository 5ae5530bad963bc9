"""Which library's own architecture a weight file is laid out by: known when a run is planned, part of its identity."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from catalogs import WeightFile, parse_model_key
from checkpoints.adapters import layout_beside, scaling_told
from checkpoints.architecture_transformers import build_transformers, knows_transformers, transformers_facts
from checkpoints.architecture_vision import build_timm, build_torchvision, timm_facts, torchvision_facts
from checkpoints.errors import CheckpointError
from checkpoints.json_file import read_json
from checkpoints.limits import MEMORY_TO_BUILD, bounded_memory, bounded_modules
from checkpoints.parts import NO_FACTS, Facts
from checkpoints.remote import config_of
from checkpoints.tensors import TensorHeader

CONFIG = "config.json"

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.]+")
_LOADS = re.compile(r"checkpoint|pretrained|cache_dir|scriptable|exportable|no_jit")
"""Arguments by which timm would open or fetch files; a configuration only says what to build."""


@dataclass(frozen=True, slots=True)
class _Source:
    """A library, the name that it knows an architecture by, and the configuration that it is built from, if any."""

    library: str
    name: str
    config: Path | None = None


def layout_of(file: WeightFile) -> str | None:
    """What a weight file will be laid out by, such as `timm 1.0.31 resnet50.a1_in1k`.

    For `timm:` and `torchvision:` models that library; for a `path:` or `hub:` model with a config.json beside the
    weights the library that it was written for, transformers or timm, and then the first digits of its sha256 are
    part of the answer. Nothing is built, and no more downloaded than the config.json of an identified `hub:` model.

    A `path:` model with an adapter_config.json of peft beside it has what that says about the scale of the update.

    Returns:
        Library, version and architecture; None where names and shapes have to do, as no library is told, or it is not
        installed, or does not know the architecture without code from elsewhere.

    Raises:
        CheckpointError: The hub did not give the config.json.
    """
    if parse_model_key(file.model).source == "path" and (told := layout_beside(Path(file.file))) is not None:
        return told
    source = _source(file)
    try:
        return None if source is None else _told(source)
    except PackageNotFoundError:
        return None


def architecture_facts(file: WeightFile, headers: Sequence[TensorHeader]) -> Facts:
    """What the architecture that a run was planned with says about the tensors of a file.

    Args:
        file: The row as it was planned; `layout` says by what.
        headers: The tensors of the file.

    Returns:
        Facts by the names of the file; none where the library cannot build the model without numbers.

    Raises:
        CheckpointError: The library here is another version, or its configuration another, than in the plan.
    """
    if file.layout is None or scaling_told(file.layout) is not None:
        return NO_FACTS
    here = layout_of(file)
    source = _source(file)
    if source is None or here != file.layout:
        raise CheckpointError(
            f"{file.model} was planned to be laid out by {file.layout}, and here it would be by {here or 'names'}: "
            "install the same versions on all machines, and plan again where a configuration was changed."
        )
    try:
        with bounded_memory(MEMORY_TO_BUILD), bounded_modules():
            return _facts(source, headers)
    except (CheckpointError, ImportError, MemoryError, OSError):
        raise  # the fault of this machine, not of the model: what is published under the plan's name must be by it
    except Exception:  # noqa: BLE001 - whatever another library cannot build is told by names, and rows say so
        return NO_FACTS


def _source(file: WeightFile) -> _Source | None:
    key = parse_model_key(file.model)
    if key.source in ("timm", "torchvision"):
        return _Source(key.source, key.id)
    config = _config_beside(file, key.source)
    if config is None:
        return None
    content = _read(config)
    model_type, architecture = content.get("model_type"), content.get("architecture")
    if isinstance(model_type, str):
        return _Source("transformers", model_type, config)
    if isinstance(architecture, str) and _PLAIN_NAME.fullmatch(architecture):
        return _Source("timm", architecture, config)
    return None  # a name with a scheme or a slash would make timm fetch something


def _config_beside(file: WeightFile, source: str) -> Path | None:
    if source == "path":
        return Path(file.file).parent / CONFIG
    return config_of(file) if source == "hub" and "/" not in file.file else None


def _told(source: _Source) -> str | None:
    installed = version(source.library)
    if source.library == "transformers" and not knows_transformers(source.name):
        return None
    told = f"{source.library} {installed} {source.name}"
    return told if source.config is None else f"{told} {sha256(source.config.read_bytes()).hexdigest()[:12]}"


def _facts(source: _Source, headers: Sequence[TensorHeader]) -> Facts:
    if source.library == "torchvision":
        return torchvision_facts(build_torchvision(source.name), headers)
    if source.library == "transformers" and source.config is not None:
        return transformers_facts(build_transformers(source.config), headers)
    settings = {} if source.config is None else _timm_settings(_read(source.config))
    return timm_facts(build_timm(source.name, settings), headers)


def _timm_settings(content: dict[str, Any]) -> dict[str, Any]:
    """Arguments of a model of timm, as its repositories on the hub have them."""
    given = content.get("model_args") or {}
    settings = {name: value for name, value in given.items() if not _LOADS.match(name)}
    if isinstance(content.get("num_classes"), int):
        settings["num_classes"] = content["num_classes"]
    return settings


def _read(config: Path) -> dict[str, Any]:
    """The configuration; empty where there is none or it is damaged."""
    try:
        content = read_json(config)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}

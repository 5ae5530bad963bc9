"""Models of transformers, built from their config.json without numbers, and their names as published."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import nn

from checkpoints.architecture import ModelTensor, facts_of, find_tensor, model_tensors
from checkpoints.errors import CheckpointError
from checkpoints.json_file import read_json
from checkpoints.names import directions_of, without_wrappers
from checkpoints.parts import Facts, Kind, ModuleFacts, Piece, squeezed
from checkpoints.tensors import TensorHeader
from checkpoints.torchvision_import import import_torchvision
from checkpoints.without_numbers import without_numbers

_LETTERS = {"query": "q", "key": "k", "value": "v"}
_ROW_ORDER = ("Chunk", "Split")
_UNFUSED = ("MergeModulelist", "Concatenate")


def knows_transformers(model_type: str) -> bool:
    """Whether the installed transformers has a model type itself, so that no code of a repository is needed."""
    return model_type in import_module("transformers.models.auto.configuration_auto").CONFIG_MAPPING_NAMES


def build_transformers(config: Path) -> nn.Module:
    """The model that a config.json describes, on torch's meta device.

    Only the library's own classes are used; code that lies beside the configuration is never run.

    Args:
        config: A config.json with a `model_type` that transformers knows.
    """
    content = read_json(config)
    with _quiet():
        return _build(_part(""), content)


def transformers_facts(model: nn.Module, headers: Sequence[TensorHeader]) -> Facts:
    """Lead published tensors to the modules of a model of transformers by the library's own conversions.

    Since version 5, the library renames tensors and fuses or splits them when it loads them: a tensor of one expert
    belongs to the stack of all, one of query, key and value to three modules.

    Args:
        model: What `build_transformers` gave.
        headers: The tensors of the file.

    Returns:
        Facts by the names of the file.
    """
    try:
        conversions = _part("conversion_mapping").get_model_conversion_mapping(model)
        loading = _part("core_model_loading")
    except (ModuleNotFoundError, AttributeError):  # an older version, which loads names as they are
        return facts_of(model, headers)
    renamings = [each for each in conversions if isinstance(each, loading.WeightRenaming)]
    converters = [each for each in conversions if isinstance(each, loading.WeightConverter)]
    by_pattern = {pattern: each for each in converters for pattern in each.source_patterns}
    known, prefix = model_tensors(model), str(getattr(model, "base_model_prefix", "") or "")
    facts: dict[str, ModuleFacts] = {}
    for header in headers:
        name = without_wrappers(directions_of(header.name) or header.name)
        renamed, pattern = loading.rename_source_key(name, renamings, converters, prefix, known)
        if pattern is not None and renamed in known:
            found = _converted(by_pattern[pattern], header, renamed, known)
        else:
            target = find_tensor((renamed, name), header.shape, known, prefix)
            found = target.facts if target else None
        if found is not None:
            facts[header.name] = found
    return facts


def _build(transformers: Any, content: dict[str, Any]) -> nn.Module:
    # An implementation named in the configuration may be native code that the library would fetch.
    plain = {name: value for name, value in content.items() if not name.endswith("_implementation")}
    settings = transformers.CONFIG_MAPPING[content["model_type"]].from_dict(plain)
    known: list[Any] = [
        each
        for name in content.get("architectures") or ()
        if isinstance(each := getattr(transformers, name, None), type)
        and issubclass(each, transformers.PreTrainedModel)
    ]
    with without_numbers():
        model = known[0]._from_config(settings) if known else transformers.AutoModel.from_config(settings)
    assert isinstance(model, nn.Module)
    return model


def _converted(
    converter: Any, header: TensorHeader, renamed: str, known: Mapping[str, ModelTensor]
) -> ModuleFacts | None:
    """Facts of a tensor that is split or fused when it is loaded; None for what else may be done with it."""
    operations = [type(operation).__name__ for operation in converter.operations]
    shape = squeezed(header.shape)
    if known[renamed].facts.kind is not Kind.LINEAR or len(shape) > 2:
        return None
    if operations[0] in _ROW_ORDER and converter.operations[0].dim == 0 and set(operations[1:]) <= {"PermuteForRope"}:
        patterns = converter.target_patterns
        targets = [known.get(renamed.replace(patterns[0], pattern)) for pattern in patterns]
        pieces = tuple(
            Piece(_letter(pattern), each.shape[0])
            for pattern, each in zip(patterns, targets, strict=True)
            if each is not None
        )
        fused = len(pieces) == len(patterns) and len({piece.name for piece in pieces}) == len(pieces)
        filled = len(shape) < 2 or sum(piece.length for piece in pieces) == shape[0]
        return ModuleFacts(Kind.LINEAR, pieces=pieces) if fused and filled else None
    if set(operations) & set(_UNFUSED):
        return ModuleFacts(Kind.LINEAR)
    return None


def _letter(pattern: str) -> str:
    """What a piece is called: `q` for `self_attn.q_proj.weight`."""
    name = (
        pattern.replace("\\", "")
        .removesuffix(".weight")
        .removesuffix(".bias")
        .strip(".$^")
        .rpartition(".")[2]
        .removesuffix("_proj")
    )
    return _LETTERS.get(name, name)


@contextmanager
def _quiet() -> Iterator[None]:
    """No remarks on token ids and the like, which are not the reader's."""
    logging = _part("utils.logging")
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _part(name: str) -> Any:
    with suppress(CheckpointError):  # transformers imports torchvision where it is installed
        import_torchvision()
    return import_module(f"transformers.{name}".rstrip("."))

"""Weight files of one architecture: the header of one of them says what all of them hold."""

import json
from pathlib import Path
from typing import Any

from catalogs import WeightFile, parse_model_key
from checkpoints.remote import config_of

_ONLY_WORDS = ("_name_or_path", "transformers_version", "id2label", "label2id", "task_specific_params")
"""Entries of a configuration of transformers in which models of one shape differ; so do the numbers of tokens."""

_SHAPES_IN_TIMM = ("architecture", "num_classes", "num_features", "global_pool", "model_args")
"""Entries of a configuration of timm that say what to build; the others are about pictures and where it comes from."""


def architecture_key(file: WeightFile) -> str | None:
    """What two weight files have in common that hold tensors of the same names and shapes.

    It is the library with its version, the architecture and its whole configuration, as far as that is more than
    words, and the size of the file to the byte: a class more or a number format changes that. So two files of one
    key that hold other tensors are hardly possible; where files are worked on, their own headers are read.

    Args:
        file: An identified weight file.

    Returns:
        The key; None where the architecture or the size is not known.
    """
    if file.layout is None or file.size is None:
        return None
    library, version, *_ = file.layout.split(" ")
    key = parse_model_key(file.model)
    if key.source in ("timm", "torchvision"):
        told: Any = key.id.partition(".")[0]
    elif key.source == "hub" and (config := config_of(file)) is not None:
        told = _shapes_in(config, library)
    else:
        return None
    return json.dumps([library, version, told, Path(file.file).name, file.size], sort_keys=True)


def _shapes_in(config: Path, library: str) -> Any:
    content = json.loads(config.read_bytes())  # read before, when the layout was told
    if library == "timm":
        return {name: content.get(name) for name in _SHAPES_IN_TIMM}
    return _without_words(content)


def _without_words(content: Any) -> Any:
    if not isinstance(content, dict):
        return content
    kept = {name: value for name, value in content.items() if name not in _ONLY_WORDS}
    return {name: _without_words(value) for name, value in kept.items() if not name.endswith("_token_id")}

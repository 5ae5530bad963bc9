"""Published tensors as rows of (name, shape, what a library's architecture takes them for)."""

import json
from pathlib import Path

from checkpoints.architecture_transformers import build_transformers, transformers_facts
from checkpoints.layout import lay_out
from checkpoints.matrices import matrix_stack
from tests.checkpoints.tables import headers, told


def write_config(folder: Path, content: dict) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def laid_out(rows, facts):
    """(What it is taken for, by what) of each tensor."""
    return {layout.header.name: (told(layout), layout.by.value) for layout in lay_out(headers(rows), facts)}


def expected(rows, by_name=()):
    """The same from the table; `by_name` are those that no module is known for."""
    return {name: (what, "name" if name in by_name else "architecture") for name, _, what in rows}


def transformers_model(folder: Path, content: dict):
    """A model of transformers from its configuration; it holds no numbers."""
    model = build_transformers(write_config(folder, content))
    # One vector of wav2vec 2 is made by torch.Tensor(n), which knows no device.
    assert all(tensor.is_meta or tensor.ndim == 1 for tensor in model.parameters())
    return model


def transformers_layouts(folder: Path, content: dict, rows):
    return laid_out(rows, transformers_facts(transformers_model(folder, content), headers(rows)))


def pieces_of(tensor, layout, inputs):
    """The matrix of each part of a linear tensor, by its name, with the inputs along its second axis."""
    found = {}
    for part in layout.parts:
        (matrix,) = matrix_stack(tensor, part)
        found[part.part] = matrix if matrix.shape[1] == inputs else matrix.T
    return found

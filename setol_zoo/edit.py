"""The walk over a model's matrices that writes it anew: what truncation and the removal of traps have in common."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from setol_zoo.opened_model import AnyModel, OpenedModel, open_model

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from checkpoints.parts import Part, TensorLayout
    from setol.reasons import Reason


@dataclass(frozen=True, slots=True)
class Edited:
    """A model that was written anew. Its string says what became of the matrices.

    Attributes:
        path: The file.
        name: Short name of the model it was made from.
        changes: A row a matrix, in the order of the model's tensors; one that stays as it was has a reason.
        tied: Tensors that are another one and changed with it, by their names.
    """

    path: Path
    name: str
    changes: tuple[Any, ...]
    tied: Mapping[str, str]

    def to_pandas(self) -> "pd.DataFrame":
        """The changes as a DataFrame."""
        from dataclasses import asdict

        import pandas as pd

        return pd.DataFrame([asdict(change) for change in self.changes])


class Edit(Protocol):
    """What is done to the matrices of a tensor."""

    def change(
        self, stack: "torch.Tensor", layout: "TensorLayout", part: "Part", index: int
    ) -> "tuple[torch.Tensor, list[Any]]":
        """The matrices of one part as they shall be, and a row on each; the very same stack where nothing changes."""
        ...

    def left(self, layout: "TensorLayout", part: "Part", reason: "Reason") -> Any:
        """The row on a part that stays as it is."""
        ...


@dataclass(slots=True)
class Walk:
    """Tensors of a model as they shall be, one at a time, and the rows on what became of them.

    Attributes:
        model: The model.
        edit: What is done to its matrices.
        tied: Tensors that are another one, by their names.
    """

    model: OpenedModel
    edit: Edit
    tied: Mapping[str, str] = field(init=False)
    _layouts: "dict[str, TensorLayout]" = field(init=False, repr=False)
    _rows: dict[str, list[Any]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        from checkpoints.errors import CheckpointError
        from checkpoints.layout import lay_out
        from checkpoints.matrices import find_tied

        layouts = lay_out(self.model.checkpoint.headers, self.model.facts)
        if any(layout.right for layout in layouts):
            raise CheckpointError(
                f"{self.model.file.name} is an adapter: its factors are no weights that can be changed one by one. "
                "Merge it into its base (merge_and_unload in peft), and take that."
            )
        self._layouts = {layout.header.name: layout for layout in layouts}
        self.tied = find_tied(self.model.checkpoint, layouts)

    @property
    def rows(self) -> tuple[Any, ...]:
        """The rows on all tensors that were read, in the model's order."""
        return tuple(row for name in self._layouts for row in self._rows.get(name, ()))

    def read(self, name: str) -> "torch.Tensor":
        """The tensor of that name, changed; a tied one comes out as the one that it is tied to."""
        import torch

        from checkpoints.matrices import matrix_stack, put_matrix_stack
        from setol.reasons import Reason

        layout = self._layouts[self.tied.get(name, name)]
        tensor = self.model.checkpoint.read(layout.header.name)
        rows: list[Any] = []
        result = tensor
        for index, part in enumerate(layout.parts):
            if layout.gain is not None:
                rows.append(self.edit.left(layout, part, Reason.NORMALIZED))
                continue
            if layout.scaled is not None:
                rows.append(self.edit.left(layout, part, Reason.SCALED))
                continue
            stack = matrix_stack(tensor, part)
            changed, own = self.edit.change(stack, layout, part, index)
            rows += own
            if changed is stack:
                continue
            if result is tensor:
                result = tensor.clone(memory_format=torch.contiguous_format)
            put_matrix_stack(result, part, changed)
        self._rows[layout.header.name] = rows
        return result


def open_for_edit(model: AnyModel, out: Path, *, force: bool) -> OpenedModel:
    """Open a model that shall be written anew, after a look at whether it may be.

    Raises:
        DestinationError: The file to write is there already, or is the model itself.
        CatalogError: No model has that name.
        CheckpointError: The weights cannot be had or read.
    """
    from checkpoints.write import check_destination

    check_destination(out, force=force)  # before anything is fetched
    opened = open_model(model)
    check_destination(out, opened.paths, force=force)
    return opened


def write_edited(model: OpenedModel, edit: Edit, out: Path, *, force: bool) -> Edited:
    """Write a model anew, tensor by tensor; its metadata stay, shards become one file.

    Raises:
        CheckpointError: It cannot be read or written.
    """
    from checkpoints.write import metadata_of, write_safetensors

    metadata = metadata_of(model.paths[0]) if model.paths else {"format": "pt"}
    walk = Walk(model, edit)
    write_safetensors(out, model.checkpoint.headers, walk.read, metadata, force=force)
    return Edited(out, model.file.name, walk.rows, walk.tied)

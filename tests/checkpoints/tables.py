"""Tensors of a published model as rows of (name, shape, what it is taken for), and their layouts in the same words."""

from itertools import groupby

from checkpoints.layout import lay_out
from checkpoints.parts import TensorLayout
from checkpoints.tensors import TensorHeader

Row = tuple[str, tuple[int, ...], str]

_INTEGER_NAMES = ("num_batches_tracked", "_index", "_ids", "qweight", "qzeros", "g_idx")


def headers(rows):
    """Headers of a table; what torch registers as integers is int64, all else float32."""
    return [
        TensorHeader(row[0], "int64" if row[0].endswith(_INTEGER_NAMES) else "float32", tuple(row[1])) for row in rows
    ]


def told(layout: TensorLayout) -> str:
    """`linear`, `linear q k v`, `conv2d group_0-31` or the reason, in one line."""
    if layout.reason is not None:
        assert layout.parts == ()
        return layout.reason.value
    (kind,) = {part.kind.value for part in layout.parts}
    names = [part.part for part in layout.parts]
    if names == [None]:
        return kind
    assert len(set(names)) == len(names)
    return " ".join([kind, *_shortened(names)])


def _shortened(names):
    for stem, run in groupby(names, key=lambda name: name.rstrip("0123456789")):
        run = list(run)
        if stem.endswith("_") and [name.removeprefix(stem) for name in run] == [str(i) for i in range(len(run))]:
            yield f"{stem}0-{len(run) - 1}"
        else:
            yield from run


def told_of(rows, prefix="", order=None):
    """What each tensor of a table is taken for, by name; the tensors laid out in the order of the table or another."""
    ordered = sorted(rows, key=order) if order else rows
    layouts = lay_out(headers([(prefix + row[0], row[1]) for row in ordered]))
    assert [layout.header.name for layout in layouts] == [prefix + row[0] for row in ordered]
    return {layout.header.name.removeprefix(prefix): told(layout) for layout in layouts}


def expected(rows):
    """What each tensor of a table should be taken for, by name."""
    assert len({row[0] for row in rows}) == len(rows)
    return {name: what for name, _, what in rows}

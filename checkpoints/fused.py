"""Linear tensors that hold several matrices: fused projections, gates of recurrent layers, experts."""

import re
from collections.abc import Mapping

from checkpoints.parts import Cut, Kind, Part, equal_parts

Shape = tuple[int, ...]

_QKV = re.compile(r"(?:^|\.)(?:in_proj_weight|(?:qkv|Wqkv|W_pack|to_qkv|qkv_proj|c_attn)\.weight)$")
_KV = re.compile(r"(?:^|\.)(?:kv|to_kv)\.weight$")
_GATE_UP = re.compile(r"(?:^|\.)gate_up_proj\.weight$")
_RECURRENT = re.compile(r"(?:^|\.)weight_(?P<side>ih|hh|hr)(?P<rest>(?:_l\d+(?:_reverse)?)?)$")
_EXPERTS = re.compile(r"(?:^|\.)(?:\w*experts?|(?:in|out)put_linear)\b")

_GATES = {4: ("i", "f", "g", "o"), 3: ("r", "z", "n")}
"""Names of the gates by their number, in torch's order: LSTM, GRU. A plain RNN has none."""


def fused_linear(name: str, shape: Shape) -> tuple[Part, ...] | None:
    """Pieces of a fused projection of two axes, or None where the name is not that of one.

    Query, key and value come in this order. GPT-2 stores (in, out), so its `c_attn` is cut along the second
    axis. Where keys and values are shared among heads, what exceeds a square query is halved between them.
    A tensor whose rows interleave the heads (`query_key_value`) cannot be cut by name and shape.
    """
    rows, cols = shape
    if _QKV.search(name):
        if rows == 3 * cols:
            return equal_parts(("q", "k", "v"), Kind.LINEAR, rows)
        if cols == 3 * rows and name.endswith("c_attn.weight"):
            return equal_parts(("q", "k", "v"), Kind.LINEAR, cols, axis=1)
        shared, odd = divmod(rows - cols, 2)
        if 0 < shared < cols and not odd and cols % shared == 0:
            edges = (0, cols, cols + shared, rows)
            return tuple(Part(letter, Kind.LINEAR, (Cut(0, edges[i], edges[i + 1]),)) for i, letter in enumerate("qkv"))
        if rows % 3 == 0 and not name.endswith("c_attn.weight"):
            return equal_parts(("q", "k", "v"), Kind.LINEAR, rows)
    if _KV.search(name) and rows % 2 == 0:
        return equal_parts(("k", "v"), Kind.LINEAR, rows)
    if _GATE_UP.search(name) and rows % 2 == 0:
        return equal_parts(("gate", "up"), Kind.LINEAR, rows)
    return None


def recurrent_gates(name: str, shapes: Mapping[str, Shape]) -> tuple[Part, ...] | None:
    """Gates of an LSTM, a GRU or a plain RNN, or None where the name is not that of one.

    The width H of the layer is the columns of the hidden-to-hidden weight, or, where an LSTM projects its
    output, those of the projection; the gates are the rows over H.

    Args:
        name: Name of the tensor.
        shapes: Shape of every tensor of the file, by name.
    """
    match = _RECURRENT.search(name)
    if match is None:
        return None
    if match["side"] == "hr":
        return (Part(None, Kind.RECURRENT),)
    stem, rest = name[: match.start("side")], match["rest"]
    width = (shapes.get(f"{stem}hr{rest}") or shapes.get(f"{stem}hh{rest}") or (0,))[-1]
    rows = shapes[name][0]
    gates = _GATES.get(rows // width) if width and rows % width == 0 else None
    return equal_parts(gates, Kind.RECURRENT, rows) if gates else (Part(None, Kind.RECURRENT),)


def stacked_experts(name: str, shape: Shape, shapes: Mapping[str, Shape]) -> tuple[Part, ...] | None:
    """A matrix for every expert of a stack of three axes, or None where the name is not that of experts.

    A fused gate and up projection, (experts, 2 inner, width), is halved where the shape of its down
    projection, (experts, width, inner), shows which axis is which; otherwise the two stay together. In MXFP4, which
    is how gpt-oss is published, their rows alternate.
    """
    if not _EXPERTS.search(name):
        return None
    n_experts, rows, _ = shape
    down = shapes.get(name.replace("gate_up_proj", "down_proj")) if "gate_up_proj" in name else None
    pieces: list[tuple[str, tuple[Cut, ...]]] = [("", ())]
    if down is not None and len(down) == 3 and rows == 2 * down[2] and shape[2] == down[1]:
        inner = rows // 2
        alternating = f"{name}_blocks" in shapes
        ranges = ((0, 1, 2), (1, 2, 2)) if alternating else ((0, inner, None), (inner, rows, None))
        pieces = [(piece, (Cut(1, *each),)) for piece, each in zip((".gate", ".up"), ranges, strict=True)]
    return tuple(
        Part(f"expert_{expert}{piece}", Kind.LINEAR, (Cut(0, expert, expert + 1), *cuts), matrix_axes=(1, 2))
        for expert in range(n_experts)
        for piece, cuts in pieces
    )

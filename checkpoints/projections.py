"""In which order the rows of a fused projection stand, as the attention or feed-forward module around it uses them."""

import re

from torch import nn

from checkpoints.parts import Piece

_QKV = re.compile(r"(?:qkvs?|Wqkv|W_pack|to_qkv|qkv_proj|att_proj|c_attn|in_proj|query_key_value)")
_KV = re.compile(r"(?:kv|to_kv)")
_GATE_UP = re.compile(r"(?:gate_up_proj|w12)")

_BY_HEAD = (
    *("GPTNeoXAttention", "GPTNeoXJapaneseAttention", "BloomAttention", "PersimmonAttention"),
    *("DisentangledSelfAttention", "MiniMaxLightningAttention", "GPTBigCodeAttention", "FalconAttention"),
)
"""Modules of transformers whose rows are ordered by head first, and by query, key and value within a head."""

_WIDTHS = (("key_dim", "val_dim"), ("dim_out_qk", "dim_out_v"), ("qk_dim", "pdim"))
"""Attributes with the width of a query or key, and of a value: of one head (LeViT, TinyViT, EfficientFormer), or of
all that the projection makes (EfficientViT, BoTNet, SHViT)."""

_ATTENTION = re.compile(r"Att(?:entio)?n|MHA|MLA|SHSA|Lambda|MixerBlock")


def fused_pieces(around: nn.Module, name: str, length: int) -> tuple[Piece, ...]:
    """The pieces of a projection, in the order of its rows.

    Args:
        around: The module that uses the projection.
        name: The projection's name in it.
        length: Its output channels.

    Returns:
        Pieces whose lengths divide `length` together: as often as they fit, they repeat. None for a projection that
        is no fused one, or one whose order is not known here.
    """
    if _QKV.fullmatch(name) and _ATTENTION.search(type(around).__name__):
        return _that_fit(_query_key_value(around, length), length)
    if _KV.fullmatch(name) and _ATTENTION.search(type(around).__name__):
        return _that_fit(_key_value(around, length), length)
    if _GATE_UP.fullmatch(name) and length % 2 == 0:
        return _pieces(gate=length // 2, up=length // 2)
    if type(around).__name__ == "GluMlp" and name == "fc1" and length % 2 == 0:
        half = length // 2
        return _pieces(up=half, gate=half) if getattr(around, "gate_last", True) else _pieces(gate=half, up=half)
    return ()


def _query_key_value(around: nn.Module, length: int) -> tuple[Piece, ...]:
    if getattr(around, "use_global", False):  # of GCViT: the query comes from elsewhere
        return _pieces(k=length // 2, v=length // 2)
    return _by_class(around, length) or _by_dimensions(around, length) or _by_heads(around, length)


def _key_value(around: nn.Module, length: int) -> tuple[Piece, ...]:
    for key, value in (("key_dim", "val_dim"), ("dim_head_qk", "dim_head_v")):
        if _has(around, key, value):
            return _pieces(k=_whole(around, key), v=_whole(around, value))
    return _pieces(k=length // 2, v=length // 2) if length % 2 == 0 else ()


def _by_class(around: nn.Module, length: int) -> tuple[Piece, ...]:
    """Modules whose order is told by what they are."""
    name = type(around).__name__
    heads = _first(around, "num_attention_heads", "num_heads")
    if name == "CodeGenAttention" and length % 12 == 0:  # four blocks, each with query, value, key
        return _pieces(q=length // 12, v=length // 12, k=length // 12)
    if name not in _BY_HEAD or not heads:
        return ()
    if getattr(around, "multi_query", False) and not getattr(around, "new_decoder_architecture", False):
        head = length // (heads + 2)
        return _pieces(q=heads * head, k=head, v=head)
    if getattr(around, "new_decoder_architecture", False):
        groups = _first(around, "num_kv_heads")
        head = length // (heads + 2 * groups)
        return _pieces(q=heads // groups * head, k=head, v=head)
    head = length // (3 * heads)
    return _pieces(q=head, k=head, v=head)


def _by_dimensions(around: nn.Module, length: int) -> tuple[Piece, ...]:
    """Modules of timm, told by the widths that they keep."""
    for key, value in _WIDTHS:
        if _has(around, key, value):
            return _pieces(q=_whole(around, key), k=_whole(around, key), v=_whole(around, value))
    if _has(around, "dim_qk", "dim_v", "num_heads"):  # LambdaNetworks: many queries to one key
        one = _whole(around, "dim_qk")
        return _pieces(q=_whole(around, "num_heads") * one, k=one, v=_whole(around, "dim_v"))
    if type(around).__name__ == "LinearSelfAttention":  # MobileViT v2: the query is one score a pixel
        width = _whole(around, "embed_dim")
        return _pieces(q=1, k=width, v=width)
    head = 0
    if type(around).__name__ == "LiteMLA":
        head = _whole(around, "dim")
    elif getattr(around, "head_first", False):  # CoAtNet, MaxViT
        head = _whole(around, "dim_head")
    return _pieces(q=head, k=head, v=head) if head else ()


def _by_heads(around: nn.Module, length: int) -> tuple[Piece, ...]:
    """Query, key and value one after the other; keys and values may be shared among heads."""
    shared = _first(around, "num_key_value_heads", "num_kv_heads") * _first(around, "head_dim")
    if 0 < 2 * shared < length:
        return _pieces(q=length - 2 * shared, k=shared, v=shared)
    return _pieces(q=length // 3, k=length // 3, v=length // 3) if length % 3 == 0 else ()


def _first(around: nn.Module, *names: str) -> int:
    """The first of some whole numbers that a module, or else its configuration, has; 0 if it has none."""
    holders = (around, getattr(around, "config", None))
    return next((found for holder in holders for name in names if (found := _whole(holder, name))), 0)


def _has(around: nn.Module, *names: str) -> bool:
    return all(_whole(around, name) for name in names)


def _whole(holder: object, name: str) -> int:
    """A whole number above 0 that something has under a name, else 0."""
    value = getattr(holder, name, None)
    return value if isinstance(value, int) and value > 0 else 0


def _pieces(**lengths: int) -> tuple[Piece, ...]:
    return tuple(Piece(name, length) for name, length in lengths.items())


def _that_fit(pieces: tuple[Piece, ...], length: int) -> tuple[Piece, ...]:
    """The pieces if they fill the axis, once or several times; else none."""
    together = sum(piece.length for piece in pieces)
    return pieces if together and length % together == 0 and all(piece.length > 0 for piece in pieces) else ()

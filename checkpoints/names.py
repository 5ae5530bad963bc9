"""What the names of tensors say: wrappers, buffers, tables, embeddings.

The patterns are those of torch, timm, transformers and the checkpoints that their users publish.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

_WRAPPERS = ("module.", "_orig_mod.", "_forward_module.")

_BUFFER = re.compile(
    r"""(?:^|\.)(?:
        running_mean | running_var | num_batches_tracked        # normalization
      | (?:position|token_type)_ids                             # index vectors
      | (?:\w*_)?inv_freq | (?:cos|sin)_cached | freqs_(?:cis|cos|sin) | rope\.freqs   # rotary frequencies
      | masked_bias | \w+_mask | (?:attn|attention)\.bias         # masks: causal, of windows, of pruning
      | relative_position_index | relative_coords_table         # Swin
      | expert_bias | e_score_correction_bias                   # load balancing of routers
    )$""",
    re.VERBOSE,
)
_QUANTIZED = re.compile(
    r"(?:^|[._])(?:qweight|qzeros|g_idx|scales?|zero_point|absmax|quant_map|nested_absmax|weight_scale(?:_inv)?|SCB)$"
)
_TABLE = re.compile(
    r"""(?:^|\.)(?:
        \w*pos(?:ition)?(?:al)?_?(?:embed|emb|encod)\w* | wpe | embed_positions   # absolute positions
      | patch_pos | (?:height|width)_rel                        # those of TNT; of BoTNet and HaloNet
      | rel(?:ative)?_pos\w* | attention_biases | \w*bias_table   # relative positions
      | (?:cls|dist|mask|register|reg|class)_(?:token|embedding)s?   # learned tokens
      | A_log | \w*bias                                         # states of Mamba; biases of heads, experts
    )(?:\.weight)?$""",
    re.VERBOSE,
)
_EMBEDDING = re.compile(
    r"(?:^|\.)(?:\w*embeddings?|embed_tokens|embed_in|\w*_emb|emb|embed|wte|shared|embed_tokens_\w+)(?:\.weight)?$"
)
_DIRECTIONS = re.compile(
    r"(?P<stem>(?:.*\.)?)(?:(?P<old>weight(?:_[ih]h_l\d+(?:_reverse)?)?)_v|parametrizations\.(?P<new>\w+)\.original1)"
)
_ADAPTER = re.compile(r"(?:^|[._])lora_(?:A|B|embedding_A|embedding_B|down|up|magnitude_vector)(?:\.|$)")
_CONV_TRANSPOSE = re.compile(r"(?:conv_?transpose|transposed?_?conv|deconv|up_?conv|convt)\w*\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Said:
    """What the last two parts of a name say: no pattern of these looks further back."""

    buffer: bool
    quantized: bool
    table: bool
    embedding: bool


def _said_by(tensor: str) -> _Said:
    return _said_by_ending(tensor[tensor.rfind(".", 0, max(0, tensor.rfind("."))) + 1 :])


@lru_cache(maxsize=4096)
def _said_by_ending(ending: str) -> _Said:
    """Asked once for all layers that are built alike: their names end alike."""
    patterns = (_BUFFER, _QUANTIZED, _TABLE, _EMBEDDING)
    return _Said(*(pattern.search(ending) is not None for pattern in patterns))


def layer_name(tensor: str) -> str:
    """The layer a tensor belongs to: without the prefixes of wrappers and without `.weight`."""
    name = without_wrappers(tensor)
    return name.rpartition(".")[0] if name.endswith((".weight", ".kernel")) else name


def without_wrappers(tensor: str) -> str:
    """A name without the prefixes that DataParallel, compile and DeepSpeed put before it."""
    while tensor.startswith(_WRAPPERS):
        tensor = tensor.partition(".")[2]
    return tensor


def directions_of(tensor: str) -> str | None:
    """Name of the weight whose directions a tensor of weight normalization holds, None where it holds none."""
    match = _DIRECTIONS.fullmatch(tensor)
    return f"{match['stem']}{match['old'] or match['new']}" if match else None


def lengths_of(tensor: str) -> str | None:
    """Name of the tensor that holds the lengths to some directions, None where the name is not that of directions."""
    match = _DIRECTIONS.fullmatch(tensor)
    if match is None:
        return None
    stem = match["stem"]
    return f"{stem}{match['old']}_g" if match["old"] else f"{stem}parametrizations.{match['new']}.original0"


def is_adapter(tensor: str) -> bool:
    """Whether the name is that of a factor of a low-rank update (LoRA) of a weight."""
    return "lora_" in tensor and bool(_ADAPTER.search(tensor))


def is_buffer(tensor: str) -> bool:
    """Whether the name is that of state that is not learned."""
    return _said_by(tensor).buffer


def is_quantized(tensor: str) -> bool:
    """Whether the name is that of the codes or scales of a quantized weight."""
    return _said_by(tensor).quantized


def is_table(tensor: str) -> bool:
    """Whether the name is that of a table of positions, biases or tokens: rows looked up, no map applied."""
    return _said_by(tensor).table


def is_embedding(tensor: str) -> bool:
    """Whether the name is that of an embedding of a vocabulary."""
    return _said_by(tensor).embedding


def is_conv_transpose(tensor: str) -> bool:
    """Whether the name is that of a transposed convolution."""
    return bool(_CONV_TRANSPOSE.search(tensor))


def natural_order(name: str) -> list[str | int]:
    """Sorting key by which `layers.2` comes before `layers.10`."""
    return [int(piece) if piece.isdecimal() else piece for piece in re.split(r"(\d+)", name)]

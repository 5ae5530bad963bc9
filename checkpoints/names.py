"""What the names of tensors say: wrappers, buffers, tables, embeddings.

The patterns are those of torch, timm, transformers and the checkpoints that their users publish.
"""

import re

_WRAPPERS = re.compile(r"^(?:module\.|_orig_mod\.|_forward_module\.)+")
_WEIGHT = re.compile(r"\.(?:weight|kernel)$")

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
      | rel(?:ative)?_pos\w* | attention_biases | \w*bias_table   # relative positions
      | (?:cls|dist|mask|register|reg|class)_(?:token|embedding)s?   # learned tokens
      | A_log | \w*bias                                         # states of Mamba; biases of heads, experts
    )(?:\.weight)?$""",
    re.VERBOSE,
)
_EMBEDDING = re.compile(
    r"(?:^|\.)(?:\w*embeddings?|embed_tokens|embed_in|\w*_emb|emb|embed|wte|shared|embed_tokens_\w+)(?:\.weight)?$"
)
_CONV_TRANSPOSE = re.compile(r"(?:conv_?transpose|transposed?_?conv|deconv|up_?conv|convt)\w*\b", re.IGNORECASE)


def layer_name(tensor: str) -> str:
    """The layer a tensor belongs to: without the prefixes of wrappers and without `.weight`."""
    return _WEIGHT.sub("", without_wrappers(tensor))


def without_wrappers(tensor: str) -> str:
    """A name without the prefixes that DataParallel, compile and DeepSpeed put before it."""
    return _WRAPPERS.sub("", tensor)


def is_buffer(tensor: str) -> bool:
    """Whether the name is that of state that is not learned."""
    return bool(_BUFFER.search(tensor))


def is_quantized(tensor: str) -> bool:
    """Whether the name is that of the codes or scales of a quantized weight."""
    return bool(_QUANTIZED.search(tensor))


def is_table(tensor: str) -> bool:
    """Whether the name is that of a table of positions, biases or tokens: rows looked up, no map applied."""
    return bool(_TABLE.search(tensor))


def is_embedding(tensor: str) -> bool:
    """Whether the name is that of an embedding of a vocabulary."""
    return bool(_EMBEDDING.search(tensor))


def is_conv_transpose(tensor: str) -> bool:
    """Whether the name is that of a transposed convolution."""
    return bool(_CONV_TRANSPOSE.search(tensor))

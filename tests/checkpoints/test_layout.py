"""The layout of published families, and of any file at all: nothing lost, nothing twice."""

from math import prod

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints.layout import FLOATS, lay_out
from checkpoints.matrices import matrix_stack
from checkpoints.tensors import TensorHeader
from setol.reasons import Reason
from tests.checkpoints.tables import expected, told, told_of

FAMILIES = {
    "vit_base_patch16_224 (timm)": [
        ("cls_token", (1, 1, 768), "vector"),
        ("pos_embed", (1, 197, 768), "table"),
        ("patch_embed.proj.weight", (768, 3, 16, 16), "conv2d"),
        ("blocks.0.norm1.weight", (768,), "vector"),
        ("blocks.0.attn.proj.weight", (768, 768), "linear"),
        ("blocks.0.ls1.gamma", (768,), "vector"),
        ("blocks.0.mlp.fc1.weight", (3072, 768), "linear"),
        ("head.weight", (1000, 768), "linear"),
    ],
    "vit with registers, and windows of an image encoder": [
        ("reg_token", (1, 4, 384), "table"),
        ("image_encoder.pos_embed", (1, 64, 64, 768), "unknown"),
        ("image_encoder.blocks.0.attn.rel_pos_h", (27, 64), "table"),
    ],
    "swin_tiny (timm, torchvision)": [
        ("patch_embed.proj.weight", (96, 3, 4, 4), "conv2d"),
        ("layers.0.blocks.1.attn_mask", (64, 49, 49), "buffer"),
        ("layers.0.blocks.0.attn.relative_position_bias_table", (169, 3), "table"),
        ("layers.0.blocks.0.attn.relative_position_index", (49, 49), "buffer"),
        ("layers.0.blocks.0.attn.qkv.weight", (288, 96), "linear q k v"),
        ("layers.1.downsample.reduction.weight", (192, 384), "linear"),
    ],
    "swin v2": [
        ("layers.0.blocks.0.attn.logit_scale", (3, 1, 1), "vector"),
        ("layers.0.blocks.0.attn.relative_coords_table", (1, 15, 15, 2), "buffer"),
        ("layers.0.blocks.0.attn.cpb_mlp.0.weight", (512, 2), "linear"),
    ],
    "levit (timm)": [("stages.0.blocks.0.attn.attention_biases", (4, 196), "table")],
    "gpt2": [
        ("wte.weight", (50257, 768), "embedding"),
        ("wpe.weight", (1024, 768), "table"),
        ("h.0.ln_1.weight", (768,), "vector"),
        ("h.0.attn.bias", (1, 1, 1024, 1024), "buffer"),
        ("h.0.attn.masked_bias", (), "buffer"),
        ("h.0.attn.c_attn.weight", (768, 2304), "linear q k v"),
        ("h.0.attn.c_proj.weight", (768, 768), "linear"),
        ("h.0.mlp.c_fc.weight", (768, 3072), "linear"),
        ("lm_head.weight", (50257, 768), "linear"),
    ],
    "bert": [
        ("embeddings.word_embeddings.weight", (30522, 768), "embedding"),
        ("embeddings.position_embeddings.weight", (512, 768), "table"),
        ("embeddings.token_type_embeddings.weight", (2, 768), "embedding"),
        ("embeddings.position_ids", (1, 512), "buffer"),
        ("embeddings.LayerNorm.weight", (768,), "vector"),
        ("encoder.layer.0.attention.self.query.weight", (768, 768), "linear"),
        ("encoder.layer.0.intermediate.dense.weight", (3072, 768), "linear"),
        ("pooler.dense.weight", (768, 768), "linear"),
    ],
    "albert, deberta": [
        ("encoder.embedding_hidden_mapping_in.weight", (768, 128), "linear"),
        ("encoder.rel_embeddings.weight", (512, 768), "embedding"),
    ],
    "t5": [
        ("shared.weight", (32128, 512), "embedding"),
        ("encoder.embed_tokens.weight", (32128, 512), "embedding"),
        ("encoder.block.0.layer.0.SelfAttention.q.weight", (512, 512), "linear"),
        ("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", (32, 8), "table"),
        ("encoder.block.0.layer.1.DenseReluDense.wi_0.weight", (1024, 512), "linear"),
        ("lm_head.weight", (32128, 512), "linear"),
    ],
    "llama": [
        ("model.embed_tokens.weight", (32000, 4096), "embedding"),
        ("model.layers.0.self_attn.q_proj.weight", (4096, 4096), "linear"),
        ("model.layers.0.self_attn.k_proj.weight", (1024, 4096), "linear"),
        ("model.layers.0.self_attn.rotary_emb.inv_freq", (64,), "buffer"),
        ("model.layers.0.self_attn.rotary_emb.cos_cached", (1, 1, 2048, 128), "buffer"),
        ("model.layers.0.mlp.gate_proj.weight", (14336, 4096), "linear"),
        ("model.layers.0.input_layernorm.weight", (4096,), "vector"),
        ("lm_head.weight", (32000, 4096), "linear"),
    ],
    "gpt-neox": [
        ("gpt_neox.embed_in.weight", (50432, 6144), "embedding"),
        ("gpt_neox.layers.0.attention.bias", (1, 1, 2048, 2048), "buffer"),
        ("embed_out.weight", (50432, 6144), "linear"),
    ],
    "mamba": [
        ("backbone.embedding.weight", (50280, 768), "embedding"),
        ("backbone.layers.0.mixer.A_log", (1536, 16), "table"),
        ("backbone.layers.0.mixer.D", (1536,), "vector"),
        ("backbone.layers.0.mixer.conv1d.weight", (1536, 1, 4), "depthwise"),
        ("backbone.layers.0.mixer.in_proj.weight", (3072, 768), "linear"),
        ("backbone.layers.0.mixer.x_proj.weight", (80, 1536), "linear"),
        ("backbone.layers.0.mixer.dt_proj.weight", (1536, 48), "linear"),
    ],
    "whisper": [
        ("model.encoder.conv1.weight", (384, 80, 3), "conv1d"),
        ("model.encoder.conv2.weight", (384, 384, 3), "conv1d"),
        ("model.encoder.embed_positions.weight", (1500, 384), "table"),
        ("model.decoder.embed_tokens.weight", (51865, 384), "embedding"),
        ("model.encoder.layers.0.self_attn.k_proj.weight", (384, 384), "linear"),
        ("proj_out.weight", (51865, 384), "linear"),
    ],
    "clip (openai)": [
        ("positional_embedding", (77, 512), "table"),
        ("text_projection", (512, 512), "linear"),
        ("logit_scale", (), "vector"),
        ("visual.class_embedding", (768,), "vector"),
        ("visual.positional_embedding", (50, 768), "table"),
        ("visual.proj", (768, 512), "linear"),
        ("visual.conv1.weight", (768, 3, 32, 32), "conv2d"),
        ("transformer.resblocks.0.attn.in_proj_weight", (1536, 512), "linear q k v"),
        ("transformer.resblocks.0.attn.in_proj_bias", (1536,), "vector"),
        ("token_embedding.weight", (49408, 512), "embedding"),
    ],
    "clip (transformers)": [
        ("text_model.embeddings.token_embedding.weight", (49408, 512), "embedding"),
        ("text_model.embeddings.position_embedding.weight", (77, 512), "table"),
        ("vision_model.embeddings.patch_embedding.weight", (768, 3, 32, 32), "conv2d"),
        ("vision_model.embeddings.position_ids", (1, 50), "buffer"),
        ("text_projection.weight", (512, 512), "linear"),
    ],
    "gptq": [
        ("model.layers.0.mlp.up_proj.qweight", (512, 14336), "quantized_gptq"),
        ("model.layers.0.mlp.up_proj.qzeros", (32, 1792), "quantized_gptq"),
        ("model.layers.0.mlp.up_proj.scales", (32, 14336), "quantized_gptq"),
        ("model.layers.0.mlp.up_proj.g_idx", (4096,), "quantized_gptq"),
        ("model.norm.weight", (4096,), "vector"),
    ],
    "awq": [
        ("model.layers.0.mlp.up_proj.qweight", (4096, 1792), "quantized_awq"),
        ("model.layers.0.mlp.up_proj.qzeros", (32, 1792), "quantized_awq"),
        ("model.layers.0.mlp.up_proj.scales", (32, 14336), "quantized_awq"),
        ("model.norm.weight", (4096,), "vector"),
    ],
    "pruned by a mask": [
        ("fc.weight_orig", (300, 200), "linear"),
        ("fc.weight_mask", (300, 200), "buffer"),
    ],
    "a model and a second one under a wrapper's name": [
        ("rnn.weight_ih_l0", (20, 7), "recurrent i f g o"),
        ("rnn.weight_hh_l0", (20, 5), "recurrent i f g o"),
        ("module.rnn.weight_ih_l0", (9, 7), "recurrent r z n"),
        ("module.rnn.weight_hh_l0", (9, 3), "recurrent r z n"),
    ],
    "shapes at the edge": [
        ("a.weight", (5, 0), "empty"),
        ("b.weight", (1, 5), "vector"),
        ("c.weight", (1, 5, 1, 7), "depthwise"),
        ("d", (), "vector"),
        ("e.weight", (3, 4, 5, 6, 7, 8), "unknown"),
        ("f.weight", (1, 5, 7), "depthwise"),
    ],
}


@pytest.mark.parametrize("prefix", ["", "module.", "transformer.", "bert."])
@pytest.mark.parametrize("family", FAMILIES)
def test_published_family(family, prefix):
    assert told_of(FAMILIES[family], prefix) == expected(FAMILIES[family])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_when_sorted_by_name(family):
    assert told_of(FAMILIES[family], order=lambda row: row[0]) == expected(FAMILIES[family])


@pytest.mark.parametrize(
    ("dtype", "what"),
    [
        *[(dtype, "linear") for dtype in FLOATS],
        *[(dtype, "integer") for dtype in ("bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint64")],
        *[(dtype, "dtype") for dtype in ("float8_e8m0fnu", "complex64", "qint8", "f4")],
    ],
)
def test_number_formats(dtype, what):
    (layout,) = lay_out([TensorHeader("fc.weight", dtype, (4, 3))])
    assert told(layout) == what


@pytest.mark.parametrize(
    ("tensor", "layer"),
    [
        ("module.layer1.0.conv1.weight", "layer1.0.conv1"),
        ("_orig_mod.module.fc.weight", "fc"),
        ("Dense_0.kernel", "Dense_0"),
        ("rnn.weight_ih_l0", "rnn.weight_ih_l0"),
        ("weight", "weight"),
        ("text_projection", "text_projection"),
    ],
)
def test_layer_names(tensor, layer):
    (layout,) = lay_out([TensorHeader(tensor, "float32", (4, 3))])
    assert layout.layer == layer


def test_no_tensors_no_layouts():
    assert lay_out([]) == ()


LAST_NAMES = [
    *("weight", "bias", "kernel", "conv.weight", "conv1.weight", "conv2.weight", "downsample.0.weight", "fc.weight"),
    *("deconv.weight", "qkv.weight", "c_attn.weight", "in_proj_weight", "kv.weight", "gate_up_proj.weight"),
    *("weight_ih_l0", "weight_hh_l0", "weight_hr_l0", "weight_ih", "weight_hh", "weight_ih_l0_reverse"),
    *("experts.gate_up_proj", "experts.down_proj", "experts.0.w1.weight", "input_linear.weight", "A_log"),
    *("embed_tokens.weight", "pos_embed", "cls_token", "wpe.weight", "attn_mask", "running_mean", "qweight", "scales"),
]
NAMES = st.builds(
    "".join, st.tuples(st.sampled_from(["", "module.", "block.", "block.0."]), st.sampled_from(LAST_NAMES))
)
LENGTHS = st.sampled_from([0, 1, 1, 2, 3, 4, 6, 8, 12])
SHAPES = st.lists(LENGTHS, max_size=5).map(tuple).filter(lambda shape: prod(shape) < 10_000)
DTYPES = st.sampled_from(["float32", "float32", "float32", "bfloat16", "int64", "float8_e4m3fn"])
FILES = st.dictionaries(NAMES, st.tuples(DTYPES, SHAPES), max_size=10)


@settings(max_examples=600, deadline=None)
@given(FILES)
def test_every_entry_of_every_tensor_is_in_one_part_or_the_tensor_has_a_reason(file):
    headers = [TensorHeader(name, dtype, shape) for name, (dtype, shape) in file.items()]
    layouts = lay_out(headers)
    assert [layout.header for layout in layouts] == headers
    for layout in layouts:
        header = layout.header
        assert (layout.reason is None) == bool(layout.parts)
        assert layout.reason is None or layout.reason in Reason
        if not layout.parts:
            continue
        assert header.dtype in FLOATS
        tensor = torch.arange(header.n_params).reshape(header.shape)
        stacks = [matrix_stack(tensor, part) for part in layout.parts]
        assert all(stack.ndim == 3 and stack.shape[1] >= stack.shape[2] >= 1 for stack in stacks)
        entries = torch.cat([stack.flatten() for stack in stacks])
        assert torch.equal(entries.sort().values, torch.arange(header.n_params))
        assert len({part.part for part in layout.parts}) == len(layout.parts)
        assert (layout.parts[0].part is None) == (len(layout.parts) == 1)

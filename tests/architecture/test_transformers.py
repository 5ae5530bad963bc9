"""Models of transformers by their config.json and the names that their tensors are published under."""

import pytest
import torch

from checkpoints.architecture_transformers import build_transformers, knows_transformers, transformers_facts
from checkpoints.layout import lay_out
from tests.architecture.tables import expected, pieces_of, transformers_layouts, transformers_model, write_config
from tests.checkpoints.tables import headers

TOKENS = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}

MIXTRAL = {
    **TOKENS,
    **{"model_type": "mixtral", "architectures": ["MixtralForCausalLM"], "hidden_size": 8, "intermediate_size": 12},
    **{"num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 1, "num_local_experts": 2},
    "vocab_size": 30,
}
MIXTRAL_ROWS = [
    ("model.embed_tokens.weight", (30, 8), "embedding"),
    ("model.layers.0.block_sparse_moe.gate.weight", (2, 8), "linear"),
    ("model.layers.0.block_sparse_moe.experts.0.w1.weight", (12, 8), "linear"),
    ("model.layers.0.block_sparse_moe.experts.0.w2.weight", (8, 12), "linear"),
    ("model.layers.0.block_sparse_moe.experts.0.w3.weight", (12, 8), "linear"),
    ("model.layers.0.block_sparse_moe.experts.1.w1.weight", (12, 8), "linear"),
    ("model.layers.0.self_attn.k_proj.weight", (4, 8), "linear"),
    ("model.layers.0.input_layernorm.weight", (8,), "vector"),
    ("lm_head.weight", (30, 8), "linear"),
]
FUSED_MIXTRAL_ROWS = [
    (
        "model.layers.0.mlp.experts.gate_up_proj",
        (2, 24, 8),
        "linear expert_0.gate expert_0.up expert_1.gate expert_1.up",
    ),
    ("model.layers.0.mlp.experts.down_proj", (2, 8, 12), "linear expert_0-1"),
]
QWEN = {
    **TOKENS,
    **{"model_type": "qwen2_moe", "architectures": ["Qwen2MoeForCausalLM"], "hidden_size": 8, "intermediate_size": 12},
    **{"moe_intermediate_size": 6, "shared_expert_intermediate_size": 10, "num_experts": 3, "num_experts_per_tok": 2},
    **{"num_attention_heads": 2, "num_key_value_heads": 2, "num_hidden_layers": 1, "vocab_size": 30},
    "decoder_sparse_step": 1,
}
QWEN_ROWS = [
    ("model.layers.0.mlp.gate.weight", (3, 8), "linear"),
    ("model.layers.0.mlp.experts.0.gate_proj.weight", (6, 8), "linear"),
    ("model.layers.0.mlp.experts.2.up_proj.weight", (6, 8), "linear"),
    ("model.layers.0.mlp.experts.2.down_proj.weight", (8, 6), "linear"),
    ("model.layers.0.mlp.shared_expert.gate_proj.weight", (10, 8), "linear"),
    ("model.layers.0.mlp.shared_expert_gate.weight", (1, 8), "vector"),
    ("model.layers.0.self_attn.q_proj.bias", (8,), "vector"),
]
GPT_OSS = {
    **TOKENS,
    **{"model_type": "gpt_oss", "architectures": ["GptOssForCausalLM"], "hidden_size": 8, "intermediate_size": 6},
    **{"num_local_experts": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4},
    **{"num_hidden_layers": 1, "vocab_size": 30, "layer_types": ["full_attention"]},
}
GPT2 = {
    **TOKENS,
    **{"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": 8, "n_head": 2, "n_layer": 1},
    **{"n_positions": 16, "vocab_size": 30},
}
GPT2_ROWS = [
    ("wte.weight", (30, 8), "embedding"),
    ("wpe.weight", (16, 8), "table"),
    ("h.0.ln_1.weight", (8,), "vector"),
    ("h.0.attn.bias", (1, 1, 16, 16), "buffer"),
    ("h.0.attn.c_attn.weight", (8, 24), "linear q k v"),
    ("h.0.attn.c_proj.weight", (8, 8), "linear"),
    ("h.0.mlp.c_fc.weight", (8, 32), "linear"),
    ("h.0.mlp.c_proj.weight", (32, 8), "linear"),
]
BERT = {
    **{"model_type": "bert", "architectures": ["BertForMaskedLM"], "hidden_size": 8, "intermediate_size": 16},
    **{"num_attention_heads": 2, "num_hidden_layers": 1, "vocab_size": 30, "max_position_embeddings": 16},
}
BERT_ROWS = [
    ("embeddings.word_embeddings.weight", (30, 8), "embedding"),
    ("embeddings.position_embeddings.weight", (16, 8), "table"),
    ("embeddings.token_type_embeddings.weight", (2, 8), "embedding"),
    ("embeddings.position_ids", (1, 16), "buffer"),
    ("embeddings.LayerNorm.gamma", (8,), "vector"),
    ("encoder.layer.0.attention.self.query.weight", (8, 8), "linear"),
    ("encoder.layer.0.intermediate.dense.weight", (16, 8), "linear"),
]
DINO = {
    **{"model_type": "dinov2", "architectures": ["Dinov2Model"], "hidden_size": 8, "num_attention_heads": 2},
    **{"num_hidden_layers": 1, "image_size": 28, "patch_size": 14, "mlp_ratio": 2},
}
DINO_ROWS = [
    ("embeddings.cls_token", (1, 1, 8), "vector"),
    ("embeddings.mask_token", (1, 8), "vector"),
    ("embeddings.position_embeddings", (1, 5, 8), "table"),
    ("embeddings.patch_embeddings.projection.weight", (8, 3, 14, 14), "conv2d"),
    ("encoder.layer.0.attention.attention.query.weight", (8, 8), "linear"),
    ("encoder.layer.0.attention.output.dense.weight", (8, 8), "linear"),
    ("encoder.layer.0.layer_scale1.lambda1", (8,), "vector"),
    ("encoder.layer.0.mlp.fc1.weight", (16, 8), "linear"),
    ("layernorm.weight", (8,), "vector"),
]
DINO_GIANT = DINO | {"hidden_size": 24, "use_swiglu_ffn": True}
DINO_GIANT_ROWS = [  # one tensor in the file, two modules in the library
    ("encoder.layer.0.mlp.weights_in.weight", (64, 24), "linear gate up"),
    ("encoder.layer.0.mlp.weights_in.bias", (64,), "vector"),
    ("encoder.layer.0.mlp.weights_out.weight", (24, 32), "linear"),
]
WHISPER = {
    **TOKENS,
    **{"model_type": "whisper", "architectures": ["WhisperForConditionalGeneration"], "d_model": 8, "vocab_size": 30},
    **{"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2},
    **{"encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "num_mel_bins": 6, "decoder_start_token_id": 3},
    **{"max_source_positions": 20, "max_target_positions": 10},
}
WHISPER_ROWS = [
    ("model.encoder.conv1.weight", (8, 6, 3), "conv1d"),
    ("model.encoder.conv2.weight", (8, 8, 3), "conv1d"),
    ("model.encoder.embed_positions.weight", (20, 8), "table"),
    ("model.decoder.embed_positions.weight", (10, 8), "table"),
    ("model.decoder.embed_tokens.weight", (30, 8), "embedding"),
    ("model.encoder.layers.0.self_attn.k_proj.weight", (8, 8), "linear"),
    ("model.decoder.layers.0.encoder_attn.v_proj.weight", (8, 8), "linear"),
    ("proj_out.weight", (30, 8), "linear"),
]
WAV2VEC = {
    **{"model_type": "wav2vec2", "architectures": ["Wav2Vec2Model"], "hidden_size": 16, "num_attention_heads": 2},
    **{"num_hidden_layers": 1, "intermediate_size": 16, "num_conv_pos_embeddings": 4},
    **{"num_conv_pos_embedding_groups": 4, "conv_dim": [4], "conv_kernel": [3], "conv_stride": [2]},
    "num_feat_extract_layers": 1,
}
WAV2VEC_ROWS = [
    ("encoder.pos_conv_embed.conv.weight_g", (1, 1, 4), "vector"),
    ("encoder.pos_conv_embed.conv.weight_v", (16, 4, 4), "conv1d group_0-3"),
    ("feature_projection.projection.weight", (16, 4), "linear"),
]

# A checkpoint without its head has no prefix; one of the whole model has it before all but the head.
FAMILIES = {
    "mixtral": (MIXTRAL, MIXTRAL_ROWS, ()),
    "mixtral saved by version 5": (MIXTRAL, FUSED_MIXTRAL_ROWS, ()),
    "qwen moe": (QWEN, QWEN_ROWS, ()),
    "gpt2": (GPT2, GPT2_ROWS, ("h.0.attn.bias",)),
    "gpt2 with its prefix": (
        GPT2,
        [(f"transformer.{name}", shape, what) for name, shape, what in GPT2_ROWS],
        ("transformer.h.0.attn.bias",),
    ),
    "bert": (BERT, BERT_ROWS, ()),
    "bert with its prefix": (BERT, [(f"bert.{name}", shape, what) for name, shape, what in BERT_ROWS], ()),
    "bert under DataParallel": (BERT, [(f"module.bert.{name}", shape, what) for name, shape, what in BERT_ROWS], ()),
    "dinov2": (DINO, DINO_ROWS, ()),
    "dinov2 with a gate": (DINO_GIANT, DINO_GIANT_ROWS, ()),
    "whisper": (WHISPER, WHISPER_ROWS, ()),
    "wav2vec 2": (WAV2VEC, WAV2VEC_ROWS, ()),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_published_family(family, tmp_path):
    config, rows, by_name = FAMILIES[family]
    found = transformers_layouts(tmp_path, config, rows)
    assert {name: what for name, (what, _) in found.items()} == {name: what for name, _, what in rows}
    assert found == expected(rows, by_name)


@pytest.mark.parametrize(
    "config", [MIXTRAL, QWEN, GPT_OSS, GPT2, BERT, DINO, WHISPER, WAV2VEC], ids=lambda c: c["model_type"]
)
def test_what_the_library_saves_itself_is_led_to_modules(config, tmp_path):
    model = transformers_model(tmp_path, config)
    rows = [(name, tuple(tensor.shape)) for name, tensor in model.state_dict().items()]
    facts = transformers_facts(model, headers(rows))
    # Vectors beside the weights of experts and heads are the only ones that a module may say nothing of.
    assert [name for name, shape in rows if name not in facts and len(shape) != 1 and "bias" not in name] == []


def split(config, name, folder, rows, cols):
    """The layout of one fused tensor, and that tensor with entries that are all different."""
    model = transformers_model(folder, config)
    (header,) = headers([(name, (rows, cols))])
    (layout,) = lay_out([header], transformers_facts(model, [header]))
    assert layout.by == "architecture"
    return model, pieces_of(torch.arange(float(rows * cols)).reshape(rows, cols), layout, cols)


def test_gpt_neox_rows_are_ordered_by_head_first(tmp_path):
    config = {
        **{"model_type": "gpt_neox", "architectures": ["GPTNeoXForCausalLM"], "hidden_size": 12},
        **{"num_attention_heads": 3, "num_hidden_layers": 1, "intermediate_size": 8, "vocab_size": 30, **TOKENS},
    }
    _, found = split(config, "gpt_neox.layers.0.attention.query_key_value.weight", tmp_path, 36, 12)
    by_head = torch.arange(36.0 * 12).reshape(3, 3, 4, 12)  # head, which, width of a head, input
    for position, letter in enumerate("qkv"):
        assert torch.equal(found[letter], torch.cat([head[position] for head in by_head]))


@pytest.mark.parametrize("prefix", ["transformer.", ""])
def test_bloom_rows_agree_with_what_the_model_computes(prefix, tmp_path):
    config = {
        **{"model_type": "bloom", "architectures": ["BloomForCausalLM"], "hidden_size": 12, "n_head": 3, "n_layer": 1},
        **{"vocab_size": 30, **TOKENS},
    }
    model, found = split(config, f"{prefix}h.0.self_attention.query_key_value.weight", tmp_path, 36, 12)
    weight, tokens = torch.arange(36.0 * 12).reshape(36, 12), torch.eye(12)[None]
    attention = model.transformer.h[0].self_attention
    for letter, states in zip("qkv", attention._reshape(tokens @ weight.T), strict=True):
        flat = states.transpose(1, 2).reshape(12, -1)  # (tokens, heads x width); the tokens are the inputs
        assert torch.equal(flat.T, found[letter])


FALCONS = {
    "heads that share one key": ({"multi_query": True, "new_decoder_architecture": False}, 12 + 2 * 3, 1),
    "groups of heads": ({"multi_query": True, "new_decoder_architecture": True, "num_kv_heads": 2}, 12 + 4 * 3, 2),
    "a key for every head": ({"multi_query": False, "new_decoder_architecture": False}, 36, 4),
}


@pytest.mark.parametrize("kind", FALCONS)
def test_falcon_rows_agree_with_what_the_model_computes(kind, tmp_path):
    choice, rows, keys = FALCONS[kind]
    config = {
        **{"model_type": "falcon", "architectures": ["FalconForCausalLM"], "hidden_size": 12, "num_attention_heads": 4},
        **{"num_hidden_layers": 1, "vocab_size": 30, **TOKENS, **choice},
    }
    model, found = split(config, "transformer.h.0.self_attention.query_key_value.weight", tmp_path, rows, 12)
    weight, tokens = torch.arange(rows * 12.0).reshape(rows, 12), torch.eye(12)[None]
    states = model.transformer.h[0].self_attention._split_heads(tokens @ weight.T)
    query, key, value = (state.reshape(12, -1, 3) for state in states)
    if keys == 2:  # the model repeats each key for the heads of its group
        key, value = key[:, ::2], value[:, ::2]
    for letter, state in zip("qkv", (query, key, value), strict=True):
        assert torch.equal(found[letter], state.flatten(1).T)


def test_gpt_oss_experts_alternate_gate_and_up(tmp_path):
    model = transformers_model(tmp_path, GPT_OSS)
    (header,) = headers([("model.layers.0.mlp.experts.gate_up_proj", (2, 8, 12))])
    (layout,) = lay_out([header], transformers_facts(model, [header]))
    tensor = torch.arange(2 * 8 * 12.0).reshape(2, 8, 12)
    found = pieces_of(tensor, layout, inputs=6)
    assert list(found) == ["expert_0.gate", "expert_0.up", "expert_1.gate", "expert_1.up"]
    assert torch.equal(found["expert_1.gate"], tensor[1, :, ::2])
    assert torch.equal(found["expert_1.up"], tensor[1, :, 1::2])


def test_shared_keys_of_phi(tmp_path):
    config = {
        **{"model_type": "phi3", "architectures": ["Phi3ForCausalLM"], "hidden_size": 16, "intermediate_size": 20},
        **{"num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 1, "vocab_size": 30, **TOKENS},
    }
    rows = [
        ("model.layers.0.self_attn.qkv_proj.weight", (32, 16), "linear q k v"),
        ("model.layers.0.mlp.gate_up_proj.weight", (40, 16), "linear gate up"),
    ]
    assert transformers_layouts(tmp_path, config, rows) == expected(rows)
    _, found = split(config, "model.layers.0.self_attn.qkv_proj.weight", tmp_path, 32, 16)
    assert [len(found[letter]) for letter in "qkv"] == [16, 8, 8]
    assert torch.equal(torch.cat(list(found.values())), torch.arange(32.0 * 16).reshape(32, 16))


def test_code_beside_a_configuration_is_never_run(tmp_path):
    (tmp_path / "modeling_evil.py").write_text("raise SystemExit('ran')\n", encoding="utf-8")
    config = {**BERT, "auto_map": {"AutoModel": "modeling_evil.Evil", "AutoConfig": "modeling_evil.EvilConfig"}}
    model = build_transformers(write_config(tmp_path, config))
    assert type(model).__module__.startswith("transformers.")
    assert not knows_transformers("evil")


def test_a_class_that_transformers_does_not_have_is_the_base_model(tmp_path):
    model = transformers_model(tmp_path, {**BERT, "architectures": ["BertForSomethingOfMine"]})
    assert type(model).__name__ == "BertModel"


def test_another_shape_is_told_by_its_name(tmp_path):
    rows = [
        ("embeddings.word_embeddings.weight", (31, 8), "embedding"),  # a longer vocabulary is still one
        ("encoder.layer.0.intermediate.dense.weight", (16, 9), "linear"),
    ]
    assert transformers_layouts(tmp_path, BERT, rows) == expected(rows, by_name=(rows[1][0],))

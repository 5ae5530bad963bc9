"""What a tensor's name alone says, and what it must not be taken to say."""

import pytest

from checkpoints.names import (
    is_buffer,
    is_conv_transpose,
    is_embedding,
    is_quantized,
    is_table,
    layer_name,
    without_wrappers,
)

SAYINGS = {
    is_buffer: (
        """
        bn1.running_mean bn1.running_var bn1.num_batches_tracked num_batches_tracked embeddings.position_ids
        embeddings.token_type_ids rotary_emb.inv_freq rope.freqs freqs_cis h.0.attn.bias
        h.0.attn.attention.bias h.0.attn.masked_bias h.0.attn.causal_mask layers.0.blocks.1.attn_mask
        attn.relative_position_index fc.weight_mask mlp.gate.e_score_correction_bias original_inv_freq
        sin_cached
        """,
        """
        attn.c_attn.bias fc.bias mask_token attn.qkv.bias running_mean_proj.weight mask.weight
        """,
    ),
    is_quantized: (
        """
        q_proj.qweight q_proj.qzeros q_proj.scales q_proj.g_idx fc.weight_scale fc.weight_scale_inv
        fc.weight.absmax fc.weight.quant_map fc.scale fc.zero_point fc.SCB
        """,
        """
        fc.weight scaled.weight rescaled_embed scale_mlp.weight
        """,
    ),
    is_table: (
        """
        pos_embed positional_embedding wpe.weight embeddings.position_embeddings.weight
        encoder.embed_positions.weight attn.relative_position_bias_table attn.rel_pos_w
        SelfAttention.relative_attention_bias.weight attn.attention_biases cls_token dist_token mask_token
        mixer.A_log experts.down_proj_bias bias query_pos_embed.weight
        """,
        """
        wte.weight word_embeddings.weight patch_embed.proj.weight positions.weight pos_proj.weight
        linear_pos.weight biases_proj.weight composer.weight cls_token_head.weight
        """,
    ),
    is_embedding: (
        """
        wte.weight model.embed_tokens.weight embed_in.weight shared.weight tok_embeddings.weight
        token_embedding.weight embeddings.word_embeddings.weight tok_emb.weight embedding.weight
        token_embedding
        """,
        """
        lm_head.weight embed_out.weight embedding_hidden_mapping_in.weight time_emb_proj.weight
        shared_expert.up_proj.weight time_embedding.linear_1.weight rotary_emb.proj.weight
        """,
    ),
    is_conv_transpose: (
        """
        deconv1.weight decoder.conv_transpose.weight ConvTranspose2d_0.weight upconv4.weight
        up_conv.0.weight transposed_conv.weight decoder.convt1.weight
        """,
        """
        conv1.weight upsample.conv.weight transpose.weight up.0.weight
        """,
    ),
}


@pytest.mark.parametrize(("says", "name"), [(says, name) for says, (yes, _) in SAYINGS.items() for name in yes.split()])
def test_is(says, name):
    assert says(name)
    assert says(f"module.model.layers.3.{name}")


@pytest.mark.parametrize(("says", "name"), [(says, name) for says, (_, no) in SAYINGS.items() for name in no.split()])
def test_is_not(says, name):
    assert not says(name)
    assert not says(f"module.model.layers.3.{name}")


@pytest.mark.parametrize(
    ("tensor", "bare"),
    [
        ("module.fc.weight", "fc.weight"),
        ("module.module.fc.weight", "fc.weight"),
        ("_orig_mod.fc.weight", "fc.weight"),
        ("_forward_module._orig_mod.fc.weight", "fc.weight"),
        ("model.fc.weight", "model.fc.weight"),
        ("encoder.module.fc.weight", "encoder.module.fc.weight"),
        ("modules.fc.weight", "modules.fc.weight"),
    ],
)
def test_wrappers(tensor, bare):
    assert without_wrappers(tensor) == bare
    assert layer_name(tensor) == bare.removesuffix(".weight")

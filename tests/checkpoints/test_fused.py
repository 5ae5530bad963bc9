"""Tensors that hold several matrices: published shapes, and torch's own modules computing with the pieces."""

import pytest
import torch

from checkpoints.layout import lay_out
from checkpoints.matrices import matrix_stack
from checkpoints.open import StateDict
from checkpoints.parts import Kind
from tests.checkpoints.tables import expected, told_of

QKV = "linear q k v"
LSTM = "recurrent i f g o"
GRU = "recurrent r z n"

FAMILIES = {
    "vit_base_patch16_224 (timm)": [("blocks.0.attn.qkv.weight", (2304, 768), QKV)],
    "a ViT whose heads are wider than the model": [("transformer.layers.0.0.to_qkv.weight", (3072, 768), QKV)],
    "pvt_v2 (timm)": [
        ("stages.0.blocks.0.attn.q.weight", (64, 64), "linear"),
        ("stages.0.blocks.0.attn.kv.weight", (128, 64), "linear k v"),
    ],
    "gpt2": [("transformer.h.0.attn.c_attn.weight", (768, 2304), QKV)],
    "gpt2 with cross attention": [
        ("transformer.h.0.crossattention.c_attn.weight", (768, 1536), "linear"),
        ("transformer.h.0.crossattention.q_attn.weight", (768, 768), "linear"),
    ],
    "starcoder: one key and value head, linear layers": [("transformer.h.0.attn.c_attn.weight", (6400, 6144), QKV)],
    "qwen: linear c_attn": [("transformer.h.0.attn.c_attn.weight", (12288, 4096), QKV)],
    "baichuan": [("model.layers.0.self_attn.W_pack.weight", (12288, 4096), QKV)],
    "mpt": [("transformer.blocks.0.attn.Wqkv.weight", (12288, 4096), QKV)],
    "dbrx: 48 heads, 8 for keys and values": [
        ("transformer.blocks.0.norm_attn_norm.attn.Wqkv.weight", (8192, 6144), QKV)
    ],
    "phi-3 mini": [
        ("model.layers.0.self_attn.qkv_proj.weight", (9216, 3072), QKV),
        ("model.layers.0.mlp.gate_up_proj.weight", (16384, 3072), "linear gate up"),
    ],
    "phi-3 medium: 40 heads, 10 for keys and values": [("model.layers.0.self_attn.qkv_proj.weight", (7680, 5120), QKV)],
    "gemma 2 9b: queries are not square": [("model.layers.0.self_attn.qkv_proj.weight", (8192, 3584), "linear")],
    "gpt-neox, falcon, bloom: heads interleaved": [
        ("gpt_neox.layers.0.attention.query_key_value.weight", (18432, 6144), "linear"),
        ("transformer.h.0.self_attention.query_key_value.weight", (4672, 4544), "linear"),
    ],
    "deepseek: heads interleaved": [("model.layers.0.self_attn.kv_b_proj.weight", (4096, 512), "linear")],
    "clip (openai)": [("transformer.resblocks.0.attn.in_proj_weight", (1536, 512), QKV)],
    "mixtral": [
        ("model.layers.0.block_sparse_moe.gate.weight", (8, 4096), "linear"),
        ("model.layers.0.block_sparse_moe.experts.0.w1.weight", (14336, 4096), "linear"),
        ("model.layers.0.block_sparse_moe.experts.0.w2.weight", (4096, 14336), "linear"),
        ("model.layers.0.block_sparse_moe.experts.7.w3.weight", (14336, 4096), "linear"),
    ],
    "mixtral, experts stacked": [
        ("m.mlp.experts.gate_up_proj", (2, 28672, 4096), "linear expert_0.gate expert_0.up expert_1.gate expert_1.up"),
        ("m.mlp.experts.down_proj", (2, 4096, 14336), "linear expert_0-1"),
    ],
    "qwen moe": [
        ("model.layers.0.mlp.gate.weight", (60, 2048), "linear"),
        ("model.layers.0.mlp.experts.59.gate_proj.weight", (1408, 2048), "linear"),
        ("model.layers.0.mlp.shared_expert.up_proj.weight", (5632, 2048), "linear"),
        ("model.layers.0.mlp.shared_expert_gate.weight", (1, 2048), "vector"),
    ],
    "gpt-oss: gate and up interleaved along the last axis": [
        ("model.layers.0.mlp.experts.gate_up_proj", (32, 2880, 5760), "linear expert_0-31"),
        ("model.layers.0.mlp.experts.gate_up_proj_bias", (32, 5760), "table"),
        ("model.layers.0.mlp.experts.down_proj", (32, 2880, 2880), "linear expert_0-31"),
        ("model.layers.0.mlp.experts.down_proj_bias", (32, 2880), "table"),
        ("model.layers.0.mlp.router.weight", (32, 2880), "linear"),
        ("model.layers.0.self_attn.sinks", (64,), "vector"),
    ],
    "llama 4: (experts, width, 2 inner)": [
        ("model.layers.0.feed_forward.experts.gate_up_proj", (16, 5120, 16384), "linear expert_0-15"),
        ("model.layers.0.feed_forward.experts.down_proj", (16, 8192, 5120), "linear expert_0-15"),
    ],
    "experts without their down projection": [("m.experts.gate_up_proj", (4, 6, 8), "linear expert_0-3")],
    "experts whose down projection has another width": [
        ("m.experts.gate_up_proj", (4, 6, 8), "linear expert_0-3"),
        ("m.experts.down_proj", (4, 8, 5), "linear expert_0-3"),
    ],
    "granite moe": [
        ("model.layers.0.block_sparse_moe.input_linear.weight", (32, 1024, 1024), "linear expert_0-31"),
        ("model.layers.0.block_sparse_moe.output_linear.weight", (32, 1024, 512), "linear expert_0-31"),
        ("model.layers.0.block_sparse_moe.router.layer.weight", (32, 1024), "linear"),
    ],
    "deepseek v3 router": [("model.layers.3.mlp.gate.e_score_correction_bias", (256,), "buffer")],
    "a speech model's recurrent layers": [
        ("rnn.weight_ih_l0", (2048, 80), LSTM),
        ("rnn.weight_hh_l0", (2048, 512), LSTM),
        ("rnn.bias_ih_l0", (2048,), "vector"),
        ("rnn.weight_ih_l1_reverse", (2048, 1024), LSTM),
        ("rnn.weight_hh_l1_reverse", (2048, 512), LSTM),
        ("decoder.cell.weight_ih", (1536, 128), GRU),
        ("decoder.cell.weight_hh", (1536, 512), GRU),
    ],
}


@pytest.mark.parametrize("family", FAMILIES)
def test_published_family(family):
    assert told_of(FAMILIES[family]) == expected(FAMILIES[family])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_under_wrappers_and_in_another_order(family):
    rows = FAMILIES[family]
    assert told_of(rows, prefix="_orig_mod.module.", order=lambda row: row[0]) == expected(rows)


def pieces(checkpoint, name):
    """The matrices of a tensor by part, as rows x columns of the file (not turned to N >= M)."""
    (layout,) = (layout for layout in lay_out(checkpoint.headers) if layout.header.name == name)
    found = {}
    for part in layout.parts:
        (matrix,) = matrix_stack(checkpoint.read(name), part)
        rows = part.cuts[0].stop - part.cuts[0].start if part.cuts else layout.header.shape[0]
        found[part.part] = matrix if matrix.shape[0] == rows else matrix.mT
    return found


def test_in_proj_weight_is_query_key_value_of_torch():
    """Attention computed from the pieces alone is what nn.MultiheadAttention computes."""
    attention = torch.nn.MultiheadAttention(24, 4, bias=False, batch_first=True).double()
    checkpoint = StateDict(attention.state_dict())
    weights = pieces(checkpoint, "in_proj_weight")
    for name, chunk in zip("qkv", attention.in_proj_weight.chunk(3), strict=True):
        assert torch.equal(weights[name], chunk)
    x = torch.randn(2, 5, 24, dtype=torch.float64)
    q, k, v = ((x @ weights[name].mT).unflatten(-1, (4, 6)).transpose(1, 2) for name in "qkv")
    mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    torch.testing.assert_close(mixed @ attention.out_proj.weight.mT, attention(x, x, x)[0])


def test_attention_with_own_widths_of_keys_has_separate_weights():
    layouts = lay_out(StateDict(torch.nn.MultiheadAttention(24, 4, kdim=10, vdim=12).state_dict()).headers)
    assert {layout.header.name: len(layout.parts) for layout in layouts if layout.parts} == {
        "q_proj_weight": 1,
        "k_proj_weight": 1,
        "v_proj_weight": 1,
        "out_proj.weight": 1,
    }


def test_conv1d_of_gpt2_is_cut_along_its_outputs():
    weight = torch.randn(8, 24)
    found = pieces(StateDict({"h.0.attn.c_attn.weight": weight}), "h.0.attn.c_attn.weight")
    for name, chunk in zip("qkv", weight.split(8, dim=1), strict=True):
        assert torch.equal(found[name], chunk)


def test_shared_heads_take_what_exceeds_a_square_query():
    weight = torch.randn(24 + 2 * 6, 24)
    found = pieces(StateDict({"self_attn.qkv_proj.weight": weight}), "self_attn.qkv_proj.weight")
    q, k, v = weight.split([24, 6, 6])
    assert torch.equal(found["q"], q) and torch.equal(found["k"], k) and torch.equal(found["v"], v)


@pytest.mark.parametrize("prefix", ["", "decoder.cell.", "lstm_cell."])
def test_gates_of_an_lstm_cell_compute_what_it_computes(prefix):
    cell = torch.nn.LSTMCell(7, 5, bias=False).double()
    checkpoint = StateDict({prefix + name: value for name, value in cell.state_dict().items()})
    of_input, of_state = (pieces(checkpoint, f"{prefix}weight_{side}") for side in ("ih", "hh"))
    x, h, c = (torch.randn(3, width, dtype=torch.float64) for width in (7, 5, 5))
    i, f, g, o = (x @ of_input[gate].mT + h @ of_state[gate].mT for gate in "ifgo")
    new_c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    exact_h, exact_c = cell(x, (h, c))
    torch.testing.assert_close(new_c, exact_c)
    torch.testing.assert_close(o.sigmoid() * new_c.tanh(), exact_h)


def test_gates_of_a_gru_cell_compute_what_it_computes():
    cell = torch.nn.GRUCell(7, 5, bias=False).double()
    checkpoint = StateDict(cell.state_dict())
    of_input, of_state = pieces(checkpoint, "weight_ih"), pieces(checkpoint, "weight_hh")
    x, h = torch.randn(3, 7, dtype=torch.float64), torch.randn(3, 5, dtype=torch.float64)
    r, z = ((x @ of_input[gate].mT + h @ of_state[gate].mT).sigmoid() for gate in "rz")
    n = (x @ of_input["n"].mT + r * (h @ of_state["n"].mT)).tanh()
    torch.testing.assert_close((1 - z) * n + z * h, cell(x, h))


MODULES = {
    "lstm": (torch.nn.LSTM(12, 10, num_layers=2), "ifgo"),
    "bidirectional lstm": (torch.nn.LSTM(12, 10, num_layers=2, bidirectional=True), "ifgo"),
    "projected lstm": (torch.nn.LSTM(12, 10, proj_size=4, bidirectional=True), "ifgo"),
    "lstm with a state as wide as four inputs": (torch.nn.LSTM(40, 10), "ifgo"),
    "gru": (torch.nn.GRU(12, 10, num_layers=2, bidirectional=True), "rzn"),
    "rnn": (torch.nn.RNN(12, 10, num_layers=2), None),
}


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("prefix", ["", "module.encoder.rnn."])
def test_recurrent_layers_of_torch(name, prefix):
    module, gates = MODULES[name]
    checkpoint = StateDict({prefix + key: value for key, value in module.state_dict().items()})
    names = [key for key in module.state_dict() if key.startswith("weight")]
    assert names
    for key in names:
        whole, found = module.state_dict()[key], pieces(checkpoint, prefix + key)
        if gates is None or "_hr_" in key:
            assert list(found) == [None] and torch.equal(found[None], whole)
            continue
        for gate, chunk in zip(gates, whole.chunk(len(gates)), strict=True):
            assert torch.equal(found[gate], chunk)
    kinds = {part.kind for layout in lay_out(checkpoint.headers) for part in layout.parts}
    assert kinds == {Kind.RECURRENT}


def test_experts_split_where_the_down_projection_shows_how():
    gate_up, down = torch.randn(3, 10, 4), torch.randn(3, 4, 5)
    checkpoint = StateDict({"mlp.experts.gate_up_proj": gate_up, "mlp.experts.down_proj": down})
    up_layout, down_layout = lay_out(checkpoint.headers)
    found = {part.part: matrix_stack(gate_up, part)[0] for part in up_layout.parts}
    for expert in range(3):
        assert torch.equal(found[f"expert_{expert}.gate"], gate_up[expert, :5])
        assert torch.equal(found[f"expert_{expert}.up"], gate_up[expert, 5:])
        assert torch.equal(matrix_stack(down, down_layout.parts[expert])[0], down[expert].mT)

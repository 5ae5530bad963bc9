"""Plain modules of torch: what each says about its tensors, against what it computes."""

import pytest
import torch
from torch import nn

from checkpoints.architecture import facts_of, model_tensors
from checkpoints.layout import lay_out
from checkpoints.matrices import matrix_stack, read_weight
from checkpoints.open import StateDict
from checkpoints.parts import Kind, ModuleFacts
from checkpoints.tensors import TensorHeader
from tests.architecture.tables import expected, laid_out
from tests.checkpoints.tables import headers, told


class Model(nn.Module):
    """Modules whose names say nothing, or something else than what they are."""

    def __init__(self):
        super().__init__()
        self.a = nn.Embedding(20, 6)
        self.embed = nn.Linear(6, 8)
        self.rel_pos_table = nn.Linear(8, 5)
        self.b = nn.LSTM(6, 4, proj_size=3)
        self.c = nn.GRU(6, 4)
        self.d = nn.RNN(6, 4)
        self.e = nn.LSTMCell(6, 4)
        self.qkv = nn.Linear(6, 18)
        self.f = nn.MultiheadAttention(6, 2, kdim=4)
        self.g = nn.MultiheadAttention(6, 2)
        self.h = nn.Conv2d(6, 6, 3, groups=6)
        self.i = nn.ConvTranspose2d(6, 4, 3, groups=2)
        self.j = nn.LayerNorm((3, 4))
        self.pos_embed = nn.Parameter(torch.zeros(1, 7, 6))
        self.map = nn.Parameter(torch.zeros(6, 6))
        self.register_buffer("weight", torch.zeros(6, 6))
        self.k = nn.Conv2d(8, 16, (1, 3), groups=4)
        self.positions = LearnedPositions(9, 6)


class LearnedPositions(nn.Embedding):
    """As OPT and others have them."""


ROWS = [
    ("a.weight", (20, 6), "embedding"),
    ("embed.weight", (8, 6), "linear"),
    ("rel_pos_table.weight", (5, 8), "linear"),
    ("b.weight_ih_l0", (16, 6), "recurrent i f g o"),
    ("b.weight_hh_l0", (16, 3), "recurrent i f g o"),
    ("b.weight_hr_l0", (3, 4), "recurrent"),
    ("c.weight_hh_l0", (12, 4), "recurrent r z n"),
    ("d.weight_ih_l0", (4, 6), "recurrent"),
    ("e.weight_ih", (16, 6), "recurrent i f g o"),
    ("qkv.weight", (18, 6), "linear"),  # no attention around it
    ("f.q_proj_weight", (6, 6), "linear"),
    ("f.k_proj_weight", (6, 4), "linear"),
    ("f.out_proj.weight", (6, 6), "linear"),
    ("g.in_proj_weight", (18, 6), "linear q k v"),
    ("h.weight", (6, 1, 3, 3), "depthwise"),
    ("i.weight", (6, 2, 3, 3), "conv_transpose group_0-1"),
    ("j.weight", (3, 4), "table"),
    ("pos_embed", (1, 7, 6), "table"),
    ("weight", (6, 6), "buffer"),
    ("k.weight", (16, 2, 1, 3), "conv2d group_0-3"),
    ("positions.weight", (9, 6), "table"),
    ("map", (6, 6), "linear"),
]


@pytest.fixture(scope="module")
def model():
    with torch.device("meta"):
        return Model()


@pytest.mark.parametrize("wrapper", ["", "module.", "_orig_mod.module."])
def test_modules_say_what_names_do_not(model, wrapper):
    rows = [(wrapper + name, shape, what) for name, shape, what in ROWS]
    assert laid_out(rows, facts_of(model, headers(rows))) == expected(rows, by_name=(f"{wrapper}map",))


def test_a_tensor_of_no_module_or_another_shape_is_told_by_name(model):
    rows = [
        ("elsewhere.weight", (5, 4), "linear"),
        ("k.weight", (16, 4, 1, 3), "conv2d"),
        ("g.in_proj_weight", (12, 6), "linear q k v"),
    ]
    facts = facts_of(model, headers(rows))
    assert facts == {}
    assert set(laid_out(rows, facts).values()) == {(told_by_name(row), "name") for row in rows}


def told_by_name(row):
    (layout,) = lay_out(headers([row]))
    return told(layout)


def test_a_longer_first_axis_is_the_same_layer_unless_it_is_cut(model):
    rows = [("a.weight", (25, 6)), ("embed.weight", (9, 6)), ("qkv.weight", (6, 6)), ("b.weight_ih_l0", (20, 6))]
    assert set(facts_of(model, headers(rows))) == {"a.weight", "embed.weight", "qkv.weight"}


def test_each_group_is_the_map_that_the_convolution_applies():
    torch.manual_seed(1)
    convolution = nn.Conv1d(6, 9, 1, groups=3, bias=False)
    (layout,) = lay_out(*with_facts(nn.ModuleDict({"x": convolution})))
    inputs = torch.randn(1, 6, 1)
    outputs = convolution(inputs)[0, :, 0]
    computed = []
    for group, part in enumerate(layout.parts):
        (matrix,) = matrix_stack(convolution.weight, part)
        computed.append(matrix @ inputs[0, 2 * group : 2 * group + 2, 0])
    torch.testing.assert_close(torch.cat(computed), outputs)


def test_each_group_of_a_transposed_convolution():
    torch.manual_seed(2)
    convolution = nn.ConvTranspose1d(6, 9, 1, groups=3, bias=False)
    (layout,) = lay_out(*with_facts(nn.ModuleDict({"x": convolution})))
    inputs = torch.randn(1, 6, 1)
    computed = []
    for group, part in enumerate(layout.parts):
        (matrix,) = matrix_stack(convolution.weight, part)  # (inputs, outputs) of a group, the longer axis first
        matrix = matrix if matrix.shape == (3, 2) else matrix.T
        computed.append(matrix @ inputs[0, 2 * group : 2 * group + 2, 0])
    torch.testing.assert_close(torch.cat(computed), convolution(inputs)[0, :, 0])


def with_facts(module):
    found = StateDict(module.state_dict()).headers
    return found, facts_of(module, found)


WEIGHT_NORMS = {"older": nn.utils.weight_norm, "newer": nn.utils.parametrizations.weight_norm}


@pytest.mark.parametrize("dim", [0, 1, 2, None])
@pytest.mark.parametrize("style", WEIGHT_NORMS)
@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
def test_weight_normalization_is_one_layer_of_the_effective_weight(style, dim):
    torch.manual_seed(3)
    convolution = WEIGHT_NORMS[style](nn.Conv1d(8, 12, 3, groups=2, bias=False), dim=dim)
    with torch.no_grad():
        for name, parameter in convolution.named_parameters():
            parameter.mul_(3.0) if name.endswith(("_g", "original0")) else parameter.mul_(0.5)
    convolution(torch.zeros(1, 8, 5))  # the older style computes the weight when it is used
    model = nn.ModuleDict({"x": convolution})
    checkpoint = StateDict(model.state_dict())
    for facts in (facts_of(model, checkpoint.headers), {}):
        layouts = lay_out(checkpoint.headers, facts)
        assert len(layouts) == 2
        (layout,) = (layout for layout in layouts if layout.parts)
        assert layout.layer == "x"
        assert read_weight(checkpoint, layout).dtype == torch.float64
        torch.testing.assert_close(read_weight(checkpoint, layout).float(), model["x"].weight.detach())
    assert told(layout) == "conv1d"  # by name, groups are not known
    (grouped,) = (layout for layout in lay_out(*with_facts(model)) if layout.parts)
    assert told(grouped) == "conv1d group_0-1"


def test_directions_without_lengths_are_a_tensor_like_any_other():
    rows = [("x.weight_v", (4, 5)), ("y.weight_v", (4, 5)), ("y.weight_g", (4, 5)), ("z.weight_v", (4,))]
    layouts = lay_out(headers(rows))
    assert [layout.gain for layout in layouts] == [None] * 4
    assert [layout.layer for layout in layouts] == [name for name, _ in rows]


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
def test_walking_a_module_changes_nothing_in_it():
    torch.manual_seed(4)
    model = nn.Sequential(
        nn.utils.parametrizations.spectral_norm(nn.Linear(6, 5)), nn.utils.spectral_norm(nn.Linear(5, 4))
    ).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    facts = model_tensors(model)
    assert facts["0.parametrizations.weight.original"].facts == ModuleFacts(Kind.LINEAR)
    assert facts["1.weight_orig"].facts == ModuleFacts(Kind.LINEAR)
    assert {name: torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items()} == dict.fromkeys(
        before, True
    )


def test_no_facts_no_difference():
    rows = [("conv.weight", (8, 2, 3, 3)), ("fc.weight", (5, 4)), ("running_mean", (5,))]
    assert lay_out(headers(rows)) == lay_out(headers(rows), {})


ADAPTER = [
    ("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", (4, 64)),
    ("base_model.model.model.layers.0.self_attn.q_proj.lora_B.default.weight", (64, 4)),
    ("lora_unet_down_blocks_0_attentions_0.lora_up.weight", (64, 4, 1, 1)),
    ("model.embed_tokens.lora_embedding_A.default", (4, 30)),
]


@pytest.mark.parametrize(("name", "shape"), ADAPTER)
def test_factors_of_an_adapter(name, shape):
    factor = TensorHeader(name, "float32", shape)
    assert told(lay_out([factor])[0]) == "factor_alone"
    beside_weights = lay_out([factor, TensorHeader("model.norm.weight", "float32", (64, 64))])
    assert told(beside_weights[0]) == "adapter"


@pytest.mark.parametrize(
    ("tensors", "what"),
    [
        ({"x.weight": "int8", "x.SCB": "float32"}, "scale_unknown"),
        ({"x.weight": "uint8", "x.weight.absmax": "float32"}, "quantized_4bit"),
        ({"x.weight": "int8", "x.weight_scale": "float32"}, "scale_unknown"),
        ({"x.weight": "uint8", "x.weight_scale": "float32"}, "quantized"),
        ({"x.weight": "int8"}, "integer"),
    ],
)
def test_codes_beside_their_scales(tensors, what):
    first, *_ = lay_out([TensorHeader(name, dtype, (4, 3)) for name, dtype in tensors.items()])
    assert told(first) == what

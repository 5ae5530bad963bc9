"""Models of timm and torchvision by name, and the names that their tensors are published under."""

import pytest
import torch

from checkpoints.architecture_vision import build_timm, build_torchvision, timm_facts, torchvision_facts
from checkpoints.layout import lay_out
from checkpoints.matrices import matrix_stack
from checkpoints.parts import Kind
from checkpoints.tensors import TensorHeader
from tests.architecture.tables import expected, laid_out, pieces_of
from tests.checkpoints.tables import headers, told_of

CONVNEXT = [  # as its authors publish it; timm's own names are stem.0, stages.0.blocks.0.conv_dw, head.fc
    ("downsample_layers.0.0.weight", (96, 3, 4, 4), "conv2d"),
    ("downsample_layers.1.1.weight", (192, 96, 2, 2), "conv2d"),
    ("stages.0.0.dwconv.weight", (96, 1, 7, 7), "depthwise"),
    ("stages.0.0.pwconv1.weight", (384, 96), "linear"),
    ("stages.0.0.gamma", (96,), "vector"),
    ("norm.weight", (768,), "vector"),
    ("head.weight", (1000, 768), "linear"),
]
SWIN = [
    ("patch_embed.proj.weight", (96, 3, 4, 4), "conv2d"),
    ("layers.0.blocks.0.attn.relative_position_bias_table", (169, 3), "table"),
    ("layers.0.blocks.0.attn.relative_position_index", (49, 49), "buffer"),
    ("layers.0.blocks.0.attn.qkv.weight", (288, 96), "linear q k v"),
    ("layers.0.downsample.reduction.weight", (192, 384), "linear"),  # timm's layers.1, and so on
    ("layers.1.downsample.reduction.weight", (384, 768), "linear"),
    ("head.weight", (1000, 768), "linear"),
]
DINO = [
    ("cls_token", (1, 1, 384), "vector"),
    ("mask_token", (1, 384), "vector"),
    ("pos_embed", (1, 1370, 384), "table"),
    ("patch_embed.proj.weight", (384, 3, 14, 14), "conv2d"),
    ("blocks.0.attn.qkv.weight", (1152, 384), "linear q k v"),
    ("blocks.0.ls1.gamma", (384,), "vector"),
    ("blocks.0.mlp.fc1.weight", (1536, 384), "linear"),
]
PUBLISHED = {
    "convnext_tiny.fb_in1k": (CONVNEXT, ()),
    "swin_tiny_patch4_window7_224.ms_in1k": (SWIN, ()),
    "vit_small_patch14_dinov2.lvd142m": (DINO, ("mask_token",)),
}


def built(name):
    model = build_timm(name)
    assert all(tensor.is_meta for tensor in model.parameters())
    return model


def own_headers(model):
    return [
        TensorHeader(name, str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape))
        for name, tensor in model.state_dict().items()
    ]


@pytest.mark.parametrize("name", PUBLISHED)
def test_names_as_published(name):
    rows, by_name = PUBLISHED[name]
    found = laid_out(rows, timm_facts(built(name), headers(rows)))
    assert {tensor: what for tensor, (what, _) in found.items()} == {tensor: what for tensor, _, what in rows}
    assert found == expected(rows, by_name)


@pytest.mark.parametrize("name", ["resnext50_32x4d", "regnety_320", "regnetx_032", "resnest50d", "efficientvit_b1"])
def test_every_group_of_every_convolution(name):
    model = built(name)
    found = own_headers(model)
    layouts = {layout.header.name: layout for layout in lay_out(found, timm_facts(model, found))}
    convolutions = {
        f"{path}.weight": module for path, module in model.named_modules() if isinstance(module, torch.nn.Conv2d)
    }
    grouped = 0
    for tensor, module in convolutions.items():
        layout = layouts[tensor]
        assert layout.by == "architecture"
        if 1 in (module.in_channels // module.groups, module.out_channels // module.groups):
            assert layout.reason == "depthwise"
        elif module.groups > 1:
            grouped += 1
            assert [part.part for part in layout.parts] == [f"group_{i}" for i in range(module.groups)]
            rows = module.out_channels // module.groups
            assert [part.cuts[0].start for part in layout.parts] == list(range(0, module.out_channels, rows))
    assert grouped > 0


def test_a_block_whose_groups_cannot_be_inferred():
    rows = [
        ("s2.b1.conv1.conv.weight", (696, 232, 1, 1), "conv2d"),
        ("s2.b1.conv2.conv.weight", (696, 232, 3, 3), "conv2d group_0-2"),
    ]
    assert told_of(rows)["s2.b1.conv2.conv.weight"] == "conv2d"  # 232 inputs came in before it: nothing to be seen
    assert laid_out(rows, timm_facts(built("regnety_320"), headers(rows))) == expected(rows)


@pytest.mark.parametrize(
    ("name", "tensor", "heads", "widths"),
    [
        ("levit_128", "stages.0.blocks.0.attn.qkv.linear.weight", 4, {"q": 16, "k": 16, "v": 32}),
        ("tiny_vit_5m_224", "stages.1.blocks.0.attn.qkv.weight", 4, {"q": 32, "k": 32, "v": 32}),
        ("coatnet_0_rw_224", "stages.2.blocks.0.attn.qkv.weight", 6, {"q": 32, "k": 32, "v": 32}),
        ("efficientvit_m2", "stages.0.blocks.0.mixer.m.attn.qkvs.1.conv.weight", 1, {"q": 16, "k": 16, "v": 32}),
        ("botnet26t_256", "stages.2.1.self_attn.qkv.weight", 1, {"q": 256, "k": 256, "v": 256}),
        ("halonet26t", "stages.2.1.self_attn.kv.weight", 8, {"k": 32, "v": 32}),
        ("gcvit_tiny", "stages.0.blocks.1.attn.qkv.weight", 1, {"k": 64, "v": 64}),
        ("mobilevitv2_100", "stages.2.1.transformer.0.attn.qkv_proj.weight", 1, {"q": 1, "k": 128, "v": 128}),
        ("lambda_resnet26t", "stages.2.1.self_attn.qkv.weight", 1, {"q": 64, "k": 16, "v": 64}),
    ],
)
def test_fused_rows_in_the_order_of_the_attention(name, tensor, heads, widths):
    model = built(name)
    found = own_headers(model)
    (layout,) = (each for each in lay_out(found, timm_facts(model, found)) if each.header.name == tensor)
    rows, cols = layout.header.shape[:2]
    weight = torch.arange(float(rows * cols)).reshape(rows, cols)
    by_head = weight.reshape(heads, sum(widths.values()), cols).split(list(widths.values()), dim=1)
    stored = weight.reshape(layout.header.shape)
    pieces = pieces_of(stored, layout, cols)
    assert list(pieces) == list(widths)
    for letter, block in zip(widths, by_head, strict=True):
        piece = pieces[letter]
        wanted = block.reshape(-1, cols)
        assert torch.equal(piece, wanted if wanted.shape == piece.shape else wanted.T)


DENSENET = [  # as torchvision's file has them
    ("features.conv0.weight", (64, 3, 7, 7), "conv2d"),
    ("features.denseblock1.denselayer1.norm.1.weight", (64,), "vector"),
    ("features.denseblock1.denselayer1.conv.1.weight", (128, 64, 1, 1), "conv2d"),
    ("features.denseblock1.denselayer1.conv.2.weight", (32, 128, 3, 3), "conv2d"),
    ("classifier.weight", (1000, 1024), "linear"),
]


def test_densenet_as_torchvision_published_it():
    found = laid_out(DENSENET, torchvision_facts(build_torchvision("densenet121"), headers(DENSENET)))
    assert found == expected(DENSENET)


@pytest.mark.parametrize(
    "name", ["resnext50_32x4d", "vit_b_16", "swin_t", "inception_v3", "googlenet", "maskrcnn_resnet50_fpn", "r3d_18"]
)
def test_every_tensor_of_torchvision_is_led_to_a_module(name):
    model = build_torchvision(name)
    assert all(tensor.is_meta or tensor.ndim < 2 for tensor in model.parameters())
    found = own_headers(model)
    facts = torchvision_facts(model, found)
    assert [header.name for header in found if header.name not in facts] == []
    layouts = lay_out(found, facts)
    attention = [layout for layout in layouts if layout.header.name.endswith(("in_proj_weight", "qkv.weight"))]
    assert all([part.part for part in layout.parts] == ["q", "k", "v"] for layout in attention)
    kinds = {part.kind for layout in layouts for part in layout.parts}
    assert (Kind.CONV3D if name == "r3d_18" else Kind.CONV2D) in kinds


def test_groups_that_no_name_tells():
    model = build_torchvision("resnext50_32x4d")
    found = own_headers(model)
    (layout,) = (
        each for each in lay_out(found, torchvision_facts(model, found)) if each.header.name == "layer1.0.conv2.weight"
    )
    tensor = torch.arange(float(layout.header.n_params)).reshape(layout.header.shape)
    assert len(layout.parts) == 32
    for group, part in enumerate(layout.parts):
        taps = matrix_stack(tensor, part)
        assert torch.equal(taps[0], tensor[4 * group : 4 * group + 4, :, 0, 0])

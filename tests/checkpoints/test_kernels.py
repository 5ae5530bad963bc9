"""Convolution kernels: the groups inferred from published families, and the cuts against torch's own convolutions."""

import pytest
import torch

from checkpoints.kernels import infer_groups, kernel_kind
from checkpoints.layout import lay_out
from checkpoints.matrices import matrix_stack
from checkpoints.open import StateDict
from checkpoints.parts import Kind
from checkpoints.tensors import TensorHeader
from tests.checkpoints.tables import expected, headers, told_of

FAMILIES = {
    "resnet50 (torchvision)": [
        ("conv1.weight", (64, 3, 7, 7), "conv2d"),
        ("bn1.weight", (64,), "vector"),
        ("bn1.running_mean", (64,), "buffer"),
        ("bn1.num_batches_tracked", (), "buffer"),
        ("layer1.0.conv1.weight", (64, 64, 1, 1), "conv2d"),
        ("layer1.0.conv2.weight", (64, 64, 3, 3), "conv2d"),
        ("layer1.0.conv3.weight", (256, 64, 1, 1), "conv2d"),
        ("layer1.0.downsample.0.weight", (256, 64, 1, 1), "conv2d"),
        ("layer2.0.conv1.weight", (128, 256, 1, 1), "conv2d"),
        ("layer2.0.conv2.weight", (128, 128, 3, 3), "conv2d"),
        ("layer2.0.conv3.weight", (512, 128, 1, 1), "conv2d"),
        ("layer2.0.downsample.0.weight", (512, 256, 1, 1), "conv2d"),
        ("layer2.1.conv1.weight", (128, 512, 1, 1), "conv2d"),
        ("fc.weight", (1000, 2048), "linear"),
        ("fc.bias", (1000,), "vector"),
    ],
    "resnet18 (torchvision)": [
        ("conv1.weight", (64, 3, 7, 7), "conv2d"),
        ("layer1.0.conv1.weight", (64, 64, 3, 3), "conv2d"),
        ("layer1.0.conv2.weight", (64, 64, 3, 3), "conv2d"),
        ("layer2.0.conv1.weight", (128, 64, 3, 3), "conv2d"),
        ("layer2.0.conv2.weight", (128, 128, 3, 3), "conv2d"),
        ("layer2.0.downsample.0.weight", (128, 64, 1, 1), "conv2d"),
        ("layer2.1.conv1.weight", (128, 128, 3, 3), "conv2d"),
    ],
    "resnext50_32x4d (torchvision)": [
        ("conv1.weight", (64, 3, 7, 7), "conv2d"),
        ("layer1.0.conv1.weight", (128, 64, 1, 1), "conv2d"),
        ("layer1.0.conv2.weight", (128, 4, 3, 3), "conv2d group_0-31"),
        ("layer1.0.conv3.weight", (256, 128, 1, 1), "conv2d"),
        ("layer1.0.downsample.0.weight", (256, 64, 1, 1), "conv2d"),
        ("layer4.2.conv1.weight", (1024, 2048, 1, 1), "conv2d"),
        ("layer4.2.conv2.weight", (1024, 32, 3, 3), "conv2d group_0-31"),
        ("layer4.2.conv3.weight", (2048, 1024, 1, 1), "conv2d"),
    ],
    "regnet_y_400mf (torchvision)": [
        ("stem.0.weight", (32, 3, 3, 3), "conv2d"),
        ("trunk_output.block1.block1-0.proj.0.weight", (48, 32, 1, 1), "conv2d"),
        ("trunk_output.block1.block1-0.f.a.0.weight", (48, 32, 1, 1), "conv2d"),
        ("trunk_output.block1.block1-0.f.b.0.weight", (48, 8, 3, 3), "conv2d group_0-5"),
        ("trunk_output.block1.block1-0.f.se.fc1.weight", (8, 48, 1, 1), "conv2d"),
        ("trunk_output.block1.block1-0.f.se.fc2.weight", (48, 8, 1, 1), "conv2d"),
        ("trunk_output.block1.block1-0.f.c.0.weight", (48, 48, 1, 1), "conv2d"),
        ("trunk_output.block2.block2-0.proj.0.weight", (104, 48, 1, 1), "conv2d"),
        ("trunk_output.block2.block2-0.f.a.0.weight", (104, 48, 1, 1), "conv2d"),
        ("trunk_output.block2.block2-0.f.b.0.weight", (104, 8, 3, 3), "conv2d group_0-12"),
    ],
    "regnetx_032 (timm)": [
        ("stem.conv.weight", (32, 3, 3, 3), "conv2d"),
        ("s1.b1.conv1.conv.weight", (96, 32, 1, 1), "conv2d"),
        ("s1.b1.conv2.conv.weight", (96, 48, 3, 3), "conv2d group_0-1"),
        ("s1.b1.conv3.conv.weight", (96, 96, 1, 1), "conv2d"),
        ("s1.b1.downsample.conv.weight", (96, 32, 1, 1), "conv2d"),
        ("s2.b1.conv1.conv.weight", (192, 96, 1, 1), "conv2d"),
        ("s2.b1.conv2.conv.weight", (192, 48, 3, 3), "conv2d group_0-3"),
        ("s2.b1.conv3.conv.weight", (192, 192, 1, 1), "conv2d"),
        # Twice as wide as what it takes in, and right behind a kernel of the same width: still ungrouped.
        ("s2.b1.downsample.conv.weight", (192, 96, 1, 1), "conv2d"),
    ],
    "regnet (transformers)": [
        ("regnet.embedder.embedder.convolution.weight", (32, 3, 3, 3), "conv2d"),
        ("regnet.encoder.stages.0.layers.0.shortcut.convolution.weight", (48, 32, 1, 1), "conv2d"),
        ("regnet.encoder.stages.0.layers.0.layer.0.convolution.weight", (48, 32, 1, 1), "conv2d"),
        ("regnet.encoder.stages.0.layers.0.layer.1.convolution.weight", (48, 8, 3, 3), "conv2d group_0-5"),
        ("regnet.encoder.stages.0.layers.0.layer.2.attention.0.weight", (8, 48, 1, 1), "conv2d"),
        ("regnet.encoder.stages.0.layers.0.layer.2.attention.2.weight", (48, 8, 1, 1), "conv2d"),
        ("regnet.encoder.stages.0.layers.0.layer.3.convolution.weight", (48, 48, 1, 1), "conv2d"),
    ],
    "resnest50d (timm)": [
        ("layer1.0.conv1.weight", (64, 64, 1, 1), "conv2d"),
        ("layer1.0.conv2.conv.weight", (128, 32, 3, 3), "conv2d group_0-1"),
        ("layer1.0.conv2.fc1.weight", (32, 64, 1, 1), "conv2d"),
        ("layer1.0.conv2.fc2.weight", (128, 32, 1, 1), "conv2d"),
        ("layer1.0.conv3.weight", (256, 64, 1, 1), "conv2d"),
    ],
    "res2net50_48w_2s (timm)": [
        ("layer1.0.conv1.weight", (96, 64, 1, 1), "conv2d"),
        # The input is split, not grouped: half of it goes through one kernel.
        ("layer1.0.convs.0.weight", (48, 48, 3, 3), "conv2d"),
        ("layer1.0.conv3.weight", (256, 96, 1, 1), "conv2d"),
    ],
    "densenet121 (torchvision)": [
        ("features.conv0.weight", (64, 3, 7, 7), "conv2d"),
        ("features.denseblock1.denselayer1.conv1.weight", (128, 64, 1, 1), "conv2d"),
        ("features.denseblock1.denselayer1.conv2.weight", (32, 128, 3, 3), "conv2d"),
        ("features.denseblock1.denselayer2.conv1.weight", (128, 96, 1, 1), "conv2d"),
        ("features.denseblock1.denselayer2.conv2.weight", (32, 128, 3, 3), "conv2d"),
        ("features.transition1.conv.weight", (128, 256, 1, 1), "conv2d"),
        ("features.denseblock2.denselayer1.conv1.weight", (128, 128, 1, 1), "conv2d"),
        ("classifier.weight", (1000, 1024), "linear"),
    ],
    "densenet121 (torchvision, the names in the published file)": [
        ("features.conv0.weight", (64, 3, 7, 7), "conv2d"),
        ("features.denseblock1.denselayer1.norm.1.weight", (64,), "vector"),
        ("features.denseblock1.denselayer1.conv.1.weight", (128, 64, 1, 1), "conv2d"),
        ("features.denseblock1.denselayer1.conv.2.weight", (32, 128, 3, 3), "conv2d"),
        ("features.denseblock1.denselayer2.conv.1.weight", (128, 96, 1, 1), "conv2d"),
        ("features.denseblock1.denselayer2.conv.2.weight", (32, 128, 3, 3), "conv2d"),
    ],
    "squeezenet1_1 (torchvision)": [
        ("features.0.weight", (64, 3, 3, 3), "conv2d"),
        ("features.3.squeeze.weight", (16, 64, 1, 1), "conv2d"),
        ("features.3.expand1x1.weight", (64, 16, 1, 1), "conv2d"),
        ("features.3.expand3x3.weight", (64, 16, 3, 3), "conv2d"),
        ("features.4.squeeze.weight", (16, 128, 1, 1), "conv2d"),
        ("features.4.expand1x1.weight", (64, 16, 1, 1), "conv2d"),
        ("features.4.expand3x3.weight", (64, 16, 3, 3), "conv2d"),
        ("classifier.1.weight", (1000, 512, 1, 1), "conv2d"),
    ],
    "inception_v3 (torchvision)": [
        ("Conv2d_1a_3x3.conv.weight", (32, 3, 3, 3), "conv2d"),
        ("Conv2d_2a_3x3.conv.weight", (32, 32, 3, 3), "conv2d"),
        ("Conv2d_2b_3x3.conv.weight", (64, 32, 3, 3), "conv2d"),
        ("Mixed_5b.branch1x1.conv.weight", (64, 192, 1, 1), "conv2d"),
        ("Mixed_5b.branch5x5_1.conv.weight", (48, 192, 1, 1), "conv2d"),
        ("Mixed_5b.branch5x5_2.conv.weight", (64, 48, 5, 5), "conv2d"),
        ("Mixed_5b.branch3x3dbl_1.conv.weight", (64, 192, 1, 1), "conv2d"),
        ("Mixed_5b.branch3x3dbl_2.conv.weight", (96, 64, 3, 3), "conv2d"),
        ("Mixed_5b.branch3x3dbl_3.conv.weight", (96, 96, 3, 3), "conv2d"),
        ("Mixed_5b.branch_pool.conv.weight", (32, 192, 1, 1), "conv2d"),
        ("Mixed_6b.branch7x7_1.conv.weight", (128, 768, 1, 1), "conv2d"),
        ("Mixed_6b.branch7x7_2.conv.weight", (128, 128, 1, 7), "conv2d"),
        ("Mixed_6b.branch7x7_3.conv.weight", (192, 128, 7, 1), "conv2d"),
        ("AuxLogits.conv0.conv.weight", (128, 768, 1, 1), "conv2d"),
        ("AuxLogits.conv1.conv.weight", (768, 128, 5, 5), "conv2d"),
        ("AuxLogits.fc.weight", (1000, 768), "linear"),
    ],
    "vgg16 (torchvision)": [
        ("features.0.weight", (64, 3, 3, 3), "conv2d"),
        ("features.2.weight", (64, 64, 3, 3), "conv2d"),
        ("features.5.weight", (128, 64, 3, 3), "conv2d"),
        ("features.7.weight", (128, 128, 3, 3), "conv2d"),
        ("features.10.weight", (256, 128, 3, 3), "conv2d"),
        ("features.12.weight", (256, 256, 3, 3), "conv2d"),
        ("features.17.weight", (512, 256, 3, 3), "conv2d"),
        ("features.19.weight", (512, 512, 3, 3), "conv2d"),
        ("classifier.0.weight", (4096, 25088), "linear"),
    ],
    "mobilenet_v2 (torchvision)": [
        ("features.0.0.weight", (32, 3, 3, 3), "conv2d"),
        ("features.1.conv.0.0.weight", (32, 1, 3, 3), "depthwise"),
        ("features.1.conv.1.weight", (16, 32, 1, 1), "conv2d"),
        ("features.2.conv.0.0.weight", (96, 16, 1, 1), "conv2d"),
        ("features.2.conv.1.0.weight", (96, 1, 3, 3), "depthwise"),
        ("features.2.conv.2.weight", (24, 96, 1, 1), "conv2d"),
        ("features.3.conv.0.0.weight", (144, 24, 1, 1), "conv2d"),
        ("features.18.0.weight", (1280, 320, 1, 1), "conv2d"),
    ],
    "efficientnet_b0 (torchvision)": [
        ("features.1.0.block.0.0.weight", (32, 1, 3, 3), "depthwise"),
        ("features.1.0.block.1.fc1.weight", (8, 32, 1, 1), "conv2d"),
        ("features.1.0.block.1.fc2.weight", (32, 8, 1, 1), "conv2d"),
        ("features.1.0.block.2.0.weight", (16, 32, 1, 1), "conv2d"),
    ],
    "tf_efficientnet_b0, efficientnetv2_s (timm)": [
        ("conv_stem.weight", (32, 3, 3, 3), "conv2d"),
        ("blocks.0.0.conv_dw.weight", (32, 1, 3, 3), "depthwise"),
        ("blocks.0.0.se.conv_reduce.weight", (8, 32, 1, 1), "conv2d"),
        ("blocks.0.0.se.conv_expand.weight", (32, 8, 1, 1), "conv2d"),
        ("blocks.0.0.conv_pw.weight", (16, 32, 1, 1), "conv2d"),
        ("blocks.1.0.conv_exp.weight", (96, 24, 3, 3), "conv2d"),
        ("blocks.1.0.conv_pwl.weight", (48, 96, 1, 1), "conv2d"),
        ("blocks.1.1.conv_exp.weight", (192, 48, 3, 3), "conv2d"),
    ],
    "convnext_tiny (timm)": [
        ("stem.0.weight", (96, 3, 4, 4), "conv2d"),
        ("stages.0.blocks.0.gamma", (96,), "vector"),
        ("stages.0.blocks.0.conv_dw.weight", (96, 1, 7, 7), "depthwise"),
        ("stages.0.blocks.0.mlp.fc1.weight", (384, 96), "linear"),
        ("stages.1.downsample.1.weight", (192, 96, 2, 2), "conv2d"),
    ],
    "convnext_tiny (torchvision)": [
        ("features.0.0.weight", (96, 3, 4, 4), "conv2d"),
        ("features.1.0.layer_scale", (96, 1, 1), "vector"),
        ("features.1.0.block.0.weight", (96, 1, 7, 7), "depthwise"),
        ("features.1.0.block.3.weight", (384, 96), "linear"),
        ("features.2.1.weight", (192, 96, 2, 2), "conv2d"),
        ("features.4.1.weight", (384, 192, 2, 2), "conv2d"),
    ],
    "unet of a latent diffusion model (diffusers)": [
        ("conv_in.weight", (320, 4, 3, 3), "conv2d"),
        ("down_blocks.1.resnets.0.conv1.weight", (640, 320, 3, 3), "conv2d"),
        ("down_blocks.1.resnets.0.time_emb_proj.weight", (640, 1280), "linear"),
        ("down_blocks.1.resnets.0.conv2.weight", (640, 640, 3, 3), "conv2d"),
        ("down_blocks.1.resnets.0.conv_shortcut.weight", (640, 320, 1, 1), "conv2d"),
        ("down_blocks.1.resnets.1.conv1.weight", (640, 640, 3, 3), "conv2d"),
        ("down_blocks.1.downsamplers.0.conv.weight", (640, 640, 3, 3), "conv2d"),
    ],
    "feature pyramid on resnet18 (torchvision)": [
        ("backbone.fpn.inner_blocks.0.0.weight", (256, 64, 1, 1), "conv2d"),
        ("backbone.fpn.inner_blocks.1.0.weight", (256, 128, 1, 1), "conv2d"),
        ("backbone.fpn.inner_blocks.2.0.weight", (256, 256, 1, 1), "conv2d"),
        ("backbone.fpn.layer_blocks.0.0.weight", (256, 256, 3, 3), "conv2d"),
        ("rpn.head.conv.0.0.weight", (256, 256, 3, 3), "conv2d"),
        ("rpn.head.cls_logits.weight", (3, 256, 1, 1), "conv2d"),
        ("rpn.head.bbox_pred.weight", (12, 256, 1, 1), "conv2d"),
    ],
    "dcgan generator: transposed kernels by shape only": [
        ("main.0.weight", (100, 512, 4, 4), "conv2d"),
        ("main.3.weight", (512, 256, 4, 4), "conv2d"),
        ("main.6.weight", (256, 128, 4, 4), "conv2d"),
        ("main.9.weight", (128, 64, 4, 4), "conv2d"),
        ("main.12.weight", (64, 3, 4, 4), "conv2d"),
    ],
    "decoder with named transposes": [
        ("decoder.deconv1.weight", (256, 64, 4, 4), "conv_transpose"),
        ("decoder.conv1.weight", (128, 64, 3, 3), "conv2d"),
        ("decoder.upconv2.weight", (128, 32, 2, 2), "conv_transpose"),
        ("decoder.conv2.weight", (32, 64, 3, 3), "conv2d"),
        ("decoder.ConvTranspose_3.weight", (32, 8, 2, 2, 2), "conv_transpose"),
    ],
    "a grouped kernel behind a transpose": [
        ("decoder.deconv1.weight", (256, 64, 4, 4), "conv_transpose"),
        ("decoder.refine1.weight", (128, 16, 3, 3), "conv2d group_0-3"),
    ],
    "video and sound": [
        ("stem.0.weight", (64, 3, 3, 7, 7), "conv3d"),
        ("layer1.0.conv1.0.weight", (64, 64, 3, 3, 3), "conv3d"),
        ("feature_extractor.conv_layers.0.conv.weight", (512, 1, 10), "depthwise"),
        ("feature_extractor.conv_layers.1.conv.weight", (512, 512, 3), "conv1d"),
        ("encoder.pos_conv_embed.conv.weight_g", (1, 1, 128), "vector"),
        ("encoder.pos_conv_embed.conv.weight_v", (768, 48, 128), "conv1d"),
    ],
    "kernels in another order of axes": [
        ("conv1.kernel", (27, 3, 64), "unknown"),
        ("Conv_0.kernel", (3, 3, 3, 64), "unknown"),
        ("Dense_0.kernel", (512, 10), "linear"),
    ],
    "one output channel": [("head.weight", (1, 64, 3, 3), "depthwise"), ("mask.weight", (1, 64, 1, 1), "vector")],
}


@pytest.mark.parametrize("family", FAMILIES)
def test_published_family(family):
    assert told_of(FAMILIES[family]) == expected(FAMILIES[family])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_when_sorted_by_name_and_under_data_parallel(family):
    """safetensors keeps no order of its own; DataParallel puts a module around the whole."""
    assert told_of(FAMILIES[family], prefix="module.", order=lambda row: row[0]) == expected(FAMILIES[family])


@pytest.mark.parametrize("groups", [1, 2, 4, 16, 32])
@pytest.mark.parametrize("n_axes", [1, 2, 3])
def test_cuts_of_a_grouped_convolution_compute_what_it_computes(groups, n_axes):
    """Each group's taps, applied by hand to its own channels, give the output of torch's convolution."""
    conv = {1: torch.nn.Conv1d, 2: torch.nn.Conv2d, 3: torch.nn.Conv3d}[n_axes]
    before, layer = conv(3, 32, 1), conv(32, 64, 3, groups=groups, bias=False)
    checkpoint = StateDict(torch.nn.ModuleDict({"conv1": before, "conv2": layer}).double().state_dict())
    layout = next(layout for layout in lay_out(checkpoint.headers) if layout.header.name == "conv2.weight")
    if groups == 32:
        assert layout.reason == "depthwise"
        return
    assert len(layout.parts) == groups
    inputs = torch.randn(32, 3**n_axes, dtype=torch.float64)
    outputs = []
    for i, part in enumerate(layout.parts):
        taps = matrix_stack(checkpoint.read("conv2.weight"), part)
        oriented = taps if taps.shape[1] == 64 // groups else taps.mT
        own = inputs[i * 32 // groups : (i + 1) * 32 // groups]
        outputs.append(torch.einsum("toi,it->o", oriented, own))
    exact = layer(inputs.reshape(1, 32, *([3] * n_axes))).flatten()
    torch.testing.assert_close(torch.cat(outputs), exact.detach())


def test_a_second_grouped_kernel_is_found_behind_the_first():
    rows = [
        ("m.conv1.weight", (64, 16, 1, 1)),
        ("m.conv2.weight", (64, 4, 3, 3)),
        ("m.conv3.weight", (64, 4, 3, 3)),
        ("m.conv4.weight", (128, 8, 3, 3)),
    ]
    assert list(infer_groups(headers(rows)).values()) == [1, 16, 16, 8]


def test_only_kernels_have_groups():
    rows = [("fc.weight", (10, 4)), ("c.weight", (8, 4, 3)), ("c.bias", (8,)), ("void.weight", (0, 4, 3))]
    assert infer_groups(headers(rows)) == {"c.weight": 1}


@pytest.mark.parametrize(
    ("name", "shape", "kind"),
    [
        ("c.weight", (4, 2, 3), Kind.CONV1D),
        ("c.weight", (4, 2, 3, 3), Kind.CONV2D),
        ("c.weight", (4, 2, 3, 3, 3), Kind.CONV3D),
        ("deconv.weight", (4, 2, 3), Kind.CONV_TRANSPOSE),
        ("c.weight", (4, 2), None),
        ("c.weight", (4, 2, 3, 3, 3, 3), None),
        ("c.weight_v", (4, 2, 3), None),
    ],
)
def test_kind_of_a_kernel(name, shape, kind):
    assert kernel_kind(TensorHeader(name, "float32", shape)) is kind


def test_a_stem_that_sorts_last_is_no_group_in_any_order():
    """safetensors sorts by name, and a stem that reads pictures comes after the body then."""
    shapes = {"stem.weight": (96, 3, 3, 3), "body.weight": (96, 96, 3, 3)}
    headers = [TensorHeader(name, "float32", shape) for name, shape in shapes.items()]
    assert infer_groups(headers) == infer_groups(headers[::-1]) == dict.fromkeys(shapes, 1)


@pytest.mark.parametrize("in_channels", [2, 3, 4, 12])
def test_a_stem_of_any_number_of_channels_beside_its_body(in_channels):
    """Something must take what is put into the model, and nothing else does."""
    shapes = {"block.weight": (96, 96, 3, 3), "head.weight": (10, 96), "stem.weight": (96, in_channels, 3, 3)}
    assert set(infer_groups(headers(shapes.items())).values()) == {1}


def test_where_another_kernel_takes_the_input_the_same_shape_is_grouped():
    shapes = {"block.weight": (96, 96, 3, 3), "stem.weight": (96, 4, 3, 3), "a.weight": (96, 3, 3, 3)}
    assert infer_groups(headers(shapes.items()))["stem.weight"] == 24
    inside = {"features.0.weight": (96, 4, 7, 7), "layer1.conv1.weight": (128, 96, 1, 1)}
    inside |= {"layer1.conv2.weight": (128, 4, 3, 3), "layer1.conv3.weight": (256, 128, 1, 1)}
    assert list(infer_groups(headers(inside.items())).values()) == [1, 1, 32, 1]


def test_channels_that_nothing_puts_out_are_those_of_a_group():
    """Dual path networks: by name, two kernels of the block's end stand before the grouped one."""
    rows = [
        ("conv1.weight", (64, 3, 7, 7)),
        ("b.c1x1_a.conv.weight", (128, 64, 1, 1)),
        ("b.c1x1_c.conv.weight", (276, 128, 1, 1)),
        ("b.c3x3_b.conv.weight", (128, 4, 3, 3)),
    ]
    assert infer_groups(headers(rows))["b.c3x3_b.conv.weight"] == 32
    made = [*rows, ("se.reduce.weight", (4, 128, 1, 1))]
    assert infer_groups(headers(made))["b.c3x3_b.conv.weight"] == 1


def test_a_kernel_that_widens_what_comes_in_is_not_grouped():
    """Fused inverted bottlenecks: by name, the kernel that leads back stands before the one that widens."""
    rows = [
        ("stem.weight", (16, 3, 3, 3)),
        ("b.point_conv.weight", (32, 128, 1, 1)),
        ("b.spatial_conv.weight", (128, 16, 3, 3)),
    ]
    assert set(infer_groups(headers(rows)).values()) == {1}

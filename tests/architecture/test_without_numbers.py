"""A model built without numbers has the tensors of one that was built with them."""

import pytest
import torch

from checkpoints.architecture_vision import build_timm, build_torchvision
from checkpoints.torchvision_import import import_timm, import_torchvision
from checkpoints.without_numbers import without_numbers


def described(model):
    return {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in model.state_dict().items()}


def untouched(result, tensor):
    return result is tensor


@pytest.mark.parametrize(
    "name", ["resnet10t", "test_vit", "test_convnext", "test_byobnet", "swin_tiny_patch4_window7_224"]
)
def test_of_timm(name):
    model = build_timm(name)
    assert all(tensor.is_meta for tensor in model.parameters())
    assert described(model) == described(import_timm().create_model(name, pretrained=False))


@pytest.mark.parametrize("name", ["squeezenet1_1", "shufflenet_v2_x0_5"])
def test_of_torchvision(name):
    assert described(build_torchvision(name)) == described(import_torchvision().models.get_model(name, weights=None))


def test_nothing_is_filled_and_what_has_numbers_is():
    real = torch.zeros(3, device="cpu")
    with without_numbers():
        empty = torch.empty(2, 3)
        assert untouched(empty.normal_(), empty)
        assert untouched(torch.nn.init.trunc_normal_(empty, std=0.02), empty)
        real.add_(1)
    assert empty.is_meta and empty.shape == (2, 3)
    assert real.tolist() == [1, 1, 1]
    assert torch.empty(1).device.type == "cpu"

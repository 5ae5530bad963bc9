"""The written-out gradient of linear layers against autograd."""

import copy

import pytest
import torch
from torch import nn

from setol_zoo.lab.gradient import _Autograd, _Linear, steps_of
from setol_zoo.lab.networks import build, split_frozen
from setol_zoo.lab.setting import Setting


def network(trained: str = "all", widths: tuple[int, ...] = (9, 7)) -> nn.Sequential:
    setting = Setting(widths=widths, trained=trained)
    made = build(setting, (1, 4, 4), 5, torch.Generator().manual_seed(3))
    with torch.no_grad():  # no bias stays zero, no ReLU at its edge
        for value in made.parameters():
            value.add_(0.1 * torch.randn(value.shape, generator=torch.Generator().manual_seed(value.numel())))
    return made


@pytest.mark.parametrize("trained", ["all", "fc1", "fc2"])
@pytest.mark.parametrize("batch", [1, 3, 32])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_equals_autograd(trained: str, batch: int, decay: float) -> None:
    """To 1e-6, some ten roundings of float32, after twenty steps."""
    _, ours = split_frozen(network(trained))
    theirs = copy.deepcopy(ours)
    generator = torch.Generator().manual_seed(0)
    fast, slow = _Linear(ours, 0.1, decay), _Autograd(theirs, 0.1, decay)
    width = next(layer for layer in ours if isinstance(layer, nn.Linear)).in_features
    for _ in range(20):
        inputs = torch.rand(batch, width, generator=generator)
        targets = nn.functional.one_hot(torch.randint(0, 5, (batch,), generator=generator), 5).float()
        with torch.no_grad():
            loss = fast.step(inputs, targets)
        assert float(loss) == pytest.approx(float(slow.step(inputs, targets)), rel=1e-5)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert (mine - other).abs().max() < 1e-6


def test_frozen_layers_stay() -> None:
    made = network("fc2")
    before = {name: value.clone() for name, value in made.state_dict().items()}
    head, rest = split_frozen(made)
    assert [name for name, _ in head.named_children()] == ["flatten", "fc1", "relu1"]
    with torch.no_grad():
        steps_of(rest, 0.1, 0.0).step(torch.rand(4, 9), torch.eye(5)[:4])
    moved = {name for name, value in made.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"fc2.weight", "fc2.bias"}


def test_kernels_go_through_autograd() -> None:
    made = build(Setting(architecture="cnn", widths=(4, 6)), (1, 8, 8), 5, torch.Generator().manual_seed(0))
    before = made.conv1.weight.clone()
    steps_of(made, 0.1, 0.0).step(torch.rand(3, 1, 8, 8), torch.eye(5)[:3])
    assert not torch.equal(made.conv1.weight, before)

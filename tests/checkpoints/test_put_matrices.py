"""Matrices put back into the tensor they were taken from: the exact inverse of taking them out."""

import pytest
import torch

from checkpoints.matrices import matrix_stack, put_matrix_stack
from checkpoints.parts import Cut, Kind, Part

LINEAR = Kind.LINEAR
CASES = {
    "tall": ((7, 5), Part(None, LINEAR)),
    "wide": ((5, 7), Part(None, LINEAR)),
    "ones": ((5, 1, 7, 1), Part(None, Kind.CONV2D)),
    "kernel": ((4, 6, 3, 2), Part(None, Kind.CONV2D)),
    "kernel of one dimension, transposed": ((6, 4, 3), Part(None, Kind.CONV_TRANSPOSE, matrix_axes=(0, 1))),
    "inputs last": ((3, 4, 6), Part(None, Kind.CONV1D, matrix_axes=(1, 2))),
    "rows": ((9, 4), Part("k", LINEAR, (Cut(0, 3, 6),))),
    "columns": ((4, 9), Part("k", LINEAR, (Cut(1, 3, 6),))),
    "group": ((8, 3, 2, 2), Part("group_1", Kind.CONV2D, (Cut(0, 4, 8),))),
    "rows in every head": ((12, 5), Part("k", LINEAR, (Cut(0, 2, 4, 6),))),
    "expert": ((3, 4, 6), Part("expert_1", LINEAR, (Cut(0, 1, 2),), (1, 2))),
    "half of an expert": ((3, 4, 6), Part("expert_1.up", LINEAR, (Cut(0, 1, 2), Cut(2, 3, 6)), (1, 2))),
    "heads of an expert": ((3, 8, 5), Part("expert_2.q", LINEAR, (Cut(0, 2, 3), Cut(1, 1, 3, 4)), (1, 2))),
}


@pytest.mark.parametrize(("shape", "part"), CASES.values(), ids=CASES.keys())
def test_what_was_put_is_what_is_taken_and_nothing_else_changes(shape, part):
    tensor = torch.arange(1.0, 1 + torch.Size(shape).numel()).view(shape)
    stack = matrix_stack(tensor, part).clone()
    changed = tensor.clone()
    put_matrix_stack(changed, part, -stack)
    assert torch.equal(matrix_stack(changed, part), -stack)
    assert int((changed < 0).sum()) == stack.numel()
    assert torch.equal(changed.abs(), tensor)

"""The arithmetic of a plan against numbers worked out by hand."""

import pytest
import torch

from checkpoints.layout import lay_out
from checkpoints.matrices import matrix_stack
from checkpoints.parts import Cut, Kind, Part, TensorLayout
from checkpoints.tensors import TensorHeader
from pipeline.decomposition.decomposer import CPU_WINDOW_BYTES
from pipeline.planning.estimate import ENTRIES, SECONDS_PER_MATRIX, MatrixWork, estimate, matrix_work


def headers(**shapes: tuple[int, ...]) -> list[TensorHeader]:
    return [TensorHeader(name.replace("__", "."), "float32", shape) for name, shape in shapes.items()]


def test_one_matrix_by_hand():
    work = MatrixWork("fc", "linear", n_slices=1, n_rows=30, n_cols=6)
    assert work.gram_flops == 1080  # 30 rows of 36 products, one triangle: half of 2 operations each
    assert work.eigen_flops == 288  # 4/3 of 216
    assert work.memory == 2 * 8 * 36 + 12 * 2**20


def test_memory_of_many_small_matrices_counts_what_is_decomposed_at_once():
    alone, few, many = (
        estimate(lay_out(headers(**{f"l{i}__weight": (300, 256) for i in range(n)}))) for n in (1, 3, 99)
    )
    assert few.memory - alone.memory == 2 * 8 * 256**2
    assert many.memory - alone.memory == CPU_WINDOW_BYTES == 2**25


def test_large_matrices_stand_alone_in_memory():
    one, three = (estimate(lay_out(headers(**{f"l{i}__weight": (2048, 2048) for i in range(n)}))) for n in (1, 3))
    assert three.memory == one.memory


def test_taps_count_each():
    one, nine = MatrixWork("c", "conv2d", 1, 8, 6), MatrixWork("c", "conv2d", 9, 8, 6)
    assert nine.gram_flops == 9 * one.gram_flops == 9 * 288
    assert nine.eigen_flops == 9 * 288
    assert nine.memory - 12 * 2**20 == 9 * (one.memory - 12 * 2**20)


def test_seconds_grow_with_each_part_of_the_work():
    small = MatrixWork("a", "linear", 1, 100, 10)
    assert small.seconds > SECONDS_PER_MATRIX + 1000 / ENTRIES
    # M^3 rules large square ones: 8 times the operations of one half as wide.
    assert MatrixWork("a", "linear", 1, 8192, 8192).seconds / MatrixWork("a", "linear", 1, 4096, 4096).seconds == (
        pytest.approx(8, rel=0.05)
    )


def test_a_file_by_hand():
    found = estimate(
        lay_out(
            headers(
                conv__weight=(8, 6, 3, 3),
                conv__bias=(8,),
                embeddings__word_embeddings__weight=(50, 4),
                fc__weight=(5, 20),
                bn__running_mean=(8,),
            )
        )
    )
    assert (found.n_tensors, found.n_params) == (5, 432 + 8 + 200 + 100 + 8)
    assert found.matrices == {"conv2d": 1, "embedding": 1, "linear": 1}
    assert found.skipped == {"vector": 1, "buffer": 1}
    assert found.gram_flops == 9 * 8 * 36 + 50 * 16 + 20 * 25
    assert found.eigen_flops == 9 * 288 + 85 + 166  # 4/3 of 64 and of 125, rounded down
    assert found.largest is not None
    assert (found.largest.name, found.largest.n_rows, found.largest.n_cols) == ("conv", 8, 6)


def test_a_file_without_a_matrix():
    found = estimate(lay_out(headers(bias=(3,))))
    assert (found.matrices, found.largest, found.seconds, found.gram_flops) == ({}, None, 0, 0)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("fc.weight", (5, 20)),
        ("conv.weight", (8, 6, 3, 5)),
        ("conv1d.weight", (8, 6, 7)),
        ("attn.in_proj_weight", (36, 12)),
        ("h.0.attn.c_attn.weight", (12, 36)),
        ("fc1x1.weight", (9, 4, 1, 1)),
        ("experts.gate_up_proj", (3, 10, 8)),
    ],
)
def test_shapes_are_those_that_will_be_cut(name, shape):
    (layout,) = lay_out([TensorHeader(name, "float32", shape)])
    assert layout.parts
    for part in layout.parts:
        stack = matrix_stack(torch.zeros(shape), part)
        work = matrix_work(layout, part)
        assert (work.n_slices, work.n_rows, work.n_cols) == tuple(stack.shape)


def test_ranges_that_repeat_along_an_axis_are_counted_each_time():
    header = TensorHeader("attention.query_key_value.weight", "float32", (36, 12))
    part = Part("k", Kind.LINEAR, (Cut(0, 2, 4, period=6),))  # two rows of each of six heads
    stack = matrix_stack(torch.zeros(header.shape), part)
    work = matrix_work(TensorLayout(header, "attention.query_key_value", (part,)), part)
    assert (work.n_slices, work.n_rows, work.n_cols) == tuple(stack.shape) == (1, 12, 12)

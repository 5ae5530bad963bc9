"""What a scheduler is told about a unit: from its header where that is here, else a bound from its size."""

import hashlib
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from catalogs import WeightFile
from checkpoints.header_cache import cached_headers, keep_headers
from checkpoints.tensors import TensorHeader
from pipeline.planning.estimate import LARGEST_SHORT_SIDE, PROCESS_MEMORY, MatrixWork, cost_by_size
from pipeline.planning.unit_cost import unit_cost


def row(path: Path, content: bytes) -> WeightFile:
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return WeightFile(model=f"path:{path}", name="m", file=str(path), weights_sha256=digest, size=len(content))


def test_a_file_that_is_here_tells_by_its_header(tmp_path):
    file = row(tmp_path / "m.safetensors", save({"fc.weight": torch.zeros(300, 40), "fc.bias": torch.zeros(300)}))
    work = MatrixWork("fc", "linear", 1, 300, 40)
    found = unit_cost(file, tmp_path / "cache")
    assert (found.seconds, found.memory, found.exact) == (work.seconds, PROCESS_MEMORY + work.memory, True)


def test_a_header_that_a_plan_kept_tells_of_a_file_that_is_not_here(tmp_path):
    file = row(tmp_path / "m.safetensors", save({"fc.weight": torch.zeros(300, 40)}))
    exact = unit_cost(file, tmp_path / "cache")
    Path(file.file).unlink()
    assert unit_cost(file, tmp_path / "cache") == cost_by_size(file.size)
    keep_headers(file.weights_sha256, [TensorHeader("fc.weight", "float32", (300, 40))], None, tmp_path / "cache")
    assert unit_cost(file, tmp_path / "cache") == exact


@pytest.mark.parametrize("name", ["damaged.safetensors", "pickled.pt"])
def test_what_cannot_be_told_cheaply_goes_by_its_size(tmp_path, name):
    file = row(tmp_path / name, b"\x80" * 5000)
    assert unit_cost(file, tmp_path / "cache") == cost_by_size(5000)
    assert not unit_cost(file, tmp_path / "cache").exact


@given(st.integers(1, 2 * LARGEST_SHORT_SIDE), st.integers(1, LARGEST_SHORT_SIDE))
def test_memory_by_size_is_a_bound_for_any_matrix_of_16_bits(rows, columns):
    work = MatrixWork("", "linear", 1, max(rows, columns), min(rows, columns))
    assert cost_by_size(2 * rows * columns).memory >= PROCESS_MEMORY + work.memory


def test_an_unknown_size_is_that_of_a_middling_model():
    assert cost_by_size(None) == cost_by_size(500_000_000)
    assert cost_by_size(0).memory < cost_by_size(10**6).memory < cost_by_size(10**12).memory


def test_headers_are_kept_by_content(tmp_path):
    headers = (TensorHeader("a", "bfloat16", (3, 4)), TensorHeader("b", "float32", ()))
    digest = "0" * 64
    assert cached_headers(digest, tmp_path) is None
    keep_headers(digest, headers, 77, tmp_path)
    assert cached_headers(digest, tmp_path) == (headers, 77)
    (kept,) = tmp_path.rglob("*.json")
    kept.write_text("[[")  # damaged: asked again
    assert cached_headers(digest, tmp_path) is None
    for name in ("../../etc/passwd", None, "0" * 63):
        keep_headers(name, headers, 77, tmp_path)
        assert cached_headers(name, tmp_path) is None
    assert len(list(tmp_path.rglob("*"))) == 3

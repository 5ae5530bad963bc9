"""A weight file's table of spectra: every tensor has its rows, and the rows add up to the file."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.torch import save_file

from catalogs import WeightFile
from checkpoints.errors import CheckpointError
from checkpoints.open import open_checkpoint
from pipeline.decomposition.spectra import spectra_table
from pipeline.store.records import SPECTRA_SCHEMA


def small_checkpoint():
    generator = torch.Generator().manual_seed(0)

    def randn(*shape):
        return torch.randn(shape, generator=generator)

    embedding = randn(20, 6)
    nan, infinite = randn(5, 4), randn(5, 4)
    nan[2, 3], infinite[0, 0] = float("nan"), float("-inf")
    huge = torch.full((4, 3), 1e200, dtype=torch.float64)
    return {
        "embed_tokens.weight": embedding,
        "conv1.weight": randn(8, 3, 3, 3),
        "conv1.bias": randn(8),
        "bn1.running_mean": randn(8),
        "bn1.num_batches_tracked": torch.tensor(7),
        "conv2.weight": randn(8, 1, 3, 3),
        "attn.in_proj_weight": randn(18, 6),
        "attn.relative_position_index": torch.arange(12).view(3, 4),
        "rnn.weight_ih_l0": randn(20, 6),
        "rnn.weight_hh_l0": randn(20, 5),
        "experts.down_proj": randn(2, 4, 6),
        "nan.weight": nan,
        "nan_twin.weight": nan.clone(),
        "infinite.weight": infinite,
        "huge.weight": huge,
        "zero.weight": torch.zeros(5, 4),
        "zero_twin.weight": torch.zeros(5, 4),
        "one.weight": torch.tensor([[2.0]]),
        "tiny.weight": torch.eye(3) * 2,
        "codes": torch.arange(6).view(2, 3),
        "void.weight": torch.zeros(0, 3),
        "brain.weight": randn(7, 3).bfloat16(),
        "eight.weight": randn(7, 3).to(torch.float8_e4m3fn),
        "block": randn(2, 3, 4),
        "lm_head.weight": embedding.clone(),
    }


@pytest.fixture(scope="module", params=["safetensors", "pt"])
def table(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("ledger") / f"m.{request.param}"
    save_file(small_checkpoint(), path) if request.param == "safetensors" else torch.save(small_checkpoint(), path)
    return spectra_of(path)


def spectra_of(path):
    file = WeightFile(model=f"path:{path}", name="m", file=str(path), weights_sha256="0" * 64)
    return spectra_table(file, open_checkpoint(path), "cpu")


def rows_of(table, tensor):
    return [row for row in table.to_pylist() if row["tensor"] == tensor]


def test_every_tensor_has_rows_and_their_entries_add_up(table):
    tensors = small_checkpoint()
    assert table.schema == SPECTRA_SCHEMA
    counted = dict.fromkeys(tensors, 0)
    for row in table.to_pylist():
        counted[row["tensor"]] += row["n_params"]
        assert row["shape"] == list(tensors[row["tensor"]].shape)
    assert counted == {name: tensor.numel() for name, tensor in tensors.items()}
    assert pa.compute.sum(table["n_params"]).as_py() == sum(tensor.numel() for tensor in tensors.values())


def test_roles_and_reasons(table):
    roles = {}
    for row in table.to_pylist():
        roles.setdefault(row["tensor"], []).append(row["reason"] or row["role"])
    assert roles == {
        "embed_tokens.weight": ["analyzed"],
        "conv1.weight": ["analyzed"],
        "conv1.bias": ["vector"],
        "bn1.running_mean": ["buffer"],
        "bn1.num_batches_tracked": ["buffer"],
        "conv2.weight": ["depthwise"],
        "attn.in_proj_weight": ["analyzed"] * 3,
        "attn.relative_position_index": ["buffer"],
        "rnn.weight_ih_l0": ["analyzed"] * 4,
        "rnn.weight_hh_l0": ["analyzed"] * 4,
        "experts.down_proj": ["analyzed"] * 2,
        "nan.weight": ["non_finite"],
        "nan_twin.weight": ["non_finite"],
        "infinite.weight": ["non_finite"],
        "huge.weight": ["non_finite"],
        "zero.weight": ["analyzed"],
        "zero_twin.weight": ["analyzed"],
        "one.weight": ["vector"],
        "tiny.weight": ["analyzed"],
        "codes": ["integer"],
        "void.weight": ["empty"],
        "brain.weight": ["analyzed"],
        "eight.weight": ["analyzed"],
        "block": ["unknown"],
        "lm_head.weight": ["tied"],
    }


def test_skipped_rows_say_nothing_but_why(table):
    for row in table.to_pylist():
        assert (row["role"] == "skipped") == (row["reason"] is not None)
        if row["role"] == "skipped":
            assert all(row[name] is None for name in ("n_rows", "n_cols", "n_slices", "evals", "rank", "tied_to"))


def test_a_tied_tensor_points_to_the_first_and_has_no_spectrum_of_its_own(table):
    (first,), (tied,) = rows_of(table, "embed_tokens.weight"), rows_of(table, "lm_head.weight")
    assert (first["tied_to"], tied["tied_to"]) == (None, "embed_tokens.weight")
    assert (tied["role"], tied["layer"], tied["n_params"]) == ("tied", "lm_head", 120)
    assert (tied["n_rows"], tied["n_cols"], tied["n_slices"]) == (20, 6, 1)
    assert tied["evals"] is None and len(first["evals"]) == 6
    assert [row["tensor"] for row in table.to_pylist() if row["tied_to"]] == ["lm_head.weight"]


def test_spectra_are_blocks_of_ascending_squared_singular_values(table):
    kernel = small_checkpoint()["conv1.weight"].double()
    (row,) = rows_of(table, "conv1.weight")
    assert (row["kind"], row["part"], row["n_slices"], row["n_rows"], row["n_cols"]) == ("conv2d", None, 9, 8, 3)
    exact = np.linalg.svd(kernel.permute(2, 3, 0, 1).reshape(9, 8, 3).numpy(), compute_uv=False)[:, ::-1] ** 2
    np.testing.assert_allclose(np.reshape(row["evals"], (9, 3)), exact, rtol=1e-10)
    np.testing.assert_allclose(row["frobenius_sq"], (kernel**2).sum((0, 1)).flatten(), rtol=1e-12)


def test_parts_are_named_and_have_their_own_spectra(table):
    rows = rows_of(table, "rnn.weight_ih_l0")
    assert [(row["part"], row["kind"], row["n_params"]) for row in rows] == [(g, "recurrent", 30) for g in "ifgo"]
    for row, gate in zip(rows, small_checkpoint()["rnn.weight_ih_l0"].double().chunk(4), strict=True):
        np.testing.assert_allclose(row["evals"], np.linalg.svd(gate.numpy())[1][::-1] ** 2, rtol=1e-10)
    assert [row["part"] for row in rows_of(table, "experts.down_proj")] == ["expert_0", "expert_1"]


def test_degenerate_matrices(table):
    (zero,), (tiny,) = rows_of(table, "zero.weight"), rows_of(table, "tiny.weight")
    assert (zero["evals"], zero["rank"], zero["zero_fraction"], zero["entry_kurtosis"]) == (
        [0.0] * 4,
        [0],
        [1.0],
        [None],
    )
    assert (tiny["evals"], tiny["rank"]) == ([4.0] * 3, [3])


def test_narrow_formats_are_widened(table):
    (row,) = rows_of(table, "brain.weight")
    exact = np.linalg.svd(small_checkpoint()["brain.weight"].double().numpy())[1][::-1] ** 2
    np.testing.assert_allclose(row["evals"], exact, rtol=1e-10)


def test_a_file_without_tensors_has_a_table_without_rows(tmp_path):
    save_file({}, tmp_path / "m.safetensors")
    table = spectra_of(tmp_path / "m.safetensors")
    assert table.num_rows == 0 and table.schema == SPECTRA_SCHEMA


def test_a_damaged_file_has_no_table(tmp_path):
    (tmp_path / "m.pt").write_bytes(b"weights")
    with pytest.raises(CheckpointError, match=r"damaged checkpoint m.pt"):
        spectra_of(tmp_path / "m.pt")

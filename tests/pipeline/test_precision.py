"""Float32 with its check, batches, and a device whose memory ends: what is stored, logged, and stays the same."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from catalogs import WeightFile
from catalogs.paths import catalog_of_paths
from checkpoints.open import open_checkpoint
from pipeline.decomposition import decomposer
from pipeline.decomposition.decomposer import CoarseFloat32, Decomposer
from pipeline.decomposition.spectra import FileSpectra, file_spectra
from pipeline.display.summary import RunSummary
from pipeline.drive import RunRequest, drive
from pipeline.execution.serial import run_serially
from pipeline.options import Options, SpectrumOptions
from pipeline.store.folder import ResultsFolder
from setol import Reason
from setol.weights.decomposition import Decomposition, decompose, resolution
from setol.weights.precision import decompose_float32, float32_resolution
from tests.checkpoints.test_ledger import small_checkpoint
from tests.cli.test_commands import setol
from tests.conftest import Silent
from tests.pipeline.test_worker import attempts
from tests.setol.stacks import BAD_ENTRIES, gaussian, spoiled

FLOAT32 = SpectrumOptions(precision="float32")


def gpu(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that needs a GPU."""
    return pytest.mark.gpu(pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")(test))


def network() -> dict[str, torch.Tensor]:
    """Small kernels and matrices, several of a shape."""
    generator = torch.Generator().manual_seed(3)
    kernels = {f"conv{i}.weight": torch.randn(16, 8 << i % 2, 3, 3, generator=generator) for i in range(6)}
    return kernels | {f"fc{i}.weight": torch.randn(120, 80, generator=generator) for i in range(4)}


def spectra(tensors: dict[str, torch.Tensor], folder: Path, device: str = "cpu", **options) -> FileSpectra:
    path = folder / "m.safetensors"
    save_file(tensors, path)
    file = WeightFile(model="path:m", name="m", file=str(path), weights_sha256="0" * 64)
    return file_spectra(file, open_checkpoint(path), device, options=SpectrumOptions(**options))


def assert_same_rows(found: pa.Table, expected: pa.Table, share: Callable[[int, int], float]) -> None:
    """All columns equal, eigenvalues and moments to a share of lambda_max that the shape of the matrices sets."""
    for row, other in zip(found.to_pylist(), expected.to_pylist(), strict=True):
        assert [name for name, value in row.items() if value is None] == [k for k, v in other.items() if v is None]
        if row["role"] == "analyzed":
            evals, exact = np.array(row.pop("evals")), np.array(other.pop("evals"))
            limit = share(row["n_rows"], row["n_cols"]) * exact.max()
            assert np.all(np.abs(evals - exact) <= np.where(evals > 0, limit, 2 * limit)), row["tensor"]
            for name in ("frobenius_sq", "entry_mean", "entry_var", "entry_max_abs", "zero_fraction"):
                np.testing.assert_allclose(row.pop(name), other.pop(name), rtol=1e-11, atol=1e-15)
            kurtosis = [np.array(each.pop("entry_kurtosis"), dtype=float) for each in (row, other)]
            np.testing.assert_allclose(*kurtosis, rtol=1e-9)
        assert row == other


def float64_share(n_rows: int, n_cols: int) -> float:
    return max(n_rows, n_cols) * 2.0**-52


def float32_share(n_rows: int, n_cols: int) -> float:
    return float(float32_resolution(np.array(1.0), n_rows, n_cols))


def run(path: Path, folder: Path, options: SpectrumOptions) -> tuple[RunSummary, Silent]:
    request = RunRequest(
        catalog_of_paths([str(path)]), ResultsFolder(folder), folder / "cache", Options(options), device="cpu"
    )
    reporter = Silent()
    return drive(request, run_serially, reporter), reporter


def coarse(matrices: torch.Tensor, *, device: str = "cpu") -> Decomposition | Reason:
    """As products in bfloat16 leave it."""
    return decompose_float32(matrices.bfloat16(), device=device)


def test_each_precision_has_files_of_its_own_and_the_log_says_which(tmp_path):
    path = tmp_path / "m.safetensors"
    save_file(network(), path)
    for options in (SpectrumOptions(), FLOAT32):
        summary, _ = run(path, tmp_path / "r", options)
        assert (summary.computed, summary.failures) == (1, ())
    assert len(list((tmp_path / "r" / "spectra" / "v1").iterdir())) == 2
    exact, narrow = attempts(tmp_path / "r")
    assert (exact["precision"], exact["float32_deviation"]) == ("float64", None)
    assert narrow["precision"] == "float32"
    assert 0 < narrow["float32_deviation"] < float32_share(120, 80)
    for row in (exact, narrow):
        assert row["device"] == "cpu"
        assert row["device_name"]
        assert [row[name] for name in ("probe_float64", "probe_float32", "probe_cpu", "remarks")] == [None] * 4


def test_the_command_takes_the_precision_and_a_refit_finds_its_spectra(tmp_path):
    path = tmp_path / "m.safetensors"
    save_file(network(), path)
    shared = ["--results", tmp_path / "r", "--precision", "float32"]
    assert setol("run", path, "--executor", "serial", "--device", "cpu", *shared).exit_code == 0
    assert setol("refit", "--min-evals", 20, "--cpus", 1, *shared).exit_code == 0
    made, refitted = attempts(tmp_path / "r")
    assert (made["precision"], made["reused_spectra"]) == ("float32", False)
    assert (refitted["precision"], refitted["reused_spectra"]) == (None, True)
    wrong = setol("run", path, "--results", tmp_path / "r", "--precision", "float16")
    assert wrong.exit_code == 2
    assert "'float16' is not one of 'float64', 'float32'" in wrong.stderr


def test_a_log_row_without_spectra_says_nothing_of_how_they_were_made(tmp_path):
    path = tmp_path / "m.safetensors"
    save_file(network(), path)
    run(path, tmp_path / "r", FLOAT32)
    (layers,) = (tmp_path / "r" / "layers" / "v1").iterdir()
    layers.unlink()
    run(path, tmp_path / "r", FLOAT32)
    row = attempts(tmp_path / "r")[-1]
    assert row["reused_spectra"] is True
    assert [row[name] for name in ("device_name", "precision", "float32_deviation")] == [None] * 3


@pytest.mark.parametrize(("tensors", "remarks"), [(network, 0), (small_checkpoint, 1)])  # of its 8-bit floats
def test_float32_is_within_what_it_resolves(tmp_path, tensors, remarks):
    exact = spectra(tensors(), tmp_path)
    found = spectra(tensors(), tmp_path, precision="float32")
    assert (found.precision, found.remarks) == ("float32", exact.remarks)
    assert len(exact.remarks) == remarks
    assert 0 < found.float32_deviation < 1e-5
    ranks = [table["rank"].combine_chunks() for table in (found.table, exact.table)]
    drop = found.table.schema.get_field_index("rank")
    assert_same_rows(found.table.remove_column(drop), exact.table.remove_column(drop), float32_share)
    assert ranks[0].is_null().equals(ranks[1].is_null())
    assert found.table["evals"].to_pylist() != exact.table["evals"].to_pylist()


def test_the_first_slice_of_every_shape_is_checked_and_no_more(monkeypatch):
    checked = []
    real = decomposer.float32_deviation

    def watched(matrices, found, *, device):
        checked.append(tuple(matrices.shape))
        return real(matrices, found, device=device)

    monkeypatch.setattr(decomposer, "float32_deviation", watched)
    shapes = [(1, 30, 20), (9, 16, 8), (4, 30, 20), (9, 16, 8), (1, 31, 20)]
    stacks = [torch.zeros(1, 30, 20), *(gaussian(shape, seed) for seed, shape in enumerate(shapes))]
    Decomposer("cpu", "float32").decompose(stacks)
    # The zeros tell nothing, so the next of that shape is looked at.
    assert checked == [(1, 30, 20), (1, 30, 20), (1, 16, 8), (1, 31, 20)]


def test_coarse_products_are_found_and_the_file_is_done_in_float64(tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    save_file(network(), path)
    monkeypatch.setattr(decomposer, "decompose_float32", coarse)
    with pytest.raises(CoarseFloat32, match=r"float32 was off by .*e-0\d .* matrix of 120 x 80, .*: the file was done"):
        Decomposer("cpu", "float32").decompose([gaussian((1, 120, 80))])
    summary, reporter = run(path, tmp_path / "r", FLOAT32)
    assert summary.computed == 1
    (row,) = attempts(tmp_path / "r")
    assert row["precision"] == "float64"
    assert row["float32_deviation"] > float32_share(16, 8)
    assert row["remarks"].startswith("float32 was off by ")
    assert reporter.outcomes[0].notes == (f"m: {row['remarks']}",)
    (stored,) = (tmp_path / "r" / "spectra" / "v1").iterdir()
    exact = spectra(network(), tmp_path).table
    assert pq.read_table(stored)["evals"].to_pylist() == exact["evals"].to_pylist()


def test_products_that_torch_was_allowed_to_make_coarse_are_found(tmp_path):
    torch.set_float32_matmul_precision("medium")
    try:
        W = gaussian((1, 120, 80), dtype=torch.float32)
        if (W.mT @ W - (W.mT.double() @ W.double())).abs().max() < 1e-2:
            pytest.skip("this CPU makes no products in bfloat16")
        found = spectra(network(), tmp_path, precision="float32")
    finally:
        torch.set_float32_matmul_precision("highest")
    assert found.precision == "float64"
    assert found.float32_deviation > 1e-4


def test_on_the_cpu_matrices_of_one_shape_are_to_the_last_bit_what_they_are_alone(tmp_path):
    tensors = network()
    table = spectra(tensors, tmp_path).table
    for row in table.to_pylist():
        tensor = tensors[row["tensor"]]
        stack = tensor.flatten(2).permute(2, 0, 1) if tensor.ndim == 4 else tensor[None]
        alone = decompose(stack)
        assert row["evals"] == alone.evals.ravel().tolist()
        assert row["entry_kurtosis"] == alone.entries.kurtosis.tolist()


@pytest.mark.parametrize("budget", [1, 2**12, 2**14, 2**24])
@pytest.mark.parametrize("tensors", [network, small_checkpoint])
def test_batches_give_the_same_rows_in_the_same_order(tmp_path, monkeypatch, tensors, budget):
    plain = spectra(tensors(), tmp_path, permutations=1)
    monkeypatch.setattr(decomposer, "batch_bytes", lambda device: budget)
    batched = spectra(tensors(), tmp_path, permutations=1)
    assert_same_rows(batched.table, plain.table, float64_share)
    assert batched.remarks == plain.remarks


@pytest.mark.parametrize("value", BAD_ENTRIES)
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_a_reason_passes_through_and_what_is_not_finite_gets_one(value, precision):
    stacks = [gaussian((2, 9, 8)), Reason.VECTOR, spoiled((2, 9, 8), value)]
    found = Decomposer("cpu", precision).decompose(stacks)
    assert found[1:] == [Reason.VECTOR, Reason.NON_FINITE]
    assert found[0].evals.shape == (2, 8)


class SmallDevice:
    """Stands in for a GPU with room for so many entries: computes on the CPU, and fails as torch does."""

    def __init__(self, entries: int, error: type[RuntimeError] = torch.OutOfMemoryError, told: str = "out of memory"):
        self.entries, self.error, self.told = entries, error, told
        self.calls: list[tuple[str, int]] = []

    def __call__(self, matrices: torch.Tensor, *, device: str) -> Decomposition | Reason:
        self.calls.append((device, len(matrices)))
        if device == "cuda" and matrices.numel() > self.entries:
            raise self.error(self.told)
        return decompose(matrices)


def on_small_device(monkeypatch, small: SmallDevice) -> Decomposer:
    monkeypatch.setattr(decomposer, "batch_bytes", lambda device: 2**24)
    monkeypatch.setattr(decomposer, "decompose", small)
    return Decomposer("cuda", "float64")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (torch.OutOfMemoryError, "CUDA out of memory. Tried to allocate 2.00 GiB."),
        (RuntimeError, "cusolver error: CUSOLVER_STATUS_ALLOC_FAILED, when calling `cusolverDnCreate(handle)`"),
        (RuntimeError, "CUDA error: out of memory"),
    ],
)
def test_where_memory_ends_batches_are_halved_and_what_does_not_fit_goes_to_the_cpu(monkeypatch, error, told):
    stacks = [gaussian((1, 30, 20), seed) for seed in range(7)] + [gaussian((3, 30, 20), 8)]
    small = SmallDevice(2 * 600, error, told)
    work = on_small_device(monkeypatch, small)
    found = work.decompose(stacks)
    for result, stack in zip(found, stacks, strict=True):
        exact = decompose(stack)
        assert np.all(np.abs(result.evals - exact.evals) <= resolution(exact.evals[:, -1:], 30))
    assert small.calls == [("cuda", count) for count in (10, 4, 2, 2, 6, 2, 4, 1, 3)] + [("cpu", 3)]
    assert work.remarks == ("out of memory on cuda: batches halved 4 times, 1 on the CPU",)


def test_extra_columns_that_do_not_fit_go_to_the_cpu(monkeypatch):
    work = on_small_device(monkeypatch, SmallDevice(0))

    def compute(device: str) -> str:
        if device == "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return device

    assert work.on_device(compute) == "cpu"
    assert work.remarks == ("out of memory on cuda: batches halved 0 times, 1 on the CPU",)


@pytest.mark.parametrize("count", [1, 4])
def test_other_errors_of_the_device_are_no_matter_of_memory(monkeypatch, count):
    work = on_small_device(monkeypatch, SmallDevice(0, RuntimeError, "CUDA error: an illegal memory access"))
    with pytest.raises(RuntimeError, match="illegal memory access"):
        work.decompose([gaussian((1, 30, 20))] * count)


def test_the_cpu_out_of_memory_is_not_tried_again(monkeypatch):
    small = SmallDevice(0)
    monkeypatch.setattr(decomposer, "decompose", lambda matrices, device: small(matrices, device="cuda"))
    with pytest.raises(torch.OutOfMemoryError, match="out of memory"):
        Decomposer("cpu", "float64").decompose([gaussian((1, 30, 20))])
    assert len(small.calls) == 1


@gpu
@pytest.mark.parametrize("tensors", [network, small_checkpoint])
def test_a_gpu_agrees_with_the_cpu(tmp_path, tensors):
    cpu, cuda = spectra(tensors(), tmp_path), spectra(tensors(), tmp_path, "cuda")
    assert_same_rows(cuda.table, cpu.table, lambda n_rows, n_cols: 1e-12)
    assert spectra(tensors(), tmp_path, "cuda").table.equals(cuda.table)


@gpu
def test_float32_on_a_gpu_is_within_what_it_resolves(tmp_path):
    cpu, cuda = spectra(network(), tmp_path), spectra(network(), tmp_path, "cuda", precision="float32")
    assert cuda.precision == "float32"
    assert_same_rows(cuda.table, cpu.table, float32_share)


@gpu
def test_a_matrix_that_does_not_fit_a_gpu_is_decomposed_on_the_cpu():
    stack = gaussian((1, 3000, 2500), dtype=torch.float32)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties("cuda").total_memory
    torch.cuda.set_per_process_memory_fraction(30 * 2**20 / total)  # its Gram matrix takes 48 MiB
    try:
        work = Decomposer("cuda", "float64")
        (found,) = work.decompose([stack])
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert work.remarks == ("out of memory on cuda: batches halved 0 times, 1 on the CPU",)
    assert np.array_equal(found.evals, decompose(stack).evals)

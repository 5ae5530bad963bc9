"""Models written anew: what truncation keeps, what the removal of traps takes, and what neither touches."""

import json
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

import setol_zoo as zoo
from catalogs import CatalogError
from checkpoints.errors import CheckpointError
from checkpoints.write import DestinationError
from pipeline.decomposition import decomposer
from pipeline.errors import OptionError
from setol.random_matrix.traps import count_traps
from setol.weights.permutation import permuted_spectra
from setol.weights.precision import decompose_float32
from tests.api.models import TiedLanguageModel, convolutions, seeded, weight_normed
from tests.pipeline.test_worker import attempts


def matrix(n_rows, n_cols, seed, dtype=torch.float64):
    """A heavy-tailed matrix."""
    generator = torch.Generator().manual_seed(seed)
    gaussian = torch.randn(n_rows, n_cols, generator=generator, dtype=torch.float64)
    scales = torch.rand(n_cols, generator=generator, dtype=torch.float64).pow(-0.5)
    return (gaussian * scales).to(dtype)


@pytest.fixture
def double(tmp_path) -> Path:
    """A file in float64, where what was dropped is gone to the last digit; also integers, vectors and metadata."""
    tensors = {
        "fc1.weight": matrix(120, 80, 1),
        "fc1.bias": torch.randn(120, generator=torch.Generator().manual_seed(9)),
        "attn.in_proj_weight": matrix(180, 60, 2),
        "conv.weight": matrix(64, 576, 3).view(64, 64, 3, 3),
        "small.weight": matrix(30, 20, 4),
        "steps": torch.tensor(17),
    }
    save_file(tensors, tmp_path / "double.safetensors", metadata={"format": "pt", "author": "us"})
    return tmp_path / "double.safetensors"


def ranks(path):
    return {(row["tensor"], row["part"]): row["matrix_rank"] for row in zoo.analyze(path).to_arrow().to_pylist()}


@pytest.mark.parametrize("to", ["tail", "ecs"])
def test_as_many_components_are_left_as_the_metrics_count(double, tmp_path, to):
    before = zoo.analyze(double)
    edited = zoo.truncate(double, tmp_path / "cut.safetensors", to=to)
    column = "n_tail" if to == "tail" else "erg_n"
    counts = {(row["tensor"], row["part"]): row[column] for row in before.to_arrow().to_pylist()}
    rank = ranks(tmp_path / "cut.safetensors")
    assert len(edited.changes) == len(counts) == 6
    for row in edited.changes:
        count = counts[row.tensor, row.part]
        if row.reason:
            assert (row.tensor, row.reason) == ("small.weight", "too_few_eigenvalues")
            assert row.n_kept == row.n_evals == 20
            continue
        assert row.n_kept == count == rank[row.tensor, row.part], row
        assert 0 < row.n_kept < row.n_evals
    assert {row.reason for row in edited.changes if row.reason} == ({"too_few_eigenvalues"} if to == "tail" else set())


def test_the_squared_error_is_the_sum_of_the_eigenvalues_that_were_dropped(double, tmp_path):
    zoo.truncate(double, tmp_path / "cut.safetensors")
    before, after = load_file(double), load_file(tmp_path / "cut.safetensors")
    a = zoo.analyze(double)
    for row in a.to_arrow().to_pylist():
        if row["status"] != "ok":
            continue
        evals = a.spectrum(row["layer"], row["part"])
        dropped = evals[evals < row["lambda_min"]].sum() / row["evals_factor"]
        start = {"q": 0, "k": 60, "v": 120}.get(row["part"], 0)
        rows = slice(start, start + 60) if row["part"] else slice(None)
        error = (before[row["tensor"]][rows] - after[row["tensor"]][rows]).square().sum()
        assert float(error) == pytest.approx(dropped, rel=1e-9), row["tensor"]


def test_each_tap_of_a_kernel_keeps_what_the_pooled_threshold_leaves(double, tmp_path):
    zoo.truncate(double, tmp_path / "cut.safetensors")
    kernel, cut = load_file(double)["conv.weight"], load_file(tmp_path / "cut.safetensors")["conv.weight"]
    row = zoo.analyze(double).layers.set_index("layer").loc["conv"]
    threshold = (row["lambda_min"] / row["evals_factor"]) ** 0.5
    for i in range(3):
        for j in range(3):
            values = torch.linalg.svdvals(kernel[:, :, i, j])
            kept = int((values >= threshold * (1 - 1e-12)).sum())
            left = torch.linalg.svdvals(cut[:, :, i, j])
            torch.testing.assert_close(left[:kept], values[:kept], rtol=1e-10, atol=0)
            assert float(left[kept:].sum()) < 1e-10 * float(values[0])


def test_everything_else_is_the_same_to_the_bit(double, tmp_path):
    zoo.truncate(double, tmp_path / "cut.safetensors")
    before, after = load_file(double), load_file(tmp_path / "cut.safetensors")
    assert {name: (t.dtype, t.shape) for name, t in before.items()} == {n: (t.dtype, t.shape) for n, t in after.items()}
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert same == {"fc1.bias", "small.weight", "steps"}
    with safe_open(tmp_path / "cut.safetensors", framework="pt") as file:
        assert file.metadata() == {"format": "pt", "author": "us"}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
def test_number_formats_stay(tmp_path, dtype):
    save_file({"fc.weight": matrix(120, 80, 5, dtype)}, tmp_path / "m.safetensors")
    (row,) = zoo.truncate(tmp_path / "m.safetensors", tmp_path / "cut.safetensors").changes
    cut = load_file(tmp_path / "cut.safetensors")["fc.weight"]
    assert cut.dtype == dtype
    values = torch.linalg.svdvals(cut.double())
    rounding = torch.finfo(dtype).eps
    # Rounding is noise of about eps times the size of an entry: singular values of up to eps times the norm.
    assert float(values[row.n_kept :].max()) < 2 * rounding * float(values.square().sum().sqrt())
    assert float(values[row.n_kept - 1]) > 0.9 * row.lambda_min**0.5


def test_taps_apart_have_thresholds_of_their_own(tmp_path):
    save_file({"conv.weight": matrix(64, 256, 6).view(64, 64, 2, 2)}, tmp_path / "m.safetensors")
    edited = zoo.truncate(tmp_path / "m.safetensors", tmp_path / "cut.safetensors", preset="natcomm2021")
    assert [row.tap for row in edited.changes] == [0, 1, 2, 3]
    cut = load_file(tmp_path / "cut.safetensors")["conv.weight"]
    for row, tap in zip(edited.changes, cut.flatten(2).movedim(2, 0), strict=True):
        assert int(torch.linalg.matrix_rank(tap)) == row.n_kept
    assert len({row.lambda_min for row in edited.changes}) == 4


def test_a_module_is_written_and_loaded_again(tmp_path):
    model = seeded(convolutions)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    zoo.truncate(model, tmp_path / "cut.safetensors")
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    missing = model.load_state_dict(load_file(tmp_path / "cut.safetensors"))
    assert not missing.missing_keys
    assert not missing.unexpected_keys
    assert not torch.equal(model.state_dict()["3.weight"], before["3.weight"])
    assert torch.equal(model.state_dict()["3.bias"], before["3.bias"])


def test_tied_tensors_stay_tied(tmp_path):
    model = seeded(TiedLanguageModel)
    torch.save(model.state_dict(), tmp_path / "m.pt")
    edited = zoo.truncate(tmp_path / "m.pt", tmp_path / "cut.safetensors")
    assert edited.tied == {"lm_head.weight": "embed_tokens.weight"}
    assert [row.tensor for row in edited.changes] == ["embed_tokens.weight", "fc.weight"]
    assert zoo.analyze(tmp_path / "cut.safetensors").summary["n_tied"] == 1


def test_shards_become_one_file(double, tmp_path):
    tensors = load_file(double)
    shards = tmp_path / "shards"
    shards.mkdir()
    names = sorted(tensors)
    save_file({name: tensors[name] for name in names[:3]}, shards / "m-1.safetensors", metadata={"format": "pt"})
    save_file({name: tensors[name] for name in names[3:]}, shards / "m-2.safetensors", metadata={"format": "pt"})
    index = {name: f"m-{1 if name in names[:3] else 2}.safetensors" for name in names}
    (shards / "m.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    together = zoo.truncate(shards, tmp_path / "together.safetensors")
    zoo.truncate(double, tmp_path / "cut.safetensors")
    one, other = load_file(tmp_path / "together.safetensors"), load_file(tmp_path / "cut.safetensors")
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert len(together.changes) == 6


def test_weight_normalization_and_nan_are_left_and_named(tmp_path):
    tensors = {name: tensor.detach() for name, tensor in seeded(weight_normed).state_dict().items()}
    tensors["nan.weight"] = torch.full((60, 60), torch.nan)
    save_file(tensors, tmp_path / "m.safetensors")
    for edit in (zoo.truncate, zoo.detrap):
        edited = edit(tmp_path / "m.safetensors", tmp_path / "out.safetensors", force=True)
        reasons = {row.tensor: row.reason for row in edited.changes}
        assert reasons == {
            "0.parametrizations.weight.original1": "normalized",
            "2.weight": None,
            "nan.weight": "non_finite",
        }
        after = load_file(tmp_path / "out.safetensors")
        name = "0.parametrizations.weight.original1"
        assert torch.equal(after[name], tensors[name])


@pytest.fixture
def trapped(tmp_path) -> Path:
    generator = torch.Generator().manual_seed(0)

    def noise(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    spiky = noise(100, 60)
    spiky[3, 4] = 60.0
    tensors = {
        "clean.weight": noise(100, 60),
        "mean.weight": noise(100, 60) + 0.5,
        "spiky.weight": spiky,
        "conv.weight": torch.stack([noise(40, 30), noise(40, 30) + 1.0], dim=-1),
        "conv.bias": noise(40),
    }
    save_file(tensors, tmp_path / "trapped.safetensors")
    return tmp_path / "trapped.safetensors"


def test_a_planted_mean_and_a_planted_entry_are_removed(trapped, tmp_path):
    edited = zoo.detrap(trapped, tmp_path / "out.safetensors", seed=3)
    rows = {row.layer: row for row in edited.changes}
    counts = {layer: (row.n_means, row.n_components) for layer, row in rows.items()}
    assert counts == {"clean": (0, 0), "conv": (1, 0), "mean": (1, 0), "spiky": (0, 1)}
    before, after = load_file(trapped), load_file(tmp_path / "out.safetensors")
    assert torch.equal(after["clean.weight"], before["clean.weight"])
    assert torch.equal(after["conv.bias"], before["conv.bias"])
    assert torch.equal(after["conv.weight"][..., 0], before["conv.weight"][..., 0])
    torch.testing.assert_close(after["mean.weight"], before["mean.weight"] - before["mean.weight"].mean())
    torch.testing.assert_close(
        after["conv.weight"][..., 1].mean(), torch.zeros((), dtype=torch.float64), atol=1e-12, rtol=0
    )
    assert abs(float(after["spiky.weight"][3, 4])) < 10
    # What is left differs from the planted noise by little beside the spike.
    assert rows["spiky"].removed_share == pytest.approx(60**2 / float(before["spiky.weight"].square().sum()), rel=0.1)
    share = float((before["mean.weight"] - after["mean.weight"]).square().sum() / before["mean.weight"].square().sum())
    assert rows["mean"].removed_share == pytest.approx(share, rel=1e-9)
    again = zoo.detrap(tmp_path / "out.safetensors", tmp_path / "again.safetensors", remove="mean")
    assert sum(row.n_means for row in again.changes) == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_no_trap_is_left_under_the_permutation_that_was_used(tmp_path, dtype):
    """Beside an entry of 400 one of 25 is within the edge of the variance; without it, beyond."""
    weight = torch.randn(120, 60, generator=torch.Generator().manual_seed(1))
    weight[3, 4], weight[50, 20] = 400.0, 25.0
    save_file({"fc.weight": weight.to(dtype)}, tmp_path / "m.safetensors")
    (row,) = zoo.detrap(tmp_path / "m.safetensors", tmp_path / "out.safetensors", seed=5).changes
    assert row.n_components == 2
    left = load_file(tmp_path / "out.safetensors")["fc.weight"].double()[None]
    rng = np.random.default_rng((5, crc32(b"fc.weight"), 0))
    variance = left.var((1, 2), unbiased=False).numpy()
    # Two of 60 directions are empty: the variance of the others is larger by so much.
    assert count_traps(permuted_spectra(left, 1, rng)[0], variance * 60 / 58, 120).n_traps == 0


def test_one_kind_of_trap_alone(trapped, tmp_path):
    means = zoo.detrap(trapped, tmp_path / "m.safetensors", remove="mean").to_pandas()
    assert (means["n_means"].sum(), means["n_components"].sum()) == (2, 0)
    components = zoo.detrap(trapped, tmp_path / "c.safetensors", remove="components").to_pandas()
    assert components["n_means"].sum() == 0
    # A mean makes a component too; a permutation has it in every order of the entries.
    assert set(components.query("n_components > 0")["layer"]) == {"conv", "mean", "spiky"}


def test_a_seed_makes_the_same_file(trapped, tmp_path):
    files = [tmp_path / f"{name}.safetensors" for name in "abc"]
    for file, seed in zip(files, (1, 1, 2), strict=True):
        zoo.detrap(trapped, file, seed=seed)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[0].read_bytes() != files[2].read_bytes()


def test_constant_matrices_are_all_mean(tmp_path):
    save_file({"a.weight": torch.full((9, 7), 2.0), "b.weight": torch.zeros(9, 7)}, tmp_path / "m.safetensors")
    one, other = zoo.detrap(tmp_path / "m.safetensors", tmp_path / "out.safetensors").changes
    assert (one.n_means, one.n_components, one.removed_share, one.trap_theta) == (1, 0, 1.0, None)
    assert (other.n_means, other.n_components, other.removed_share, other.trap_theta) == (0, 0, 0.0, 0.0)
    assert not load_file(tmp_path / "out.safetensors")["a.weight"].any()


def test_what_cannot_be_asked_for(double, tmp_path):
    out = tmp_path / "out.safetensors"
    with pytest.raises(OptionError, match="unknown truncation 'tial'; nearest: tail"):
        zoo.truncate(double, out, to="tial")
    with pytest.raises(OptionError, match="unknown removal 'means'; nearest: mean"):
        zoo.detrap(double, out, remove="means")
    with pytest.raises(OptionError, match="tracy_widom_level must be between 0 and 1"):
        zoo.detrap(double, out, tracy_widom_level=1.0)
    with pytest.raises(OptionError, match="seed must be at least 0"):
        zoo.detrap(double, out, seed=-1)
    with pytest.raises(OptionError, match="need a device of auto, cpu, cuda"):
        zoo.truncate(double, out, device="tpu")
    with pytest.raises(DestinationError, match="it is the file that is read"):
        zoo.truncate(double, double, force=True)
    with pytest.raises(CatalogError, match="no file or folder 'restnet20' here"):
        zoo.truncate("restnet20", out)
    with pytest.raises(TypeError, match="need a torch module"):
        zoo.truncate(np.zeros(3), out)
    with pytest.raises(CheckpointError, match="lora is an adapter: its factors are no weights"):
        save_file(
            {"q.lora_A.weight": torch.ones(2, 9), "q.lora_B.weight": torch.ones(9, 2)}, tmp_path / "lora.safetensors"
        )
        zoo.truncate(tmp_path / "lora.safetensors", out)
    assert not out.exists()


def test_a_model_of_one_linear_layer(tmp_path):
    torch.manual_seed(0)
    (row,) = zoo.truncate(nn.Linear(70, 60), tmp_path / "cut.safetensors", min_evals=61).changes
    assert row.reason == "too_few_eigenvalues"


def test_the_log_says_how_the_spectra_of_a_module_were_made(tmp_path, monkeypatch):
    model = seeded(convolutions)
    for options in ({}, {"precision": "float32"}, {"precision": "float32", "min_evals": 11}):
        zoo.analyze(model, results=tmp_path / "r", **options)
    exact, narrow, again = attempts(tmp_path / "r")
    assert (exact["precision"], exact["float32_deviation"], exact["remarks"]) == ("float64", None, None)
    assert (narrow["precision"], narrow["remarks"]) == ("float32", None)
    assert 0 < narrow["float32_deviation"] < 1e-5
    assert (again["precision"], again["reused_spectra"]) == (None, True)

    def coarse(matrices, *, device):
        """As products in bfloat16 leave it."""
        return decompose_float32(matrices.bfloat16(), device=device)

    monkeypatch.setattr(decomposer, "decompose_float32", coarse)
    a = zoo.analyze(model, precision="float32", results=tmp_path / "coarse")
    (row,) = attempts(tmp_path / "coarse")
    assert row["precision"] == "float64"
    assert row["float32_deviation"] > narrow["float32_deviation"]
    assert row["remarks"].startswith("float32 was off by ")
    assert a.remarks == (row["remarks"],)

"""Results under WeightWatcher's names: its own numbers on real models, and brute force on seeded ones."""

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from analysis.errors import AnalysisError
from analysis.opening.export import weightwatcher_details, write_details
from analysis.opening.results import open_results
from catalogs.paths import catalog_of_paths
from pipeline.drive import RunRequest, drive
from pipeline.execution.serial import run_serially
from pipeline.options import MetricOptions, Options, SpectrumOptions, preset
from pipeline.refit import RefitRequest, refit
from pipeline.store.folder import ResultsFolder
from tests.cli.test_commands import setol
from tests.conftest import Silent, run_here

REFERENCE = Path(__file__).parents[1] / "reference"

# Where WeightWatcher is wrong, or does otherwise, and the export does not follow it:
NOT_ITS = {
    "entropy",  # it adds 1e-10 to every share, after which they do not sum to 1
    "sv_min",  # of a kernel it gives the largest of the taps' smallest singular values
}
TEXTS = {"tensor", "layer_type", "status", "warning"}


def check_against(reference: str, details: pa.Table) -> int:
    """Hold every shared column against a CSV of WeightWatcher's; how many rows both have."""
    ours = {(row["name"], row.get("slice_id") or 0): row for row in details.to_pylist()}
    with (REFERENCE / f"{reference}.csv").open() as file:
        rows = list(csv.DictReader(file))
    theirs = {(row["tensor"].removesuffix(".weight"), int(row.pop("slice_id", 0))): row for row in rows}
    both = ours.keys() & theirs.keys()
    for place in both:
        row, its = ours[place], theirs[place]
        assert (row["status"], row["warning"]) == (its["status"], its["warning"])
        shared = [name for name in its if name not in TEXTS | NOT_ITS]
        assert len(shared) >= 25
        everything = row["detX_num"] == row["num_evals"]
        for name in shared:
            if everything and name.startswith("detX_val"):
                continue  # its loop ends before the smallest eigenvalue: it counts it, and gives the next larger one
            assert row[name] == pytest.approx(float(its[name]), rel=1e-8, abs=1e-12), (place, name)
        assert row["entropy"] == pytest.approx(float(its["entropy"]), abs=3e-7)
        assert row["sv_min"] <= float(its["sv_min"]) + 1e-6
        if row["rf"] == 1 and float(its["sv_min"]) > 1e-3 * float(its["sv_max"]):
            # Below that, the square of the condition number, in the Gram matrix, costs more than eight digits.
            assert row["sv_min"] == pytest.approx(float(its["sv_min"]), rel=1e-8)
    return len(both)


@pytest.mark.weights
@pytest.mark.parametrize(
    ("name", "count"), [("resnet20", 20), ("resnet56", 56), ("efficientnet_lite0", 34), ("all-MiniLM-L6-v2", 39)]
)
def test_numbers_are_weightwatchers(demo_results, name, count):
    config = Options(metrics=preset("weightwatcher")).config
    assert check_against(name, weightwatcher_details(open_results([demo_results], config), name)) == count


@pytest.fixture(scope="module")
def slices(demo_results, tmp_path_factory) -> tuple[Path, str]:
    """The demo with every tap a matrix of its own, in a folder apart: other tests count configurations."""
    folder = shutil.copytree(demo_results, tmp_path_factory.mktemp("slices") / "r")
    summary = refit(RefitRequest(ResultsFolder(folder), preset("natcomm2021")), run_serially, Silent())
    assert not summary.failures
    return folder, summary.config


@pytest.mark.weights
@pytest.mark.parametrize(("name", "count"), [("resnet20", 45), ("resnet56", 153), ("efficientnet_lite0", 23)])
def test_slices_are_weightwatchers_too(slices, name, count):
    """Each tap a matrix of its own, factor k^2 / 2 on the eigenvalues: what `pool=False` gives."""
    folder, config = slices
    details = weightwatcher_details(open_results([folder], config), name)
    fitted = details.filter(pa.array([status == "success" for status in details["status"].to_pylist()]))
    assert check_against(f"{name}_slices", fitted) == len(fitted) == count


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(8)
    tensors = {
        "a_embedding.weight": torch.randn(90, 60, generator=generator),
        "b_conv.weight": torch.randn(30, 20, 3, 3, generator=generator),
        "b_conv.bias": torch.zeros(30),
        "c_norm.weight": torch.ones(30),
        "d_fc.weight": torch.randn(70, 100, generator=generator),
        "e_small.weight": torch.randn(4, 30, generator=generator),
    }
    tensors["d_fc.weight"][:5] = tensors["d_fc.weight"][5:10]  # rank 65
    return tensors


@pytest.fixture(scope="module")
def file(weights, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model") / "own.safetensors"
    save_file(weights, path)
    return path


@pytest.fixture(scope="module")
def folder(file, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    run_here(catalog_of_paths([str(file)]), folder, preset("weightwatcher"))
    return folder


def details_of(file: Path, folder: Path, options: Options) -> dict[str, dict]:
    request = RunRequest(catalog_of_paths([str(file)]), ResultsFolder(folder), folder, options, device="cpu")
    drive(request, run_serially, Silent())
    return {row["name"]: row for row in weightwatcher_details(open_results([folder], options.config)).to_pylist()}


def test_rows_and_numbers_by_brute_force(weights, folder):
    rows = weightwatcher_details(open_results([folder])).to_pylist()
    assert [row["name"] for row in rows] == ["a_embedding", "b_conv", "d_fc", "e_small"]
    assert [row["layer_id"] for row in rows] == [1, 2, 4, 5]  # c_norm.weight is the third, without a matrix
    assert [row["layer_type"] for row in rows] == ["embedding", "conv2d", "dense", "dense"]
    assert [row["rf"] for row in rows] == [1, 9, 1, 1]
    assert [row["status"] for row in rows] == ["success", "success", "success", "failed"]
    for row in rows:
        matrices = weights[f"{row['name']}.weight"].double()
        taps = matrices.reshape(*matrices.shape[:2], -1).permute(2, 0, 1)
        singular = torch.linalg.svdvals(taps).numpy() * (0.5**0.5 if matrices.ndim == 4 else 1)
        evals = singular**2
        assert (row["N"], row["M"]) == (max(taps.shape[1:]), min(taps.shape[1:]))
        assert row["Q"] == row["N"] / row["M"]
        assert row["num_evals"] == evals.size
        expected = {"norm": evals.sum(), "lambda_max": evals.max(), "spectral_norm": evals.max()}
        expected |= {"sv_max": singular.max(), "stable_rank": evals.sum() / evals.max()}
        expected |= {"log_norm": np.log10(evals.sum()), "log_spectral_norm": np.log10(evals.max())}
        for name, value in expected.items():
            assert row[name] == pytest.approx(value, rel=1e-10), name
        assert row["sv_min"] == pytest.approx(singular.min() if row["name"] != "d_fc" else 0, rel=1e-6, abs=1e-6)
        lost = 5 if row["name"] == "d_fc" else 0
        assert (row["rank_loss"], row["weak_rank_loss"]) == (lost, lost)
        edge = np.sort(evals, axis=None)[-row["detX_num"]]
        assert row["detX_val"] == pytest.approx(edge, rel=1e-10)
        assert row["detX_val_unrescaled"] == pytest.approx(edge / evals.mean(), rel=1e-10)
        assert row["ERG_gap"] is None or row["ERG_gap"] == row["detX_num"] - row["num_pl_spikes"]
        assert row["has_esd"] is True


def test_a_failed_fit_has_no_number(folder):
    (row,) = (row for row in weightwatcher_details(open_results([folder])).to_pylist() if row["name"] == "e_small")
    assert row["warning"] == ""
    for name in ("alpha", "alpha_weighted", "D", "sigma", "xmin", "xmax", "num_pl_spikes", "log_alpha_norm"):
        assert row[name] is None, name


def test_columns_of_options_are_there_where_there_are_values(file, folder, tmp_path):
    plain = set(weightwatcher_details(open_results([folder])).column_names)
    noise = {"num_traps", "max_rand_eval", "ww_softrank", "ww_maxdist", "rand_distance"}
    bulk = {"sigma_mp", "bulk_max", "mp_softrank", "num_spikes"}
    assert not plain & (noise | bulk | {"slice_id", "num_fingers"})
    full = Options(SpectrumOptions(permutations=2), MetricOptions(fingers="clip"))
    rows = details_of(file, tmp_path, full)
    assert set(rows["d_fc"]) == plain | noise | bulk | {"num_fingers", "raw_alpha"}
    row = rows["d_fc"]
    assert row["ww_maxdist"] == pytest.approx(row["lambda_max"] - row["max_rand_eval"], rel=1e-12)
    assert row["ww_softrank"] == pytest.approx(row["max_rand_eval"] / row["lambda_max"], rel=1e-12)
    assert row["bulk_max"] / row["lambda_max"] == pytest.approx(row["mp_softrank"], rel=1e-12)


@pytest.mark.parametrize("fingers", ["clip", "clip_weightwatcher"])
def test_xmax_is_the_largest_eigenvalue_that_was_fitted(tmp_path, fingers):
    # Seed 6 has both: five eigenvalues to clip by the one rule, and by the other as many, of which it counts four.
    evals = np.sort(np.random.default_rng([1, 6]).exponential(size=120))
    generator = torch.Generator().manual_seed(1)
    random = torch.randn(2, 120, 120, dtype=torch.float64, generator=generator)
    left, right = torch.linalg.qr(random).Q
    save_file({"fc.weight": left @ torch.diag(torch.tensor(evals).sqrt()) @ right}, tmp_path / "f.safetensors")
    row = details_of(tmp_path / "f.safetensors", tmp_path / "r", Options(metrics=MetricOptions(fingers=fingers)))["fc"]
    assert row["num_fingers"] == {"clip": 5, "clip_weightwatcher": 4}[fingers]
    dropped = 5
    assert row["xmax"] == pytest.approx(evals[-1 - dropped], rel=1e-9)
    tail = evals[: len(evals) - dropped]
    tail = tail[tail >= row["xmin"] * (1 - 1e-9)]
    assert len(tail) == row["num_pl_spikes"]
    assert row["alpha"] == pytest.approx(1 + len(tail) / np.log(tail / tail[0]).sum(), rel=1e-6)


def test_a_tap_is_a_row_where_the_configuration_takes_them_apart(file, weights, tmp_path):
    metrics = preset("natcomm2021", min_evals=15)
    run_here(catalog_of_paths([str(file)]), tmp_path, metrics)
    rows = weightwatcher_details(open_results([tmp_path])).to_pylist()
    taps = [row for row in rows if row["name"] == "b_conv"]
    assert [row["slice_id"] for row in taps] == list(range(9))
    assert {row["layer_id"] for row in taps} == {2}
    assert {row["rf"] for row in taps} == {9}
    kernel = weights["b_conv.weight"].double()
    for row in taps:
        singular = torch.linalg.svdvals(kernel[:, :, row["slice_id"] // 3, row["slice_id"] % 3]) * 4.5**0.5
        assert row["norm"] == pytest.approx(float(singular.square().sum()), rel=1e-10)
        assert row["sv_min"] == pytest.approx(float(singular.min()), rel=1e-7)
        assert row["rank_loss"] == 0


def test_files_of_a_model_are_numbered_on(weights, tmp_path):
    """Shards: what WeightWatcher sees is the state dict of all of them."""
    model = tmp_path / "model"
    model.mkdir()
    # The names of the files are not in the order of what they hold, their index is.
    names = {"z.safetensors": ["a_embedding.weight", "c_norm.weight"], "y.safetensors": ["d_fc.weight"]}
    for file, tensors in names.items():
        save_file({name: weights[name] for name in tensors}, model / file)
    where = {name: file for file, tensors in names.items() for name in tensors}
    (model / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    run_here(catalog_of_paths([str(model)]), tmp_path / "r", preset("weightwatcher"))
    opened = open_results([tmp_path / "r"])
    rows = weightwatcher_details(opened).to_pylist()
    order = [row["file"] for row in opened.rows("SELECT file FROM stored.catalog ORDER BY rowid")]
    expected = (
        [("a_embedding", 1), ("d_fc", 3)] if order[0].endswith("z.safetensors") else [("d_fc", 1), ("a_embedding", 2)]
    )
    assert [(row["name"], row["layer_id"]) for row in rows] == expected


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_files_keep_every_digit(folder, tmp_path, suffix):
    details = weightwatcher_details(open_results([folder]), "own")
    path = tmp_path / "new" / f"details{suffix}"
    write_details(details, path)
    table = pq.read_table(path) if suffix == ".parquet" else pacsv.read_csv(path)
    assert table.column_names == details.column_names
    for name in details.column_names:
        assert table[name].to_pylist() == details[name].to_pylist(), name
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_pandas_reads_it_as_it_reads_the_original(folder, tmp_path):
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    write_details(weightwatcher_details(open_results([folder])), tmp_path / "details.csv")
    frame = pandas.read_csv(io.StringIO((tmp_path / "details.csv").read_text()))
    assert frame.alpha.mean() == pytest.approx(frame.alpha[frame.status == "success"].mean())
    assert frame.has_esd.dtype == bool
    assert frame.alpha.isna().sum() == 1


def test_what_cannot_be_exported(folder, tmp_path):
    opened = open_results([folder])
    with pytest.raises(AnalysisError, match="unknown model 'owm'; nearest: own"):
        weightwatcher_details(opened, "owm")
    with pytest.raises(AnalysisError, match=r"need a name that ends in \.csv or \.parquet, got details\.xlsx"):
        write_details(weightwatcher_details(opened), tmp_path / "details.xlsx")
    (tmp_path / "file").write_text("")
    with pytest.raises(AnalysisError, match=r"cannot write the export to .*: .*Choose another file with --out"):
        write_details(weightwatcher_details(opened), tmp_path / "file" / "details.csv")


def test_the_command(file, folder, tmp_path):
    out = setol("export", "--results", folder, "--out", tmp_path / "d.csv")
    assert out.exit_code == 0, out.output
    assert out.stdout.splitlines() == [
        f"export: {tmp_path / 'd.csv'}, 4 rows of 1 model",
        f"next: setol report --results {folder}",
    ]
    told = json.loads(setol("export", "--results", folder, "--model", "own", "--json").stdout)
    assert (told["rows"], told["models"], told["export"]) == (4, 1, str(folder / "weightwatcher.csv"))
    assert (folder / "weightwatcher.csv").read_bytes() == (tmp_path / "d.csv").read_bytes()
    wrong = setol("export", "--results", folder, "--model", "owm")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "unknown model 'owm'; nearest: own" in wrong.stderr


def test_a_configuration_with_other_conventions_is_told(file, tmp_path):
    run_here(catalog_of_paths([str(file)]), tmp_path / "r")
    out = setol("export", "--results", tmp_path / "r")
    *_, told, last = out.stdout.splitlines()
    assert told.endswith("has conventions of its own; the next command makes weightwatcher's")
    assert last == f"next: setol refit --preset weightwatcher --results {tmp_path / 'r'}"

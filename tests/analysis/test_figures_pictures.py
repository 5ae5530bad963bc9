"""Pictures of one model: files, names, what is on them, and the curve of D."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from analysis import AnalysisError, open_results
from analysis.drawing.pictures import depth_picture, layer_picture, safe_name, write_pictures
from analysis.drawing.scan_curve import MOST, scan_curve
from analysis.opening.results import Results
from analysis.order import BY_NAME, BY_STATE_DICT, layer_order
from catalogs.paths import catalog_of_paths
from setol import SmallSample, fit_power_law
from tests.conftest import run_here

PNG = b"\x89PNG\r\n"


def pareto(n: int, alpha: float, seed: int = 0) -> np.ndarray:
    """Eigenvalues of a pure power law from 1 up."""
    return np.sort(np.random.default_rng(seed).pareto(alpha - 1, n) + 1)


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Results:
    folder = tmp_path_factory.mktemp("pictures")
    generator = torch.Generator().manual_seed(0)
    tensors = {
        "a/b: c.weight": torch.randn(90, 60, generator=generator),
        "fc2.weight": torch.randn(120, 110, generator=generator),
        "conv.weight": torch.randn(24, 16, 3, 3, generator=generator),
        "small.weight": torch.randn(9, 9, generator=generator),
    }
    save_file(tensors, folder / "toy.safetensors")
    run_here(catalog_of_paths([str(folder / "toy.safetensors")]), folder / "r")
    return open_results(folder / "r")


def only_model(results: Results) -> str:
    return str(results.rows("SELECT model FROM models")[0]["model"])


@pytest.mark.parametrize(("form", "begins"), [("png", PNG), ("svg", b"<?xml")])
def test_a_file_a_fitted_layer_and_one_a_model(results, tmp_path, form, begins):
    files = write_pictures(results, only_model(results), tmp_path, form=form)
    names = [path.relative_to(tmp_path).as_posix() for path in files]
    assert names[0] == f"toy/alpha_by_depth.{form}"
    assert sorted(names[1:]) == [
        f"toy/layer_1_a_b_c.{form}",
        f"toy/layer_2_conv.{form}",
        f"toy/layer_3_fc2.{form}",
    ]  # `small` has no fit; numbers are places in the model
    assert sorted(tmp_path.rglob("*.*")) == sorted(files)  # nothing temporary is left
    assert all(path.read_bytes().startswith(begins) for path in files)


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (1, ["a/b: c"]),
        (2, ["a/b: c", "conv"]),
        (3, ["a/b: c", "conv", "fc2"]),
        (None, ["a/b: c", "conv", "fc2"]),  # the fourth has no fit
    ],
)
def test_the_first_layers_are_drawn(results, tmp_path, first, expected):
    drawn: list[str] = []
    files = write_pictures(results, only_model(results), tmp_path, first=first, progress=drawn.append)
    assert drawn == expected
    assert len(files) == 1 + len(expected)


def test_svgs_are_the_same_again_and_hold_the_numbers(results, tmp_path):
    first = write_pictures(results, only_model(results), tmp_path / "1", form="svg", first=2)
    again = write_pictures(results, only_model(results), tmp_path / "2", form="svg", first=2)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    (row,) = results.rows("SELECT alpha, alpha_sigma, d_ks, d_ww FROM layers WHERE layer = 'conv'")
    text = first[2].read_text()
    told = f"alpha {row['alpha']:.2f} ± {row['alpha_sigma']:.2f}, D {row['d_ks']:.4f}, d_ww {row['d_ww']:.4f}"
    assert told in text
    assert "16 × 9 taps" in text
    assert not re.findall(r"<image|href=\"http", text)


def test_a_folder_that_cannot_be_written(results, tmp_path):
    (tmp_path / "in_the_way").write_text("")
    with pytest.raises(AnalysisError, match=r"cannot write the picture .*Name another folder"):
        write_pictures(results, only_model(results), tmp_path / "in_the_way")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("encoder.layer.0", "encoder.layer.0"),
        ("a/b\\c:d*e", "a_b_c_d_e"),
        ("../../etc", "_.._etc"),
        ("é ü", "_"),
        ("", "unnamed"),
        ("..", "unnamed"),
        ("con", "_con"),
        ("NUL.x", "_NUL.x"),
        ("x" * 300, "x" * 100),
    ],
)
def test_names_are_safe(text, expected):
    assert safe_name(text) == expected


@pytest.mark.parametrize("n", [60, 700])
def test_the_curve_has_the_minimum_of_the_fit(n):
    evals = np.concatenate([np.linspace(0.01, 1, n), pareto(n, 2.5)])
    fit = fit_power_law(np.sort(evals))
    curve = scan_curve(np.sort(evals))
    assert curve.n_candidates == 2 * n - 1 == len(curve.distance)  # all but the largest
    assert curve.lambda_min[curve.chosen] == fit.lambda_min
    assert curve.distance[curve.chosen] == fit.d_ww
    assert curve.alpha[curve.chosen] == fit.alpha
    assert curve.rivals[curve.chosen]
    assert curve.distance[curve.rivals].max() <= 1.1 * fit.d_ww < curve.distance[~curve.rivals].min()


def test_the_curve_of_a_short_spectrum_follows_its_rule():
    evals = pareto(15, 3.0, seed=4)
    fit = fit_power_law(evals, small_sample=SmallSample())
    curve = scan_curve(evals, small_sample=True)
    assert len(curve.distance) == 15 - 8 + 1
    assert (curve.alpha[curve.chosen], curve.distance[curve.chosen]) == (fit.alpha, fit.d_ww)


def test_many_candidates_are_thinned_out_but_not_the_chosen():
    evals = pareto(3 * MOST, 2.2)
    fit = fit_power_law(evals)
    curve = scan_curve(evals, keep=fit.lambda_min)
    assert MOST <= len(curve.distance) <= MOST + 1
    assert curve.n_candidates == 3 * MOST - 1
    assert curve.lambda_min[curve.chosen] == fit.lambda_min


def test_the_picture_shows_fit_and_edges_in_each_part(results):
    (row,) = results.rows("SELECT *, 'toy' AS name FROM (SELECT * EXCLUDE name FROM layers WHERE layer = 'fc2')")
    evals = results.spectrum("toy", "fc2")
    figure = layer_picture(evals, row, {"least_eigenvalue": 0.0, "small_sample": False})
    log_log, log_linear, scan = figure.axes
    assert [axes.get_xscale() for axes in figure.axes] == ["log"] * 3
    assert [axes.get_yscale() for axes in figure.axes] == ["log", "linear", "linear"]
    edges = sorted([row["lambda_min"], row["erg_lambda_min"] * evals.mean()])
    for axes in figure.axes:
        upright = {line.get_xdata()[0] for line in axes.get_lines() if len(line.get_xdata()) == 2}
        assert sorted(upright) == pytest.approx(edges)
    # The fitted line has the slope -alpha, and encloses the tail's share of the eigenvalues.
    (line,) = [line for line in log_log.get_lines() if len(line.get_xdata()) == 100]
    x, y = line.get_xdata(), line.get_ydata()
    assert np.diff(np.log(y)) / np.diff(np.log(x)) == pytest.approx(-row["alpha"])
    whole = row["n_tail"] / len(evals)
    assert np.trapezoid(y, x) == pytest.approx(whole * (1 - (x[-1] / x[0]) ** (1 - row["alpha"])), rel=1e-2)
    # Bars of the middle panel sum to the share of the eigenvalues that are shown.
    bars = log_linear.patches[0].get_data()
    shown = (evals >= min(edges) / 30).mean()
    assert 0.9 < shown < 1  # some lie far below both edges
    assert (bars.values * np.diff(np.log10(bars.edges))).sum() == pytest.approx(shown)
    assert scan.get_ylabel() == "d_ww"
    labels = scan.get_legend_handles_labels()[1]
    assert "smallest d_ww" in labels
    assert not any(re.search(r"\bD\b", label) for label in labels)  # D is d_ks, as in the printed table
    star = next(line for line in scan.get_lines() if line.get_marker() == "*")
    assert (star.get_xdata()[0], star.get_ydata()[0]) == (row["lambda_min"], row["d_ww"])


def layer(place: int, alpha: float, kind: str = "linear") -> dict:
    return {
        **{"name": "m", "layer": f"l{place}", "part": None, "kind": kind},
        **{"alpha": alpha, "alpha_sigma": 0.2},
    }


def test_alpha_by_depth_names_what_lies_outside():
    alphas = [3.0, 1.5, 3.2, 7.0, 4.0]
    figure = depth_picture(
        [layer(i, alpha, "conv2d" if i == 4 else "linear") for i, alpha in enumerate(alphas)], BY_NAME
    )
    (axes,) = figure.axes
    assert {text.get_text() for text in axes.texts} == {"l1", "l3"}
    assert sorted(text.get_text() for text in figure.legends[0].texts) == [
        "2 to 6, HTSR's range",
        "conv2d (1)",
        "linear (4)",
        "median 3.20",
    ]


def test_tables_are_drawn_but_not_counted():
    figure = depth_picture([layer(0, 1.5, "table"), layer(1, 3.0), layer(2, 4.0)], BY_NAME)
    told = {text.get_text() for text in figure.legends[0].texts}
    assert {"median 3.50", "table (1, not in the median)"} <= told


def test_alphas_far_out_are_marked_on_the_edge_and_named():
    far = {7: 50.0, 20: 30.0, 60: 40.0, 61: 20.0}
    (axes,) = depth_picture([layer(i, far.get(i, 3.0)) for i in range(200)], BY_STATE_DICT).axes
    assert axes.get_title(loc="right") == "▲ 4 above the frame, up to 50.0"
    top = axes.get_ylim()[1]
    assert top < 10
    (marks,) = [line for line in axes.get_lines() if line.get_marker() == "^"]
    assert marks.get_xydata().tolist() == [[place + 1, top] for place in far]
    assert not marks.get_clip_on()
    assert {text.get_text() for text in axes.texts} == {"l7 50.0", "l60 40.0", "l20 30.0"}
    assert axes.get_xlabel() == "fitted matrix, in the order of the state dict"


@pytest.mark.parametrize(
    ("files", "order"),
    [
        (["m.safetensors"], BY_NAME),
        (["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"], BY_NAME),
        (["m.pt"], BY_STATE_DICT),
        (["Sequential"], BY_STATE_DICT),
    ],
)
def test_the_order_is_only_claimed_where_it_is_known(files, order):
    assert layer_order(files) == order


def test_a_model_without_a_fit_has_no_picture(tmp_path):
    save_file({"w.weight": torch.eye(5)}, tmp_path / "m.safetensors")
    run_here(catalog_of_paths([str(tmp_path / "m.safetensors")]), tmp_path / "r")
    opened = open_results(tmp_path / "r")
    assert write_pictures(opened, only_model(opened), tmp_path / "p") == ()
    assert not Path(tmp_path / "p").exists()

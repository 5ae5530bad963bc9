"""The figures that explain the theory: what is drawn is what the functions of the theory say."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from threadpoolctl import threadpool_limits

from analysis import AnalysisError, open_results
from analysis.drawing.noise_figure import NoiseComparison, draw_noise
from analysis.drawing.pictures import layer_picture, write_pictures
from analysis.drawing.stored_layer import stored_layer
from analysis.drawing.style import house_style, new_figure
from analysis.opening.results import Results
from analysis.reporting.report import report_html
from analysis.theory.ensembles import synthetic_layers
from analysis.theory.noise import ASPECT_RATIOS, EDGE_SHAPE, edge_deviations, marchenko_pastur_figure
from analysis.theory.phases import draw_phase
from analysis.theory.signals import TRAP_SHAPE, mean_trap_figure, simulate_signals, transition_figure
from analysis.theory.transforms import g_figure, model_panels, r_figure
from analysis.theory.write import FIGURES, write_theory_figures
from catalogs.paths import catalog_of_paths
from catalogs.places import cache_directory
from pipeline.drive import RunRequest, drive
from pipeline.execution.serial import run_serially
from pipeline.options import MetricOptions, Options, SpectrumOptions
from pipeline.store.folder import ResultsFolder
from setol.random_matrix.bbp import detection_threshold, outlier_position
from setol.random_matrix.edge import noise_edge
from setol.random_matrix.marchenko_pastur import MarchenkoPastur
from setol.random_matrix.phases import Phase
from setol.random_matrix.tracy_widom import tracy_widom_cdf
from setol_zoo.cli import main
from tests.conftest import Silent

LAYER_AXES = 4


@pytest.fixture(autouse=True)
def one_thread():
    """Small matrices: more threads would wait for each other."""
    with threadpool_limits(1):
        yield


def run_with(options: Options, weights: Path) -> Results:
    """Results of one weight file, in a folder beside it."""
    catalog, folder = catalog_of_paths([str(weights)]), ResultsFolder(weights.parent / "r")
    drive(RunRequest(catalog, folder, cache_directory(), options, device="cpu"), run_serially, Silent())
    return open_results(weights.parent / "r")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A layer with a large mean, which is a trap; a kernel of one; one with signals; each permuted three times."""
    folder = tmp_path_factory.mktemp("noise")
    generator = torch.Generator().manual_seed(1)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    tensors = {
        "mean.weight": normal(120, 80) + 0.4,
        "conv.weight": normal(24, 16, 3, 3) + 1.0,
        "signal.weight": normal(120, 80) + 3 * normal(120, 1) @ normal(1, 80) / 80**0.5,
    }
    save_file(tensors, folder / "toy.safetensors")
    return run_with(Options(SpectrumOptions(permutations=3)), folder / "toy.safetensors")


def row_of(results: Results, layer: str) -> dict:
    (row,) = results.rows(f"SELECT * FROM layers WHERE layer = '{layer}'")
    return row


def drawn(noise: NoiseComparison):
    with house_style():
        axes = new_figure(5, 4).subplots()
        draw_noise(axes, noise)
    return axes


def line(axes, label: str):
    (found,) = [each for each in axes.get_lines() if each.get_label().startswith(label)]
    return found


@pytest.mark.parametrize("layer", ["mean", "conv", "signal"])
def test_edges_spikes_and_traps_are_those_of_the_columns(results, layer):
    row = row_of(results, layer)
    noise = stored_layer(results, row).noise
    axes = drawn(noise)
    bulk = line(axes, "Marchenko-Pastur bulk")
    assert bulk.get_xdata()[-1] == pytest.approx(row["mp_lambda_plus"])
    assert noise.law.variance * row["n_rows"] == pytest.approx(
        row["mp_sigma"] ** 2 * noise.spectrum.evals.mean(), rel=1e-12
    )
    edge = line(axes, "edge of the bulk").get_xdata()[0]
    assert edge == noise.spikes.threshold > row["mp_lambda_plus"]
    spikes = line(axes, "spikes").get_xdata()
    assert len(spikes) == row["n_spikes"] > 0
    assert spikes.min() > edge
    assert np.count_nonzero(noise.spectrum.evals > edge) == row["n_spikes"]
    traps = noise.traps
    assert len(traps) == round(3 * row["n_traps"])
    marked = [each for each in axes.get_lines() if each.get_label().startswith("traps")]
    if layer == "signal":
        assert not marked
    else:
        assert marked[0].get_xdata().tolist() == traps.tolist()
        assert len(traps) == 3 * row["n_slices"]  # the mean of every slice, in every permutation


def test_the_bulk_has_the_mass_of_what_is_no_spike(results):
    noise = stored_layer(results, row_of(results, "mean")).noise
    at = noise.law.quantile(np.linspace(0, 1, 2000)) * 120
    whole = 1 - noise.spikes.n_spikes / len(noise.spectrum.evals)
    assert np.trapezoid(noise.density(at), at) == pytest.approx(whole, rel=1e-3)


def test_the_caption_tells_phase_spikes_and_traps(results):
    row = row_of(results, "mean")
    noise = stored_layer(results, row).noise
    assert noise.caption == (
        f"phase {row['phase']}: {row['phase_decided_by']}\n"
        f"n_spikes {row['n_spikes']} of 80, n_traps 1 (mean of 3 permutations)"
    )
    alone = NoiseComparison.of_row(noise.spectrum.evals, row | {"phase": None, "phase_decided_by": None})
    assert alone.caption == f"no phase\nn_spikes {row['n_spikes']} of 80"


def test_the_outline_is_that_of_the_permuted_spectra(results):
    noise = stored_layer(results, row_of(results, "conv")).noise
    assert noise.permuted.evals.shape == (3, 9, 16)
    axes = drawn(noise)
    (outline,) = [patch for patch in axes.patches if patch.get_label() == "entries permuted"]
    heights, edges, _ = outline.get_data()
    inside = np.mean(noise.permuted.evals.ravel() >= edges[0])
    assert (heights * np.diff(np.log10(edges))).sum() == pytest.approx(inside)


def test_a_layer_has_a_fourth_panel_where_it_has_a_bulk(results):
    row = {"name": "toy", **{k: v for k, v in row_of(results, "mean").items() if k != "name"}}
    stored = stored_layer(results, row)
    metrics = results.configuration.options["metrics"]
    assert len(layer_picture(stored.evals, row, metrics, stored.noise).axes) == LAYER_AXES
    bare = NoiseComparison.of_row(stored.evals, row | {"mp_lambda_plus": None})
    assert bare is None
    assert len(layer_picture(stored.evals, row, metrics, bare).axes) == LAYER_AXES - 1


def test_spectra_are_those_of_the_row(results):
    for layer in ("mean", "conv"):
        stored = stored_layer(results, row_of(results, layer))
        assert stored.evals.tolist() == results.spectrum("toy", layer).tolist()


def test_slices_are_drawn_one_by_one(tmp_path):
    generator = torch.Generator().manual_seed(0)
    save_file({"conv.weight": torch.randn(70, 60, 2, 1, generator=generator)}, tmp_path / "k.safetensors")
    options = Options(SpectrumOptions(permutations=1), MetricOptions(kernels="slices"))
    opened = run_with(options, tmp_path / "k.safetensors")
    rows = opened.rows("FROM layers ORDER BY tap")
    assert [row["tap"] for row in rows] == [0, 1]
    for row in rows:
        stored = stored_layer(opened, row)
        assert stored.evals[-1] == pytest.approx(row["lambda_max"], rel=1e-12)
        assert stored.noise.spikes.n_spikes == row["n_spikes"]
        assert stored.noise.permuted.evals.shape == (1, 1, 60)
    files = write_pictures(opened, rows[0]["model"], tmp_path / "p", form="svg")
    told = [re.findall(r"alpha \d\.\d\d ±", path.read_text())[0] for path in files[1:]]
    assert told == [f"alpha {row['alpha']:.2f} ±" for row in rows]


def test_the_report_shows_noise_beside_its_example(results):
    text = report_html(results)
    assert "Marchenko-Pastur bulk" in text
    assert "edge of the bulk (Tracy-Widom, 99 %)" in text
    assert "beside noise of its bulk's variance" in text


def test_the_gallery_has_every_phase():
    layers = synthetic_layers()
    assert [layer.verdict.phase for layer in layers] == list(Phase)
    for layer in layers:
        with house_style():
            axes = new_figure(5, 4).subplots()
            draw_phase(axes, layer)
        spikes = layer.verdict.evidence.spikes
        assert line(axes, "its edge").get_xdata()[0] == pytest.approx(spikes.threshold / layer.spectrum.n_rows)
        assert line(axes, "Marchenko-Pastur").get_xdata()[-1] == pytest.approx(layer.bulk.law.lambda_plus)
        accepted = layer.verdict.evidence.tail_accepted
        tail = line(axes, "power law, accepted" if accepted else "power law, not accepted")
        x, y = tail.get_data()
        assert np.diff(np.log(y)) / np.diff(np.log(x)) == pytest.approx(-layer.tail.alpha)
        assert layer.verdict.decided_by in axes.get_title(loc="left")
    assert layers[2].verdict.evidence.spikes.n_spikes == 3


def test_bars_of_noise_follow_the_law():
    figure = marchenko_pastur_figure()
    for axes, aspect_ratio in zip(figure.axes, ASPECT_RATIOS, strict=True):
        law = MarchenkoPastur(aspect_ratio)
        edges = {each.get_xdata()[0] for each in axes.get_lines() if each.get_label().startswith("its edges")}
        assert sorted(edges) == pytest.approx([law.lambda_minus, law.lambda_plus])
        for bar in axes.patches:
            expected = np.diff(law.cdf([bar.get_x(), bar.get_x() + bar.get_width()]))[0]
            # Eigenvalues of noise repel each other: their number in a bin is off by one or two, not by its root.
            assert bar.get_height() * bar.get_width() == pytest.approx(expected, abs=3 / (960 / aspect_ratio))


def test_simulated_edges_follow_tracy_widom():
    edge = noise_edge(*EDGE_SHAPE, 1.0)
    deviations = np.sort(edge_deviations(np.random.default_rng(5), edge))
    steps = (np.arange(len(deviations)) + 0.5) / len(deviations)
    every = slice(None, None, 100)
    cdf = np.array([tracy_widom_cdf(s) for s in deviations[every]])
    # Kolmogorov-Smirnov at 4000 draws: beyond 0.031 with probability 0.001; the correction to N - 1/2 leaves 0.01.
    assert np.abs(cdf - steps[every]).max() < 0.04


def test_the_short_way_to_the_edge_has_the_law_of_dense_matrices():
    """Means of the largest eigenvalues, drawn by the bidiagonal form and from whole matrices."""
    edge = noise_edge(*EDGE_SHAPE, 1.0)
    rng = np.random.default_rng(3)
    n_rows = EDGE_SHAPE[0]
    dense = [rng.standard_normal(EDGE_SHAPE) for _ in range(200)]
    largest = np.array([np.linalg.eigvalsh(matrix.T @ matrix)[-1] for matrix in dense]) / n_rows
    deviations = (largest - edge.centre) / edge.scale
    short = edge_deviations(rng, edge)
    # Standard deviation 1.27: of the mean of 200, 0.09.
    assert deviations.mean() == pytest.approx(short.mean(), abs=0.36)


def test_outliers_leave_at_the_transition():
    figure = transition_figure()
    position, overlap = figure.axes
    critical = detection_threshold(2.0)
    for axes in figure.axes:
        assert line(axes, "transition").get_xdata()[0] == critical
    theory = line(position, "outlier, theory")
    law = MarchenkoPastur(2.0)
    assert theory.get_ydata().tolist() == [outlier_position(theta, law) for theta in theory.get_xdata()]
    assert theory.get_ydata()[theory.get_xdata() <= critical] == pytest.approx(law.lambda_plus)
    assert {each.get_label() for each in overlap.get_lines()} >= {"left singular vector, theory"}
    simulated = simulate_signals(np.random.default_rng(0), np.array([0.3, 2.0]), 6)
    assert simulated.outliers.mean(axis=1) == pytest.approx([law.lambda_plus, outlier_position(2.0, law)], rel=0.06)
    assert simulated.right.mean(axis=1) == pytest.approx([0.0, (1 - 0.5 / 16) / (1 + 0.5 / 4)], abs=0.03)
    assert simulated.left.mean(axis=1) == pytest.approx([0.0, (1 - 0.5 / 16) / (1 + 1 / 4)], abs=0.03)


def test_a_mean_is_a_trap_above_one_only():
    figure = mean_trap_figure()
    n_rows, n_cols = TRAP_SHAPE
    threshold = noise_edge(n_rows, n_cols, 1.0).threshold()
    largest = []
    for axes in figure.axes:
        assert line(axes, "edge of noise").get_xdata()[0] == threshold
        largest.append(line(axes, "largest eigenvalue").get_xdata()[0])
    assert largest[0] < threshold and largest[1] < 1.02 * threshold < largest[2]
    traps = [[each for each in axes.get_lines() if each.get_label() == "trap, by theory"] for axes in figure.axes]
    assert [len(each) for each in traps] == [0, 0, 1]
    q, theta_sq = n_cols / n_rows, 4 * (n_cols / n_rows) ** 0.5
    assert traps[2][0].get_xdata()[0] == pytest.approx((1 + theta_sq) * (1 + q / theta_sq))
    assert largest[2] == pytest.approx((1 + theta_sq) * (1 + q / theta_sq), rel=0.06)


def test_transforms_are_drawn_on_their_domains():
    panels = model_panels()
    for figure, values in (
        (r_figure(), lambda model, z: model.value(z).real),
        (g_figure(), lambda model, z: model.integral(1e-300, z)),
    ):
        for axes, panel in zip(figure.axes, panels, strict=False):
            assert panel.domain in axes.get_title(loc="left")
            for name, model in panel.curves.items():
                curve = line(axes, name)
                z = curve.get_xdata()
                assert len(z) >= 200
                assert model.domain.contains(z).all()
                assert curve.get_ydata() == pytest.approx(values(model, z), rel=1e-9, abs=1e-9)
    inverse = next(panel for panel in panels if panel.title.startswith("inverse"))
    assert inverse.domain == "real z in (-inf, inf), cut [0.5, inf), [1, inf)"
    (axes,) = [each for each in r_figure().axes if each.get_title(loc="left").startswith("inverse")]
    hatched = sorted(patch.get_x() for patch in axes.patches if patch.get_hatch() == "//////")
    assert hatched == [0.5, 1.0]


def test_all_figures_are_written_the_same_again(tmp_path):
    names = ["phases", "mean_trap", "r_transforms"]
    told: list[str] = []
    first = write_theory_figures(tmp_path / "1", names, form="svg", progress=told.append)
    again = write_theory_figures(tmp_path / "2", names, form="svg")
    other = write_theory_figures(tmp_path / "3", names[:1], form="svg", seed=1)
    assert told == names
    assert [path.name for path in first] == [f"{name}.svg" for name in names]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    assert other[0].read_bytes() != first[0].read_bytes()
    assert not re.findall(r"<image|href=\"http|mathdefault", "".join(path.read_text() for path in first))


def test_the_command_writes_every_figure(tmp_path):
    run = CliRunner().invoke(main, ["figures", "--output", str(tmp_path / "f"), "--format", "png"])
    assert run.exit_code == 0, run.output
    files = sorted((tmp_path / "f").iterdir())
    assert [path.stem for path in files] == sorted(FIGURES)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in files)
    assert run.stdout.splitlines()[-1].startswith("next: setol analyze")
    again = CliRunner().invoke(main, ["figures", "r_integrals", "--output", str(tmp_path / "g"), "--json"])
    assert json.loads(again.stdout) == {"figures": [str(tmp_path / "g" / "r_integrals.png")]}
    help_text = CliRunner().invoke(main, ["figures", "--help"]).stdout
    assert all(name in help_text for name in FIGURES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["phasse"], "unknown figure 'phasse'; nearest: phases"),
        (["--format", "pdf"], "'pdf' is not one of 'png', 'svg'"),
        (["mean_trap", "--seed", "-1"], "-1 is not in the range x>=0"),
        (["mean_trap", "--output", "{file}"], "cannot write the figure .*Name another folder"),
    ],
)
def test_a_wrong_call_says_what_would_do(tmp_path, arguments, message):
    (tmp_path / "file").touch()
    typed = [each.format(file=tmp_path / "file") for each in arguments]
    run = CliRunner().invoke(main, ["figures", *typed], catch_exceptions=False)
    assert run.exit_code == 2
    assert re.search(message, run.stderr)


def test_a_wrong_format_or_seed_is_refused_in_python_too(tmp_path):
    with pytest.raises(AnalysisError, match="unknown format 'pgn'; nearest: png"):
        write_theory_figures(tmp_path, ["phases"], form="pgn")
    with pytest.raises(AnalysisError, match="need a seed of at least 0; got -1"):
        write_theory_figures(tmp_path, ["phases"], seed=-1)
    assert not list(tmp_path.iterdir())


def test_the_page_has_a_section_for_each_figure():
    page = (Path(__file__).parents[2] / "docs" / "figures.md").read_text()
    titled = {name for title in re.findall(r"^## (.+)$", page, re.MULTILINE) for name in title.split(" and ")}
    assert titled == {"A layer", "What metrics add to size", *FIGURES}


def test_figures_need_no_torch(tmp_path):
    code = (
        "import sys; sys.modules['torch'] = None; from pathlib import Path;"
        "from analysis.theory.write import write_theory_figures;"
        f"write_theory_figures(Path({str(tmp_path)!r}), ['r_integrals', 'mean_trap'])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert len(list(tmp_path.glob("*.png"))) == 2

"""The report and its figures: what they say, that they stand alone, and that they are well-formed."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib.transforms import Bbox

from analysis import AnalysisError, formats, open_results
from analysis.drawing.figures import alpha_figure, depth_figure, erg_figure, score_figure
from analysis.drawing.short_names import short_names
from analysis.drawing.size_figure import size_figure
from analysis.drawing.spectrum_figure import spectrum_figure
from analysis.drawing.style import house_style, label_points, new_figure
from analysis.reporting import facts
from analysis.reporting.facts import fitted_layers
from analysis.reporting.report import report_html, write_report
from analysis.reporting.report_statistics import MOST_SCORES, verdict
from analysis.samples.samples_from_results import samples_from_results
from analysis.statistics.records import Interval
from analysis.studies.correlate import METRICS
from analysis.studies.protocol import protocol
from analysis.studies.size import size_study
from catalogs import WeightFile
from tests.analysis.simulated import SCENARIOS, simulated
from tests.analysis.synthetic import Synthetic, one_layer, score, sha, weight_file
from tests.analysis.test_correlate import zoo

VOID = {"meta", "br", "link", "img", "hr", "input"}


class Page(HTMLParser):
    """Reads a page, and keeps its text, tags and whatever would be loaded."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.loaded: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attributes:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "data", "srcset", "action") and value:
                self.loaded.append(value)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"{tag} closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def page_of(root: Path | list[Path]) -> Page:
    return page_of_text(report_html(open_results(root)))


def page_of_text(html: str) -> Page:
    page = Page(html)
    page.text = re.sub(r"[ \n]+", " ", page.text)
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in page.loaded)
    assert not re.findall(r"url\((?!#)|@import", html)
    assert "script" not in page.tags
    assert len(page.ids) == len(set(page.ids))
    return page


def test_report_tells_models_reasons_failures_and_run(rich: Path) -> None:
    text = page_of(rich).text
    for fact in (
        "6 models, 11 weight matrices",
        "2 models are analyzed, 1 in part, 2 failed, 1 not yet tried or computed.",
        "4.00 ± 1.15",  # alpha of a: mean 4, standard error 2/sqrt(3)
        "62.6 %",  # coverage 72/115
        "cut <short>",
        "no such file",
        "One input or one output channel, in all or in each group",
        "Fewer eigenvalues above the threshold than a tail fit needs.",
        "c0ffee000001",
        "kernel_factor = 0.5",
        "not complete: 2 of 5 weight files",
        "Too few models to judge",
    ):
        assert fact in text, fact


HOSTILE = "<img src=x>'); DROP TABLE layers; --"


@pytest.fixture(scope="module")
def eight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight families of six models, two of each network: alpha adds to size, alpha_hat only follows size."""
    fixed = protocol()
    folder = Synthetic(tmp_path_factory.mktemp("results") / "eight")
    folder.plan()
    rng = np.random.default_rng(1)
    files, scores, layers = [], [], []
    for index in range(48):
        family, network = index // 6, index // 2
        size, own = network % 3 + 0.1 * family, float(rng.normal())
        names = {"family": HOSTILE if family == 0 else f"f{family}", "architecture": f"net{network}"}
        columns = {"params": int(10 ** (6 + size / 3)), "pretrain": "in1k", **names}
        files.append(weight_file(f"m{index:02}", f"{index:064x}", **columns))
        of = {"dataset": fixed.dataset, "split": fixed.split, "metric": fixed.score_metric, "higher_is_better": True}
        scores.append(score(f"m{index:02}", 60 + 3 * size - 2 * own + float(rng.normal(0, 0.3)), **of))
        layers.append(one_layer(4 + own, alpha_hat=5 - size + float(rng.normal(0, 0.1))))
    folder.describe(files, scores)
    for file, own in zip(files[:-1], layers[:-1], strict=True):
        folder.publish(str(file.weights_sha256), own)
    return folder.root


@pytest.fixture(scope="module")
def html_of_eight(eight: Path) -> str:
    return report_html(open_results(eight))


@pytest.fixture(scope="module")
def page_of_eight(html_of_eight: str) -> Page:
    return page_of_text(html_of_eight)


def test_the_report_says_first_whether_anything_adds_to_size(eight: Path, page_of_eight: Page) -> None:
    page = page_of_eight
    first = page.text.index("Does it add anything to size? Yes: alpha_mean and alpha_median add to it.")
    assert first < page.text.index("models analyzed")
    (sample,) = samples_from_results(open_results(eight), metrics=METRICS)
    rows = {row.metric: row for row in size_study(sample, METRICS).rows}
    alpha, alpha_hat = rows["alpha_mean"], rows["alpha_hat_mean"]
    assert alpha_hat.raw.tau is not None and alpha_hat.raw.tau < -0.5 and alpha_hat.verdict == "no more than size"
    assert alpha.partial.interval is not None and alpha.differences.removed is not None
    for fact in (
        "47 models in 8 families, higher is better. log10_params alone has tau",
        f"{formats.fixed(alpha.partial.tau)}{formats.interval(alpha.partial.interval)}",
        formats.change(alpha.differences.removed),
        f"of {alpha.matched.pairs}",
        "← smaller is better",
        "The same in wordsBeyond size, within families: alpha_mean (partial tau −",
    ):
        assert fact in page.text, fact


def test_the_report_says_what_was_claimed_and_how_often_was_looked(eight: Path, page_of_eight: Page) -> None:
    text, fixed = page_of_eight.text, protocol()
    assert f"Primary claim (protocol {fixed.sha256}: alpha_hat_mean, imagenetv2-mf): not shown; all else is" in text
    assert "alpha_hat_meanprimary claim: not shown" in text
    assert re.search(r"exploratory\. \d+ tests in 1 look at these results", text)
    assert [path.suffix for path in (eight / "looks").iterdir()] == [".json"]


def test_the_report_has_regressions_sensitivity_and_what_is_missing(page_of_eight: Page) -> None:
    text = page_of_eight.text
    for fact in (
        "Regression within families, size held fixed alpha_m",
        "No model has log_alpha_norm_mean, log_norm_mean,",
        "so smaller is better, beyond chance.",
        "one slope for all models together is not offered",
        "What it depends on",
        "alpha_hat: tau with the score is −",
        "at leastat most alpha1 of 48−",
    ):
        assert fact in text, fact


def test_names_in_statistics_are_texts(page_of_eight: Page) -> None:
    assert "img" not in page_of_eight.tags
    assert page_of_eight.text.count(HOSTILE) >= 3  # the models, the largest families, all metrics of them


def test_report_of_one_family_says_why_nothing_is_said_of_size(tmp_path: Path) -> None:
    zoo(tmp_path, [5, 4, 3, 2, 1, 0.5], [6, 5, 4, 3, 2, 1], params=[1, 2, 4, 8, 16, 40])
    page = page_of(tmp_path)
    assert "f, d, err@1. No metric orders the models better than their size at n\u00a0=\u00a06." in page.text
    assert page.text.count("But the number of parameters (tau\u00a0=\u00a0−1.00) orders them at least as well") == 1
    assert "That takes 6 families of at least 5 models" in page.text
    assert "; 1 family has them here" in page.text
    assert "no better than a baseline" in page.text
    assert "err@1 in percent, lower is better" in page.text
    assert "Regression" not in page.text
    assert not [name for name in page.ids if name.startswith("size0")]


def test_report_of_many_families_is_cut(tmp_path: Path) -> None:
    families = [f"family {index // 5:02}" for index in range(110)]
    values = list(np.random.default_rng(0).uniform(1.5, 8, 110))
    folder = zoo(tmp_path, values, values, params=list(range(10, 15)) * 22, families=families)
    layers = fitted_layers(folder)
    text = page_of(tmp_path).text
    assert "2 smaller families not shown; setol correlate --all shows all." in text
    assert "All metrics in the 6 largest families" in text
    assert "family 19" in text
    several = [{**row, "family": f"{row['family']} {place % 2}"} for place, row in enumerate(layers)]
    drawn = alpha_figure(several, "alpha")
    assert "5 other families" in drawn
    assert drawn.count("family ") == 39


def test_report_of_many_scores_is_cut(tmp_path: Path) -> None:
    folder = Synthetic(tmp_path)
    folder.plan()
    files = [weight_file(f"m{index}", f"{index:064x}", params=10 + index) for index in range(5)]
    datasets = [f"d{index}" for index in range(MOST_SCORES + 2)]
    folder.describe(
        files, [score(file.name, float(place), dataset=each) for place, file in enumerate(files) for each in datasets]
    )
    for place, file in enumerate(files):
        folder.publish(str(file.weights_sha256), one_layer(2.0 + place))
    assert "Not looked at: 2 more scores (d8, d9); setol correlate --dataset shows one." in page_of(tmp_path).text


def test_the_figure_of_size_tells_controls_metrics_and_what_has_none() -> None:
    sample = simulated(SCENARIOS["effect"], np.random.default_rng(0), n_families=40).once().sample()
    columns = {**sample.columns, "none": np.full(sample.n, np.nan)}
    study = size_study(replace(sample, columns=columns), ["metric_0", "none"])
    figure = size_figure(study, study.rows, "size0")
    Page(figure)
    for fact in (">log10_params<", ">metric_0<", "no family has a partial tau", "larger is better →"):
        assert fact in figure, fact
    assert figure == size_figure(study, study.rows, "size0")
    assert verdict(study) == "Yes: metric_0 adds to it."


def test_report_escapes_names(tmp_path: Path) -> None:
    bad = "<script>alert('x')</script> $\\frac{"
    folder = Synthetic(tmp_path)
    folder.plan()
    folder.describe([weight_file("a", sha("a"), name=bad, family=f"_{bad}")], [score("a", 1.0, dataset=bad)])
    folder.publish(sha("a"), one_layer(2.5))
    assert bad in page_of(tmp_path).text


def test_report_of_failures_only(tmp_path: Path) -> None:
    folder = Synthetic(tmp_path)
    folder.plan()
    file = weight_file("a", sha("a"))
    folder.describe([file])
    folder.attempt(file, outcome="failed", error="cut short", error_type="CheckpointError", transient=True)
    text = page_of(tmp_path).text
    for fact in ("1 failed", "cut short", "may help: the same command", "No layer has a fitted tail"):
        assert fact in text


def test_report_of_one_model_without_scores(tmp_path: Path) -> None:
    folder = Synthetic(tmp_path)
    folder.plan()
    folder.describe([weight_file("a", sha("a"))])
    folder.publish(sha("a"), one_layer(2.5))
    page = page_of(tmp_path)
    assert "1 model, 1 weight matrix It is analyzed." in page.text
    assert "compares them with nothing" in page.text
    assert "Metrics against published scores" not in page.text
    assert "add anything to size" not in page.text
    assert not list(tmp_path.glob("looks/*"))
    assert "no try was logged" in page.text
    assert "svg" in page.tags


def test_report_mentions_other_configurations(rich: Path) -> None:
    Synthetic(rich).plan("facade000002", planned="2020-01-01T00:00:00.000000+00:00", spectra_version=0)
    assert "facade000002 (0 of 5 weight files, planned 2020-01-01 00:00)" in page_of(rich).text


def test_report_of_hundreds_of_models(tmp_path: Path) -> None:
    folder = Synthetic(tmp_path)
    folder.plan()
    files: list[WeightFile] = [
        weight_file(f"m{index}", f"{index:064x}", family=f"f{index % 9}", params=index + 1) for index in range(300)
    ]
    folder.describe(files, [score(file.name, index / 3) for index, file in enumerate(files)])
    for index, file in enumerate(files[:100]):
        folder.publish(str(file.weights_sha256), one_layer(2 + index / 50))
    page = page_of(tmp_path)
    assert "300 models, 100 weight matrices" in page.text
    assert "200 not yet tried or computed" in page.text


def test_the_same_results_give_the_same_report(rich: Path, eight: Path, html_of_eight: str) -> None:
    assert report_html(open_results(rich)) == report_html(open_results(rich))
    assert report_html(open_results(eight)) == html_of_eight


def test_report_is_put_in_place_whole(rich: Path, tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    results = open_results(rich)
    assert write_report(results, path) == path
    assert path.read_text(encoding="utf-8").endswith("</html>")
    assert [each.name for each in path.parent.iterdir()] == ["report.html"]
    with pytest.raises(AnalysisError, match="cannot write the report to"):
        write_report(results, path / "below" / "a-file.html")


@pytest.mark.parametrize("n_models", [1, 3, 30])
def test_figures_name_models_and_families(tmp_path: Path, n_models: int) -> None:
    results = zoo(
        tmp_path,
        [2 + index / 7 for index in range(n_models)],
        [float(index) for index in range(n_models)],
        params=range(1, n_models + 1),
    )
    layers = fitted_layers(results)
    row = results.rows("FROM layers ORDER BY name")[0]
    figures = [
        score_figure(results.rows("FROM scored_models"), {"alpha_mean": "alpha", "log10_params": "size"}, "score"),
        erg_figure(layers, "erg"),
        alpha_figure(layers, "alpha"),
        depth_figure(layers, "depth"),
        spectrum_figure(results.spectrum("m00", "w"), row, "spectrum"),
    ]
    for figure in figures:
        assert figure.startswith("<svg") and figure.endswith("</svg>\n")
        Page(figure)
    assert ("m00" in figures[0]) == (n_models < 25)
    assert f"f ({n_models})" in figures[1]
    assert "m00" in figures[2]
    assert "alpha = 2.00" in figures[4]


LONG = [f"mlp-300-100 lr{rate} bs32 seed0 epoch30" for rate in (0.01, 0.02, 0.04, 0.08, 0.16, 0.32)]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (LONG, [f"lr{rate}" for rate in (0.01, 0.02, 0.04, 0.08, 0.16, 0.32)]),
        (["resnet20", "resnet32"], ["resnet20", "resnet32"]),
        (["org/a", "org/b"], ["a", "b"]),
        (["net a", "net a big"], ["a", "a big"]),  # each keeps a word
        (["net b", "net b"], ["net b", "net b"]),
        (["x" * 20 + "y" * 20], ["x" * 12 + "…" + "y" * 12]),
        ([], []),
    ],
)
def test_labels_leave_out_what_all_share(names: list[str], expected: list[str]) -> None:
    assert short_names(names) == expected


def test_labels_lie_inside_their_panel_and_on_nothing() -> None:
    with house_style():
        figure = new_figure(4, 3)
        axes = figure.subplots()
        axes.set(xlim=(0, 1), ylim=(0, 1))
        figure.canvas.draw()
        before = axes.get_position().bounds
        points = [(0.02, 0.5), (0.98, 0.9), *((0.5, 0.1 + 0.01 * place) for place in range(12))]
        label_points(axes, points, [f"label {place}" for place in range(14)], only_with_room=True)
        figure.canvas.draw()
        boxes = [text.get_window_extent() for text in axes.texts]
        frame = axes.get_window_extent()
    assert axes.get_position().bounds == before
    assert {"label 0", "label 1"} <= {text.get_text() for text in axes.texts}
    assert 2 < len(boxes) < 14
    for place, box in enumerate(boxes):
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1
        for other in boxes[:place]:
            common = Bbox.intersection(box, other)
            assert common is None or common.width * common.height <= 0.05 * box.width * box.height


def test_models_stand_in_natural_order_and_measured_scores_are_not_called_published(tmp_path: Path) -> None:
    names = ["lr0.5", "epoch10", "epoch2", "lr0.16", "epoch1"]
    for where in ("training t, epoch 1", "a paper"):
        folder = Synthetic(tmp_path / where[:1])
        folder.plan()
        files = [weight_file(name, sha(f"{place}"), params=7, family="f") for place, name in enumerate(names)]
        told = {"unit": "fraction", "metric": "error", "provenance": where}
        scores = [score(name, 0.01 * place, **told) for place, name in enumerate(names)]
        folder.describe(files, scores)
        for place in range(len(names)):
            folder.publish(sha(f"{place}"), one_layer(3 + place / 7))
        results = open_results(folder.root)
        in_order = ["epoch1", "epoch2", "epoch10", "lr0.16", "lr0.5"]
        assert [row["name"] for row in facts.model_rows(results)] == in_order
        assert [row["name"] for row in facts.fitted_layers(results)] == in_order
        page = page_of(folder.root)
        assert "d, error (fraction), lower is better" in page.text
        assert ("published" in page.text) == (where == "a paper")


def test_spectrum_figure_tells_the_fit_and_what_it_leaves_out() -> None:
    # Quantiles of density 2 lambda^-3 from 1 up. The frame begins at a thirtieth of the lower of the two edges.
    evals = np.sort((1 - (np.arange(2000) + 0.5) / 2000) ** -0.5)
    row = {"alpha": 3.0, "lambda_min": 1.0, "n_tail": 2000, "erg_lambda_min": 0.5}
    svg = spectrum_figure(evals, row, "s")
    assert "power law, alpha = 3.00: 2000 of 2000 eigenvalues" in svg
    assert "smaller eigenvalues not shown" not in svg
    assert "7 smaller eigenvalues not shown" in spectrum_figure(np.r_[np.zeros(4), [1e-6] * 3, evals], row, "s")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (formats.fixed(-1.234), "−1.23"),
        (formats.fixed(-0.001), "0.00"),
        (formats.fixed(None), "–"),
        (formats.precise(0.00402), "0.0040"),
        (formats.precise(-0.0123), "−0.012"),
        (formats.precise(3.456), "3.46"),
        (formats.precise(0.0), "0.00"),
        (formats.precise(2e-9), "2.0e-09"),
        (formats.precise(None), "–"),
        (formats.with_error(1.0, 0.25), "1.00 ± 0.25"),
        (formats.with_error(1.0, None), "1.00"),
        (formats.share(1.0), "100 %"),
        (formats.share(0.9999), "> 99.9 %"),
        (formats.share(0.0), "0 %"),
        (formats.share(0.626), "62.6 %"),
        (formats.count(9999), "9,999"),
        (formats.count(269722), "270 K"),
        (formats.count(22713216), "22.7 M"),
        (formats.count(999_950_000), "1.00 G"),
        (formats.size(1_500_000), "1.50 MB"),
        (formats.size(12), "12 B"),
        (formats.duration(0.01), "under 0.1 s"),
        (formats.duration(12.34), "12.3 s"),
        (formats.duration(600), "10.0 min"),
        (formats.duration(7200), "2.0 h"),
        (formats.p_value(0.00001), "< 0.0001"),
        (formats.p_value(0.0278), "0.028"),
        (formats.change(0.234), "−23 %"),
        (formats.change(None), "–"),
        (formats.interval(Interval(-0.5, 0.25)), "[−0.50, 0.25]"),
        (formats.interval(None), ""),
        (formats.unbroken("partial tau -0.41 [-0.63, -0.18]; 1e-05"), "partial tau −0.41 [−0.63, −0.18]; 1e-05"),
        (formats.unbroken("(tau = -1.00, p = 0.5)"), "(tau\u00a0=\u00a0−1.00, p\u00a0=\u00a00.5)"),
    ],
)
def test_numbers_as_a_reader_likes_them(told: str, expected: str) -> None:
    assert told == expected


def test_of_very_many_layers_those_of_some_models_are_drawn(rich_unchanged, monkeypatch):
    results = open_results(rich_unchanged)
    whole = facts.fitted_layers(results)
    monkeypatch.setattr(facts, "MOST_DRAWN", 1)
    some = facts.fitted_layers(results)
    assert len({row["model"] for row in some}) == 1 < len({row["model"] for row in whole})
    assert some == [row for row in whole if row["model"] == some[0]["model"]]
    assert facts.share_below_two(results) == np.mean([row["alpha"] < 2 for row in whole])
    assert "The figures show the" in report_html(results)

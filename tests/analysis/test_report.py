"""The report and its figures: what they say, that they stand alone, and that they are well-formed."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from analysis import AnalysisError, formats, open_results
from analysis.facts import fitted_layers
from analysis.figures import alpha_figure, depth_figure, erg_figure, score_figure
from analysis.report import report_html, write_report
from analysis.spectrum_figure import spectrum_figure
from catalogs import WeightFile
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
    html = report_html(open_results(root))
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


def test_report_tells_what_the_correlations_are_worth(tmp_path: Path) -> None:
    zoo(tmp_path, [5, 4, 3, 2, 1, 0.5], [6, 5, 4, 3, 2, 1], params=[1, 2, 4, 8, 16, 32])
    text = page_of(tmp_path).text
    assert "f, 6 models." in text
    assert "But the number of parameters (tau\u00a0=\u00a0−1.00) orders them at least as well" in text
    assert "no better than a baseline" in text
    assert "err@1 in percent, lower is better" in text


def test_report_of_many_families_folds_them(tmp_path: Path) -> None:
    families = [f"family {index // 5}" for index in range(50)]
    alphas = list(np.random.default_rng(0).uniform(1.5, 8, 50))
    zoo(tmp_path, alphas, alphas, params=[5] * 50, families=families)
    text = page_of(tmp_path).text
    assert "In 10 of 10 families some metric orders the models better" in text
    assert "other families" in text


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


def test_the_same_results_give_the_same_report(rich: Path) -> None:
    assert report_html(open_results(rich)) == report_html(open_results(rich))


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
        (formats.unbroken("(tau = -1.00, p = 0.5)"), "(tau\u00a0=\u00a0−1.00, p\u00a0=\u00a00.5)"),
    ],
)
def test_numbers_as_a_reader_likes_them(told: str, expected: str) -> None:
    assert told == expected

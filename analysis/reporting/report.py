"""The report: one HTML file that stands alone, with every figure in it and nothing to load."""

from collections.abc import Mapping, Sequence
from importlib import resources
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from analysis import formats, order
from analysis.drawing.figures import alpha_figure, depth_figure, erg_figure, score_figure
from analysis.drawing.sensitivity_figure import sensitivity_figure
from analysis.drawing.size_figure import size_figure
from analysis.drawing.spectrum_figure import spectrum_figure
from analysis.drawing.stored_layer import stored_layer
from analysis.opening.placing import put_in_place
from analysis.opening.results import Results
from analysis.reporting import facts
from analysis.reporting.report_statistics import (
    JudgedScore,
    ReportStatistics,
    per_deviation,
    report_statistics,
    verdict,
)
from analysis.samples.missingness import missing_headline
from analysis.statistics.records import FEWEST_TESTED
from analysis.studies.correlate import METRICS
from analysis.studies.protocol import protocol
from analysis.studies.reading import headline
from analysis.studies.sensitivity import headlines
from analysis.studies.size import BASELINES
from analysis.studies.size_records import Adds
from analysis.studies.size_words import brief
from catalogs.plain import plain_text

Row = dict[str, Any]

_PANELS = {
    "alpha_hat_mean": "alpha_hat, mean over layers",
    "alpha_median": "alpha, median over layers",
    "log10_params": "log10 of the number of parameters",
}

_OPEN = 2
"""Scores that are shown unfolded."""

_MOST_MODELS = 1_000
"""Models that are listed."""

_LIMITS = {
    "n_open": _OPEN,
    "most_families": 20,
    "most_detailed": 6,
    "most_few": 200,
    "n_metrics": len(METRICS),
    "baselines": BASELINES,
    "fewest": FEWEST_TESTED,
    "adding": (Adds.ADDS, Adds.REVERSED),
}
"""What templates are told besides results: scores that are unfolded, rows that tables have at most, names."""

_WIDE = 100
"""Eigenvalues that the example spectrum has at least, where any layer has so many."""


def write_report(results: Results, path: str | Path) -> Path:
    """Write what the results say as one HTML file: figures inside, nothing to load, no scripts.

    The same results and looks give the same file.

    Args:
        results: Open results.
        path: The file; it is put in place whole, and one that is there is replaced.

    Returns:
        The path.

    Raises:
        AnalysisError: It cannot be written.
    """
    place = Path(path)
    put_in_place(report_html(results).encode(), place, "report to", "Name another file.")
    return place


def report_html(results: Results) -> str:
    """The report as text. Whoever reads it has looked at the results, which the folder notes."""
    scores = report_statistics(results)
    layers = facts.fitted_layers(results)
    models = facts.model_rows(results)
    return _template().render(
        folders=[folder.name for folder in results.folders],
        configuration=results.configuration,
        others=[each for each in results.configs if each.name != results.config],
        totals=facts.totals(results),
        published=facts.any_published(results),
        run=facts.run_facts(results),
        families=[(name, list(rows)) for name, rows in groupby(models[:_MOST_MODELS], key=itemgetter("family"))],
        n_models=len(models),
        n_hidden=max(0, len(models) - _MOST_MODELS),
        figures=_layer_figures(results, layers),
        failures=facts.failures(results),
        not_fitted=facts.not_fitted(results),
        skipped=facts.skipped_by_reason(results),
        grouped=facts.grouped(results),
        **_about_scores(scores),
        **_LIMITS,
    )


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        finalize=_without_hidden_characters,
        loader=jinja2.FunctionLoader(
            lambda name: resources.files("analysis.reporting").joinpath(name).read_text(encoding="utf-8")
        ),
    )
    numbers = ("fixed", "with_error", "interval", "change", "share", "count", "size", "duration", "p_value", "precise")
    for name in (*numbers, "unbroken", "begun"):
        environment.filters[name] = getattr(formats, name)
    for function in (verdict, brief, per_deviation):
        environment.filters[function.__name__] = function
    return environment.get_template("report.html.j2")


def _without_hidden_characters(value: Any) -> Any:
    return plain_text(value, keep="\t\n") if type(value) is str else value  # Markup is ours


def _about_scores(scores: ReportStatistics) -> Row:
    asked, shown = [each for each in scores.judged if each.asked], scores.judged[:_OPEN]
    return {
        "scores": scores,
        "asked": asked,
        "finding": _finding(scores.judged),
        "size_figures": {
            each: Markup(size_figure(each.size, each.added, f"size{place}")) for place, each in enumerate(asked)
        },
        "score_figures": {
            each: Markup(score_figure(each.rows, _PANELS, f"score{place}")) for place, each in enumerate(shown)
        },
        "depends": _dependence(scores),
        "primary_column": protocol().column,
    }


def _finding(scores: Sequence[JudgedScore]) -> Row | None:
    """The family that is read first, with its score."""
    pairs = [(score, each) for score in scores for each in score.groups]
    first = headline([each.group for _, each in pairs])
    return next(({"score": score, "read": each} for score, each in pairs if each.group is first), None)


def _dependence(scores: ReportStatistics) -> Row:
    """What taus and ranks owe to how layers are averaged, and what the missing models could make of them."""
    found, missing = scores.sensitivity, scores.missing
    compared = any(each.tau is not None or each.agreement is not None for each in found.effects)
    return {
        "told": headlines(found) if found.n_models > 1 else (),
        "figure": Markup(sensitivity_figure(found, "sensitivity")) if compared else None,
        "absent": [each.name for each in found.not_computed],
        "missing": missing_headline(missing),
        "bounds": [each for each in missing.metrics if each.n_models_missing and each.tau is not None],
    }


def _layer_figures(results: Results, layers: Sequence[Row]) -> Mapping[str, Any]:
    if not layers:
        return {}
    example = _typical(layers)
    stored = stored_layer(results, example)
    return {
        "erg": Markup(erg_figure(layers, "erg")),
        "alpha": Markup(alpha_figure(layers, "alpha")),
        "depth": Markup(depth_figure(layers, "depth")),
        "spectrum": Markup(spectrum_figure(stored.evals, example, "spectrum", stored.noise)),
        "example": example,
        "noise": stored.noise is not None,
        "below_two": facts.share_below_two(results),
        "n_drawn": len(layers),
        "n_models_drawn": len({row["model"] for row in layers}),
        "families": len({row["family"] for row in layers}),
        "order": _order(layers),
    }


def _order(layers: Sequence[Row]) -> str:
    """How the layers of the models stand."""
    files: dict[str, set[str]] = {}
    for row in layers:
        files.setdefault(row["model"], set()).add(row["file"])
    return order.told(map(order.layer_order, files.values()))


def _typical(layers: Sequence[Row]) -> Row:
    """Of the model with the most layers, the wide layer whose alpha is nearest to the model's median."""
    counts: dict[str, int] = {}
    for row in layers:
        counts[row["model"]] = counts.get(row["model"], 0) + row["n_rows"] * row["n_cols"]
    largest = max(counts, key=lambda model: (counts[model], model))
    own = [row for row in layers if row["model"] == largest]
    wide = [row for row in own if row["n_evals"] >= _WIDE] or own
    median = float(np.median([row["alpha"] for row in own]))
    return min(wide, key=lambda row: (abs(row["alpha"] - median), row["tensor"]))

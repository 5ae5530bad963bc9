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

from analysis import facts, formats, order
from analysis.correlate import METRICS
from analysis.figures import alpha_figure, depth_figure, erg_figure, score_figure
from analysis.placing import put_in_place
from analysis.reading import headline
from analysis.results import Results
from analysis.size import BASELINES
from analysis.spectrum_figure import spectrum_figure
from analysis.statistics.records import FEWEST_TESTED
from analysis.stored_layer import stored_layer
from catalogs.plain import plain_text

Row = dict[str, Any]

_PANELS = {
    "alpha_hat_mean": "alpha_hat, mean over layers",
    "alpha_median": "alpha, median over layers",
    "log10_params": "log10 of the number of parameters",
}

_WIDE = 100
"""Eigenvalues that the example spectrum has at least, where any layer has so many."""


def write_report(results: Results, path: str | Path) -> Path:
    """Write what the results say as one HTML file: figures inside, nothing to load, no scripts.

    The same results give the same file.

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
    """The report as text."""
    targets = facts.scored(results)
    layers = facts.fitted_layers(results)
    models = facts.model_rows(results)
    return _template().render(
        folders=[folder.name for folder in results.folders],
        configuration=results.configuration,
        others=[each for each in results.configs if each.name != results.config],
        totals=facts.totals(results),
        run=facts.run_facts(results),
        families=[(family, list(rows)) for family, rows in groupby(models, key=itemgetter("family"))],
        n_models=len(models),
        judged=[_drawn(target, index) for index, target in enumerate(targets) if target.n >= FEWEST_TESTED],
        unjudged=[target for target in targets if target.n < FEWEST_TESTED],
        finding=_finding(targets),
        figures=_layer_figures(results, layers),
        failures=facts.failures(results),
        not_fitted=facts.not_fitted(results),
        skipped=facts.skipped_by_reason(results),
        grouped=facts.grouped(results),
        n_metrics=len(METRICS),
        baselines=BASELINES,
        fewest=FEWEST_TESTED,
    )


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, finalize=_without_hidden_characters
    )
    for name in ("fixed", "with_error", "share", "count", "size", "duration", "p_value", "unbroken"):
        environment.filters[name] = getattr(formats, name)
    return environment.from_string((resources.files("analysis") / "report.html.j2").read_text(encoding="utf-8"))


def _without_hidden_characters(value: Any) -> Any:
    return plain_text(value, keep="\t\n") if type(value) is str else value  # Markup is ours


def _drawn(target: facts.Scored, index: int) -> Row:
    return {"target": target, "figure": Markup(score_figure(target.rows, _PANELS, f"score{index}"))}


def _finding(targets: Sequence[facts.Scored]) -> Row | None:
    """The group that is read first, with its score."""
    pairs = [(target, each) for target in targets for each in target.groups]
    first = headline([each.group for _, each in pairs])
    return next(({"target": target, "group": each} for target, each in pairs if each.group is first), None)


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
        "below_two": np.mean([row["alpha"] < 2 for row in layers]),
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

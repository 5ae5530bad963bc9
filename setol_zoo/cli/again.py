"""The `setol run` that finishes a results folder, told from what lies in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setol_zoo.cli.options import METRIC_OPTIONS, SPECTRUM_OPTIONS

if TYPE_CHECKING:
    from analysis.results import Results

MOST_NAMED = 5
"""Models that are named in a command; for more, their catalog is."""


def command_again(opened: "Results", results: Path) -> list[Any] | None:
    """The words behind `setol` that take a results folder up where it was left.

    Args:
        opened: The open results.
        results: The folder, as it was typed.

    Returns:
        A built-in catalog by its name; else the models by their keys; where they are too many, the catalog of one's own
        as `CATALOG`, for the folder has its name and not its path. None where no file can be read again: the models
        were in memory.
    """
    models = [row["model"] for row in opened.rows("SELECT model FROM models WHERE status <> 'done'")]
    models = [model for model in models if not model.startswith("memory:")]
    if not models:
        return None
    asked = _asked(models, opened.configuration.catalog)
    failed_for_good = opened.rows("FROM failures WHERE NOT transient AND weights_sha256 IS NOT NULL")
    retry = ["--retry-failed"] * any(row["model"] in models for row in failed_for_good)
    return ["run", *asked, *_options(opened.configuration.options), *retry, "--results", results]


def _asked(models: list[str], catalog: str) -> list[str]:
    from catalogs import catalog_names, load_catalog

    if catalog in catalog_names() and set(models) <= set(load_catalog(catalog).models):
        return ["--catalog", catalog]
    return models if len(models) <= MOST_NAMED else ["--catalog", "CATALOG"]


def _options(options: Mapping[str, Any]) -> list[Any]:
    """The options by which `setol run` comes to the content of an options file."""
    from pipeline.options import PRESETS, SpectrumOptions

    def changed(name: str) -> dict[str, Any]:
        metrics = options["metrics"].items()
        return {option: value for option, value in metrics if value != getattr(PRESETS[name], option, value)}

    fitting = [name for name in PRESETS if changed(name).keys() <= set(METRIC_OPTIONS)]
    base = min(fitting, key=lambda name: len(changed(name)), default="default")
    words: list[Any] = [] if base == "default" else ["--preset", base]
    plain = SpectrumOptions()
    stored = {name: value for name, value in options["spectrum"].items() if value != getattr(plain, name, value)}
    for name, value in {**changed(base), **stored}.items():
        if name in (*METRIC_OPTIONS, *SPECTRUM_OPTIONS):
            words += [f"--{name.replace('_', '-')}"] + [value] * (value is not True)
    return words

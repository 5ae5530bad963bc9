"""The `setol run`, or `setol lab run`, that finishes a results folder, told from what lies in it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.opening.literals import sql_text
from setol_zoo.cli.options import METRIC_OPTIONS, SPECTRUM_OPTIONS

if TYPE_CHECKING:
    from analysis.opening.results import Results
    from catalogs.places import Where

MOST_NAMED = 5
"""Models that are named in a command; for more, their catalog is."""

_GO_ON = """
SELECT model FROM stored.catalog AS planned
WHERE NOT starts_with(model, 'scores:')
AND (
    weights_sha256 IS NULL OR weights_sha256 NOT IN (FROM stored.done) OR list_contains({anew}, weights_sha256)
) AND NOT EXISTS (
    FROM failures WHERE failures.model = planned.model AND failures.file = planned.file AND NOT failures.transient
)
GROUP BY model ORDER BY min(rowid)
"""
_FAILED_FOR_GOOD = "SELECT model FROM models WHERE model IN (SELECT model FROM failures WHERE NOT transient)"


@dataclass(frozen=True, slots=True)
class _Typed:
    """Options as `setol run` takes them, those (name and value) that it does not, and whether they are all."""

    words: list[Any]
    untypable: list[str]
    reached: bool


def command_again(opened: "Results", results: "Where", anew: Collection[str] = ()) -> list[Any] | None:
    """The words behind `setol` that take a results folder up where it was left.

    Args:
        opened: The open results.
        results: The folder, as it was typed.
        anew: Hashes of weights that have metrics, and of which something is to be made anew all the same.

    Returns:
        A built-in catalog by its name; else the models by their keys; where they are too many, the catalog of one's own
        as `CATALOG`, for the folder has its name and not its path. None where nothing is left that could succeed, or
        no file can be read again: the models were in memory.
    """
    hashes = f"[{', '.join(map(sql_text, sorted(anew)))}]::VARCHAR[]"
    return _command(opened, [row["model"] for row in opened.rows(_GO_ON.format(anew=hashes))], results)


def command_once_mended(opened: "Results", results: "Where") -> list[Any] | None:
    """The same for the models that failed for good, to be typed when their files are others."""
    return _command(opened, failed_for_good(opened), results, ["--retry-failed"])


def failed_for_good(opened: "Results") -> list[str]:
    """The models with a weight file whose last try failed for a reason that trying again does not mend."""
    return [row["model"] for row in opened.rows(_FAILED_FOR_GOOD)]


def what_cannot_be_typed(opened: "Results") -> str | None:
    """Why `setol run` cannot come to the configuration of some results, where that is so."""
    typed = _typed(opened.configuration.options)
    if typed.untypable:
        return f"no option of `setol run` sets {', '.join(typed.untypable)}"
    return None if typed.reached else "it was made by another version of setol-zoo"


def _command(opened: "Results", models: list[str], results: "Where", retry: Sequence[str] = ()) -> list[Any] | None:
    on_disk = [model for model in models if not model.startswith("memory:")]
    if not on_disk:
        return None
    asked = _asked(on_disk, opened.configuration.catalog)
    if asked[0] == "lab":
        return [*asked, "--results", results]
    return ["run", *asked, *_typed(opened.configuration.options).words, *retry, "--results", results]


def _asked(models: list[str], catalog: str) -> list[str]:
    from catalogs import catalog_names, load_catalog
    from setol_zoo.lab.experiments import CALLED

    if catalog.startswith(CALLED):
        return catalog.split()
    if catalog in catalog_names() and set(models) <= set(load_catalog(catalog).models):
        return ["--catalog", catalog]
    return models if len(models) <= MOST_NAMED else ["--catalog", "CATALOG"]


def _typed(options: Mapping[str, Any]) -> _Typed:
    """The content of an options file as options of `setol run`: the preset by which it takes the fewest."""
    from catalogs.identity import config_id
    from pipeline.options import PLAIN_SPECTRA, PRESETS, Options, SpectrumOptions, preset, stored_base

    metrics = {name: _different(options["metrics"], PRESETS[name]) for name in PRESETS}
    base = min(metrics, key=lambda name: (len(metrics[name].keys() - set(METRIC_OPTIONS)), len(metrics[name])))
    known = stored_base(options)
    spectrum = _different(options["spectrum"] | ({} if known is None else {"base": known}), PLAIN_SPECTRA)
    chosen = {name: value for name, value in metrics[base].items() if name in METRIC_OPTIONS}
    stored = {name: value for name, value in spectrum.items() if name in (*SPECTRUM_OPTIONS, "base")}
    words: list[Any] = [] if base == "default" else ["--preset", base]
    for name, value in {**chosen, **stored}.items():
        flag = name.replace("_", "-")
        typed = known.model if name == "base" and known is not None else value
        words += [f"--{flag}" if value else f"--no-{flag}"] if isinstance(value, bool) else [f"--{flag}", typed]
    untypable = [each for each in metrics[base].items() if each[0] not in chosen]
    untypable += [(f"{name} of spectra", value) for name, value in spectrum.items() if name not in stored]
    reached = Options(SpectrumOptions(**stored), preset(base, **chosen)).config == config_id(options)
    return _Typed(words, [f"{name} {value}" for name, value in untypable], reached)


def _different(stored: Mapping[str, Any], plain: object) -> dict[str, Any]:
    """The stored options that are not those of a preset; what this version does not know among them."""
    return {name: value for name, value in stored.items() if not hasattr(plain, name) or value != getattr(plain, name)}

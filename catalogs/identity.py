"""Identity is content: results are named by hashes of what they were made from.

What a stage made is there if and only if the file of that name is. The options come as plain mappings, the
content of a results folder's `options/<config>.json`, so results that another version of the code made keep their
names.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any


def spectra_id(weights_sha256: str, options: Mapping[str, Any], layout: str | None = None) -> str:
    """Name of the spectra of a weight file: its content, the spectrum options, and the version of their values.

    Which matrices the file holds (the layout) is a function of its content and of that version, unless a library's
    own architecture was asked.

    Args:
        weights_sha256: The file's content.
        options: With `spectrum` (the spectrum options) and `spectra_version`.
        layout: The library, its version and the architecture that tell the layers; None for names and shapes.
    """
    made_from = {"weights": weights_sha256, "spectrum": options["spectrum"], "version": options["spectra_version"]}
    if layout is not None:
        made_from["layout"] = layout
    return _digest(made_from)[:32]


def fit_id(weights_sha256: str, options: Mapping[str, Any], layout: str | None = None) -> str:
    """Name of the metrics of a weight file: its spectra's name, the metric options, and the version of their values.

    Args:
        weights_sha256: The file's content.
        options: As for `spectra_id`, and `metrics` (the metric options) and `metrics_version`.
        layout: As for `spectra_id`.
    """
    spectra = spectra_id(weights_sha256, options, layout)
    made_from = {"spectra": spectra, "metrics": options["metrics"], "version": options["metrics_version"]}
    return _digest(made_from)[:32]


def layouts_of(files: Iterable[tuple[str | None, str | None]]) -> dict[str, str]:
    """What tells the layers of each content: the first of its names for which an architecture is known decides.

    Args:
        files: sha256 and layout of weight files, in the order of a catalog.

    Returns:
        Layouts by sha256; contents of which no architecture is known are not among them.
    """
    layouts: dict[str, str] = {}
    for weights_sha256, layout in files:
        if weights_sha256 is not None and layout is not None:
            layouts.setdefault(weights_sha256, layout)
    return layouts


def config_id(options: Mapping[str, Any]) -> str:
    """Name of a configuration: all options and both versions.

    Args:
        options: As for `fit_id`; what else it holds does not count.
    """
    return _digest({name: options[name] for name in ("spectrum", "spectra_version", "metrics", "metrics_version")})[:12]


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()

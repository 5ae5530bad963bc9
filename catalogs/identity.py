"""Identity is content: results are named by hashes of what they were made from.

What a stage made is there if and only if the file of that name is. The options come as plain mappings, the
content of a results folder's `options/<config>.json`, so results that another version of the code made keep their
names.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def spectra_id(weights_sha256: str, options: Mapping[str, Any]) -> str:
    """Name of the spectra of a weight file: its content, the spectrum options, and the version of their values.

    Which matrices the file holds (the layout) is a function of its content and of that version.

    Args:
        weights_sha256: The file's content.
        options: With `spectrum` (the spectrum options) and `spectra_version`.
    """
    made_from = {"weights": weights_sha256, "spectrum": options["spectrum"], "version": options["spectra_version"]}
    return _digest(made_from)[:32]


def fit_id(weights_sha256: str, options: Mapping[str, Any]) -> str:
    """Name of the metrics of a weight file: its spectra's name, the metric options, and the version of their values.

    Args:
        weights_sha256: The file's content.
        options: As for `spectra_id`, and `metrics` (the metric options) and `metrics_version`.
    """
    spectra = spectra_id(weights_sha256, options)
    made_from = {"spectra": spectra, "metrics": options["metrics"], "version": options["metrics_version"]}
    return _digest(made_from)[:32]


def config_id(options: Mapping[str, Any]) -> str:
    """Name of a configuration: all options and both versions.

    Args:
        options: As for `fit_id`; what else it holds does not count.
    """
    return _digest({name: options[name] for name in ("spectrum", "spectra_version", "metrics", "metrics_version")})[:12]


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()

"""The names under which results are stored: hashes of what they were made from, as the job that writes them has it.

The options come from `options/<config>.json`, so results that were made with options of another version of the
code keep their names.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def spectra_id(weights_sha256: str, options: Mapping[str, Any]) -> str:
    """Name of the spectra of a weight file.

    Args:
        weights_sha256: The file's content.
        options: The content of an options file.
    """
    return _digest(
        {"weights": weights_sha256, "spectrum": options["spectrum"], "version": options["spectra_version"]},
    )


def fit_id(weights_sha256: str, options: Mapping[str, Any]) -> str:
    """Name of the metrics of a weight file.

    Args:
        weights_sha256: The file's content.
        options: The content of an options file.
    """
    spectra = spectra_id(weights_sha256, options)
    return _digest({"spectra": spectra, "metrics": options["metrics"], "version": options["metrics_version"]})


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]

"""The first step of a unit, which needs torch: from its weights to published spectra."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from checkpoints.base import Base, base_of
from checkpoints.downloads import Say
from checkpoints.errors import CheckpointError
from checkpoints.joined import joined
from checkpoints.libraries import architecture_facts
from checkpoints.open import open_checkpoint
from pipeline.decomposition.device_choice import ChosenDevice, choose_device
from pipeline.decomposition.spectra import FileSpectra, file_spectra
from pipeline.execution.job import Job
from pipeline.planning.plan import Unit

_TOLD: set[str] = set()
"""Advice that this process has given already."""


def make_spectra(unit: Unit, job: Job, weights: Path, base: Sequence[Path], say: Say) -> dict[str, Any]:
    """Decompose a weight file and publish its spectra.

    Args:
        unit: What is made.
        job: How.
        weights: The file itself, verified.
        base: The files of the model that is subtracted; none if nothing is.
        say: Takes what somebody should read.

    Returns:
        Columns of an `AttemptRow`: on what, how, and how many bytes were written.

    Raises:
        CheckpointError: The file or the base cannot be read, the file holds nothing to be analyzed, or the two have
            no matrix in common.
    """
    torch.set_num_threads(job.threads)
    options = job.options.spectrum
    chosen = choose_device(job.device, options.precision)
    if chosen.advice and chosen.advice not in _TOLD:
        _TOLD.add(chosen.advice)
        say(chosen.advice)
    checkpoint = open_checkpoint(weights)
    facts = architecture_facts(unit.file, checkpoint.headers)
    found = file_spectra(unit.file, checkpoint, chosen.device, facts, options, _opened_base(base))
    written = job.folder.write_spectra(unit.spectra_id, found.table)
    for remark in found.remarks:
        say(f"{unit.file.name}: {remark}")
    return _made(found, chosen) | {"bytes_spectra": written}


def _opened_base(paths: Sequence[Path]) -> Base | None:
    """The base, its tensors mapped and read as they are needed."""
    if not paths:
        return None
    try:
        return base_of(joined([open_checkpoint(path) for path in paths]))
    except CheckpointError as error:
        raise CheckpointError(f"the base cannot be read: {error}", transient=error.transient) from error


def _made(found: FileSpectra, chosen: ChosenDevice) -> dict[str, Any]:
    """How spectra were made, as columns of the log."""
    remarks = [*found.remarks, *([chosen.advice] if chosen.advice else [])]
    return {
        "device": chosen.device,
        "device_name": chosen.name,
        "precision": found.precision,
        "float32_deviation": found.float32_deviation,
        "probe_float64": chosen.gpu and chosen.gpu.float64_seconds,
        "probe_float32": chosen.gpu and chosen.gpu.float32_seconds,
        "probe_cpu": chosen.cpu and chosen.cpu.float64_seconds,
        "remarks": "\n".join(remarks) or None,
    }

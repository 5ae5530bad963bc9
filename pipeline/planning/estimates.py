"""Estimates of many weight files: an architecture takes a tenth of a second to build, so cores share the work."""

import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from catalogs import WeightFile
from checkpoints.errors import CheckpointError
from checkpoints.layout import lay_out
from checkpoints.libraries import architecture_facts
from checkpoints.tensors import TensorHeader
from pipeline.cores import usable_cores
from pipeline.decomposition.spectra import refuse_adapter
from pipeline.planning.estimate import Estimate, estimate

FEWEST = 64
"""Files that are worth another process, which takes seconds to start."""

Question = tuple[WeightFile, tuple[TensorHeader, ...]]
"""An identified weight file and its tensors."""

_START = "import sys; sys.path[:] = sys.argv[3:]; from pipeline.planning.estimates import serve; serve(*sys.argv[1:3])"


def estimate_all(questions: Sequence[Question], cores: int | None = None) -> list[Estimate | CheckpointError]:
    """Estimate what weight files hold and cost, by the models' own architectures where they are known.

    Args:
        questions: The files and their tensors.
        cores: Processes, at most; by default as many as there are cores.

    Returns:
        For each, in the same order, the estimate or why a run would fail.
    """
    count = min(cores or usable_cores(), len(questions) // FEWEST)
    if count < 2:
        return [_estimate(*question) for question in questions]
    found: list[Estimate | CheckpointError | None] = [None] * len(questions)
    with TemporaryDirectory(prefix="setol-plan-") as folder:
        processes = []
        for number in range(1, count):  # this process is one of them
            asked, told = Path(folder, f"asked-{number}"), Path(folder, f"told-{number}")
            asked.write_bytes(pickle.dumps(questions[number::count]))
            processes.append((_start(asked, told), told))
        try:
            found[0::count] = [_estimate(*question) for question in questions[0::count]]
            for number, (process, told) in enumerate(processes, 1):
                if process.wait() == 0:
                    found[number::count] = pickle.loads(told.read_bytes())
        finally:
            for process, _ in processes:
                process.kill()
                process.wait()
    # What a process that died has left is done here.
    return [_estimate(*question) if each is None else each for question, each in zip(questions, found, strict=True)]


def serve(asked: str, told: str) -> None:
    """What such a process does: answer the questions in a file by another file.

    Args:
        asked: Path of the pickled questions.
        told: Path where the answers go.
    """
    questions = pickle.loads(Path(asked).read_bytes())
    Path(told).write_bytes(pickle.dumps([_estimate(*question) for question in questions]))


def _start(asked: Path, told: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", _START, str(asked), str(told), *sys.path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # standard output is the command's answer
        stderr=subprocess.DEVNULL,
    )


def _estimate(file: WeightFile, headers: tuple[TensorHeader, ...]) -> Estimate | CheckpointError:
    try:
        layouts = lay_out(headers, architecture_facts(file, headers))
        refuse_adapter(file, layouts)
    except CheckpointError as error:
        return error
    return estimate(layouts)

"""What weight files hold and cost before they are worked on: files that are here, headers of those that are not."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from catalogs import WeightFile
from checkpoints.errors import CheckpointError
from checkpoints.layout import lay_out
from checkpoints.libraries import architecture_facts
from checkpoints.open import PICKLES, open_checkpoint
from checkpoints.remote_header import local_copy, remote_headers
from checkpoints.tensors import TensorHeader
from pipeline.estimate import Estimate, estimate
from pipeline.spectra import refuse_adapter

_AT_A_TIME = 8
"""Headers read over the network at a time: that waits for servers, not for a core."""

_Found = tuple[tuple[TensorHeader, ...], int | None]


@dataclass(frozen=True, slots=True)
class Preview:
    """A weight file, looked at.

    Attributes:
        size: Its bytes, None where nobody says.
        here: Whether it is on this machine, so that nothing has to be fetched.
        pickle: Whether it had to be opened, not only its header read.
        estimate: What it holds and costs; None where that is not known, and `error` says why.
        error: Why there is no estimate: `UnknownBeforeDownload`, or what would make a run fail.
    """

    size: int | None
    here: bool
    pickle: bool = False
    estimate: Estimate | None = None
    error: CheckpointError | None = None


def preview(files: Sequence[WeightFile], cache: Path) -> list[Preview]:
    """Look at weight files without fetching any: those that are here are opened, of others the header is read.

    Matrices are told as a run tells them, by the model's own architecture where it is known.

    Args:
        files: Identified ones; a file that cannot be read costs the others nothing.
        cache: Cache directory, where what an earlier run fetched lies.

    Returns:
        One for each, in the same order.
    """
    places = [local_copy(file, cache) for file in files]
    pool = ThreadPoolExecutor(_AT_A_TIME)
    try:
        asked = [
            pool.submit(remote_headers, file) if place is None else None
            for file, place in zip(files, places, strict=True)
        ]
        return [_look(*each) for each in zip(files, places, asked, strict=True)]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # an interruption does not wait for headers yet unasked


def _look(file: WeightFile, place: Path | None, asked: "Future[_Found] | None") -> Preview:
    size, pickle = file.size, place is not None and place.suffix.lower() in PICKLES
    try:
        if asked is not None:
            headers, told = asked.result()
            size = told if size is None else size
        else:
            assert place is not None
            headers = open_checkpoint(place).headers
            size = place.stat().st_size
        layouts = lay_out(headers, architecture_facts(file, headers))
        refuse_adapter(file, layouts)
    except CheckpointError as error:
        return Preview(size, place is not None, error=error)
    return Preview(size, place is not None, pickle, estimate(layouts))

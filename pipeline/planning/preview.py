"""What weight files hold and cost before they are worked on: files that are here, headers of those that are not."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from catalogs import WeightFile
from checkpoints.errors import CheckpointError
from checkpoints.header_cache import cached_headers
from checkpoints.open import PICKLES, open_checkpoint
from checkpoints.remote_header import local_copy, remote_headers
from checkpoints.tensors import TensorHeader
from pipeline.planning.alike import architecture_key
from pipeline.planning.estimate import Estimate
from pipeline.planning.estimates import estimate_all

_AT_A_TIME = 8
"""Headers read over the network at a time: that waits for servers, not for a core."""

_Headers = tuple[TensorHeader, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """A weight file, looked at.

    Attributes:
        size: Its bytes, None where nobody says.
        here: Whether it is on this machine, so that nothing has to be fetched.
        pickle: Whether it had to be opened, not only its header read.
        like: Short name of the model of the same architecture whose header was read in the place of its own.
        estimate: What it holds and costs; None where that is not known, and `error` says why.
        error: Why there is no estimate: `UnknownBeforeDownload`, or what would make a run fail.
    """

    size: int | None
    here: bool
    pickle: bool = False
    like: str | None = None
    estimate: Estimate | None = None
    error: CheckpointError | None = None


def preview(files: Sequence[WeightFile], cache: Path) -> list[Preview]:
    """Look at weight files without fetching any: those that are here are opened, of others the header is read.

    Of files that are not here and are alike (`architecture_key`), one header is read. Matrices are told as a run
    tells them, by the model's own architecture where it is known.

    Args:
        files: Identified ones; a file that cannot be read costs the others nothing.
        cache: Cache directory, where what an earlier run fetched lies, and headers that were read before.

    Returns:
        One for each, in the same order.
    """
    looks = [_Look(file, local_copy(file, cache), cached_headers(file.weights_sha256, cache)) for file in files]
    first: dict[str, _Look] = {}
    for look in sorted(looks, key=lambda look: look.place is None and look.kept is None):  # what is here comes first
        if look.key is not None:
            first.setdefault(look.key, look)
    pool = ThreadPoolExecutor(_AT_A_TIME)
    try:
        for look in looks:
            if look.place is None and look.kept is None and first.get(look.key or "", look) is look:
                look.asked = pool.submit(remote_headers, look.file, cache)
        seen = [_see(each, first, cache) for each in looks]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # an interruption does not wait for headers yet unasked
    questions = {each.question: (each.look.file, each.headers) for each in seen if each.headers is not None}
    found = dict(zip(questions, estimate_all(list(questions.values())), strict=True))
    return [_told(each, found.get(each.question)) for each in seen]


class _Look:
    """A weight file, and what is known or asked about its tensors."""

    def __init__(self, file: WeightFile, place: Path | None, kept: tuple[_Headers, int | None] | None) -> None:
        self.file, self.place = file, place
        self.kept = kept[0] if kept else None
        self.key = architecture_key(file)
        self.asked: Future[tuple[_Headers, int | None]] | None = None
        self.size = kept[1] if kept and file.size is None else file.size

    def headers(self) -> _Headers:
        """Its tensors.

        Raises:
            CheckpointError: They cannot be told.
        """
        if self.place is not None:
            self.size = self.place.stat().st_size
            return open_checkpoint(self.place).headers
        if self.kept is None:
            assert self.asked is not None
            self.kept, told = self.asked.result()
            self.size = told if self.size is None else self.size
        return self.kept


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known of the tensors of a weight file: they, and whose they are, or why they cannot be told."""

    look: _Look
    headers: _Headers | None = None
    like: str | None = None
    error: CheckpointError | None = None

    @property
    def question(self) -> tuple[object, ...]:
        """The same for files with the same estimate: models of one architecture are built once."""
        return (self.look.key or self.look, self.headers)


def _see(look: _Look, first: dict[str, _Look], cache: Path) -> _Seen:
    """The tensors of a file, or of the first of its architecture where it has no header of its own."""
    own = look.place is not None or look.kept is not None
    source = look if own else first.get(look.key or "", look)
    try:
        try:
            return _Seen(look, source.headers(), None if source is look else source.file.name)
        except CheckpointError as error:
            if source is look or error.transient:
                raise
        first[str(look.key)] = look  # the other one is gated or damaged: look at this one itself
        look.kept, _ = remote_headers(look.file, cache)
        return _Seen(look, look.kept)
    except CheckpointError as error:
        return _Seen(look, error=error)


def _told(seen: _Seen, found: Estimate | CheckpointError | None) -> Preview:
    look = seen.look
    here = look.place is not None
    if found is None or isinstance(found, CheckpointError):
        return Preview(look.size, here, error=seen.error or found)
    pickle = look.place is not None and look.place.suffix.lower() in PICKLES
    return Preview(look.size, here, pickle, seen.like, found)

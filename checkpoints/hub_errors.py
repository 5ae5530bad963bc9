"""What the hub's client raises, told in our words: from status codes alone, so that no address or token is repeated."""

from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

from checkpoints.errors import CheckpointError, NotFound
from checkpoints.hub_cache import repository_folder
from checkpoints.hub_pace import keep_pace
from checkpoints.open import SUFFIXES
from checkpoints.retry import Interrupted, requested_wait, with_retries

T = TypeVar("T")

_TOKEN = "set HF_TOKEN to a token of an account that may read it"
_OFFLINE = "HF_HUB_OFFLINE=1 uses what is in the cache"


def ask_hub(hub: ModuleType, what: str, page: str, call: Callable[[], T]) -> T:
    """Call the hub's client at the pace of this process, and again where the network spoiled it.

    Args:
        hub: The package huggingface_hub.
        what: What is asked for, for messages.
        page: Where the repository's conditions are accepted.
        call: What to call.

    Raises:
        CheckpointError: It failed; the message has what to do, and nothing of the request.
    """

    def once() -> T:
        try:
            return call()
        except CheckpointError:
            raise
        except Exception as error:
            told = _told(hub, error, what, page)
            if told is None:
                raise
            raise told from None

    keep_pace(hub)
    return with_retries(once)


def _told(hub: ModuleType, error: BaseException, what: str, page: str) -> CheckpointError | None:
    """The error in our words; None for what the system says of this machine (a full disk)."""
    if isinstance(error, hub.errors.OfflineModeIsEnabled):
        return CheckpointError(
            f"{what} is not in the cache, and HF_HUB_OFFLINE forbids to fetch it. Unset HF_HUB_OFFLINE.",
            transient=True,
        )
    response: Any = getattr(error, "response", None)
    if response is not None:
        return _refusal(response.status_code, response.headers, what, page)
    if isinstance(error, hub.errors.LocalEntryNotFoundError):
        # The client has tried several times, looked into its cache, and wrapped what it met.
        cause = error.__cause__
        told = _told(hub, cause, what, page) if cause is not None else None
        return CheckpointError(str(told), transient=told.transient) if told else _broken(hub, error, what, page)
    if isinstance(error, hub.errors.HFValidationError):
        return CheckpointError(f"{what}: the hub has no such names. Check the spelling.")
    if _of_the_network(error):
        return _broken(hub, error, what, page)
    if isinstance(error, OSError) and error.errno is not None:
        return None
    return CheckpointError(
        f"{what}: the hub's client failed ({type(error).__name__}): what came may be no answer of the hub. "
        "Check HF_ENDPOINT and the proxy, then run the same command again.",
        transient=True,
    )


def _refusal(status: int, headers: Any, what: str, page: str) -> CheckpointError:
    code = headers.get("X-Error-Code")
    if code == "GatedRepo":
        return CheckpointError(
            f"{what} is gated: accept its conditions at {page} and {_TOKEN}, then run again with --retry-failed."
        )
    if status == 401:
        return NotFound(
            f"{what} cannot be read (401): there is no such repository, it is private, or the token is wrong. "
            f"Check the name, or {_TOKEN}."
        )
    if status == 403:
        return CheckpointError(f"{what} may not be read with this token (403): {_TOKEN}.")
    if status == 404:
        missing = {"RevisionNotFound": "revision", "EntryNotFound": "file"}.get(code, "repository")
        return NotFound(f"{what}: the hub has no such {missing} (404). Check the spelling.")
    if status in (408, 425, 429) or status >= 500:
        asked = " too many requests were made" if status == 429 else " a fault on its side"
        return Interrupted(
            f"{what}: the hub answers {status},{asked}. Run the same command again later.",
            wait=requested_wait(headers),
        )
    return CheckpointError(f"{what}: the hub answers {status}.")


def _broken(hub: ModuleType, error: BaseException, what: str, page: str) -> Interrupted:
    failed = f"{what}: the connection to the hub failed ({type(error).__name__})"
    offline = f"; {_OFFLINE}" if _in_the_cache(hub, page) else ""
    return Interrupted(f"{failed}. Check the network and run the same command again{offline}.")


def _in_the_cache(hub: ModuleType, page: str) -> bool:
    """Whether weights of a repository, of whatever commit, are in the user's cache."""
    folder = repository_folder(hub, page.removeprefix(f"{hub.constants.ENDPOINT}/")) / "snapshots"
    try:
        return any(path.name.endswith(SUFFIXES) and path.is_file() for path in folder.rglob("*"))
    except OSError:
        return False


def _of_the_network(error: BaseException) -> bool:
    """Whether an error is the connection's: of the client library, or the check of what came against its length."""
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if type(error).__module__.split(".")[0] in ("httpx", "httpx2", "httpcore", "httpcore2", "requests"):
        return True
    return type(error) is OSError and str(error).startswith("Consistency check failed")

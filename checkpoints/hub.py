"""Weights on the Hugging Face hub: found by commit and sha256 before any download, kept in the user's own cache."""

import os
import re
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from checkpoints.downloads import announce, under_a_bar
from checkpoints.errors import CheckpointError
from checkpoints.hashing import sha256_of, verify_sha256
from checkpoints.hub_cache import repository_folder
from checkpoints.hub_choice import FIRST_CHOICE, Listed, choose_weights, shard_names
from checkpoints.hub_errors import ask_hub
from checkpoints.hub_files import find_file, read_part
from checkpoints.hub_logs import hide_queries
from checkpoints.hub_notes import HubFile, keep_note, noted
from checkpoints.open import SUFFIXES
from checkpoints.shards import INDEX_SUFFIX

CONFIG = "config.json"
_LONGEST_CONFIG = 2**24
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class HubModel:
    """The weights of a repository at one commit."""

    commit: str
    files: tuple[HubFile, ...]


def import_hub() -> ModuleType:
    """The package huggingface_hub, with its telemetry off.

    Raises:
        CheckpointError: It is not installed.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when the package is imported
    try:
        hub = import_module("huggingface_hub")
        for part in ("constants", "errors", "utils"):  # the package loads its parts when they are asked for
            import_module(f"huggingface_hub.{part}")
    except ModuleNotFoundError as error:
        raise CheckpointError(
            f"models of the hub need the package {error.name}, which is not installed: pip install 'setol-zoo[hub]'"
        ) from error
    hub.constants.HF_HUB_DISABLE_TELEMETRY = True  # and for the case that it was imported before
    hide_queries("huggingface_hub")
    if under_a_bar():  # the client's bars would be torn by it
        hub.utils.disable_progress_bars("huggingface_hub")
    return hub


def find_on_hub(
    repo: str, revision: str | None, wanted: str | None = None, *, cache: Path | None = None, max_age: float = 0.0
) -> HubModel:
    """The weight files of a repository, without downloading those that the hub knows the sha256 of.

    One request tells a file that may be had under a name known beforehand; only what is in several, or under another
    name, needs the list of the repository. Where HF_HUB_OFFLINE is set, the user's cache is asked instead. A commit
    whose safetensors are in the cache, or that was asked about before, costs no request.

    Args:
        repo: `owner/name`.
        revision: A branch, tag or commit; None for the default branch.
        wanted: Path of a weight file or index in the repository; None to choose: safetensors first, one file or an
            index, then `pytorch_model.bin`.
        cache: Cache directory, where what the hub says about a commit is kept; None to keep nothing.
        max_age: Seconds for which a branch is taken to stand for the commit that it stood for when it was asked last.

    Returns:
        The commit, and the files to analyze.

    Raises:
        CheckpointError: No such repository, revision or file, no right to read it, or the network failed.
    """
    hub = import_hub()
    what = f"hub:{repo}" + (f"@{revision}" if revision else "")
    offline = hub.constants.HF_HUB_OFFLINE
    commit = _cached_commit(hub, repo, revision or "main")
    cached = _cached_files(hub, repo, commit) if commit else []
    settled = offline or commit == revision or _asked_since(hub, repo, revision or "main", max_age)
    if commit and settled and (files := noted(repo, commit, wanted, cache)):
        return HubModel(commit, files)
    # Without the list of the repository, only what nothing in it could be preferred to may be chosen.
    sure = wanted or FIRST_CHOICE
    enough = settled and not sure.endswith(INDEX_SUFFIX) and sure in {each.path for each in cached}
    weights = [each for each in cached if each.path.endswith((*SUFFIXES, INDEX_SUFFIX))]
    if commit and weights and (offline or enough):
        return HubModel(commit, _identified(hub, repo, commit, choose_weights(cached, wanted, what), cached))
    if offline:
        raise CheckpointError(
            f"{what} is not in the cache {hub.constants.HF_HUB_CACHE}, and HF_HUB_OFFLINE forbids to fetch it. "
            "Unset HF_HUB_OFFLINE.",
            transient=True,
        )
    model = _by_name(hub, repo, revision, sure, what) or _by_list(hub, repo, revision, wanted, what)
    _remember_commit(hub, repo, revision or "main", model.commit)
    keep_note(repo, model.commit, wanted, model.files, cache)
    return model


def fetch_from_hub(repo: str, commit: str, path: str, sha256: str, size: int | None = None) -> Path:
    """Bring a weight file of a repository into the user's cache, unless it is there, with `config.json` beside it.

    Args:
        repo: `owner/name`.
        commit: Commit of the repository.
        path: The file's path in it.
        sha256: Its content.
        size: Its bytes, to be shown.

    Returns:
        Path in the cache's snapshot of that commit.

    Raises:
        CheckpointError: It cannot be had, or is another file.
    """
    hub = import_hub()
    fetch_config(repo, commit)
    if not isinstance(hub.try_to_load_from_cache(repo, path, revision=commit), str):
        announce(f"hub:{repo} {path}", size)
    local = _download(hub, repo, commit, path)
    verify_sha256(local, sha256, f"hub:{repo}@{commit} {path} (in the cache: {local})")
    return local


def fetch_config(repo: str, commit: str) -> Path | None:
    """The `config.json` of a repository, out of the user's cache if it is there.

    Args:
        repo: `owner/name`.
        commit: Commit of the repository.

    Returns:
        Its path in the cache; None if the repository has none, or HF_HUB_OFFLINE forbids to look.

    Raises:
        CheckpointError: It cannot be had.
    """
    hub = import_hub()
    there = hub.try_to_load_from_cache(repo, CONFIG, revision=commit)
    if isinstance(there, str):
        return Path(there)
    if there is not None or hub.constants.HF_HUB_OFFLINE:  # the client keeps in mind what a commit does not have
        return None

    found = read_part(hub, repo, commit, CONFIG, 0, _LONGEST_CONFIG)
    return _keep_config(hub, repo, commit, None if found is None else found.content)


def place_on_hub(repo: str, path: str, commit: str, sha256: str) -> list[Path]:
    """Where a large file of a repository lies in the user's cache once it is there: its name, and its content."""
    folder = repository_folder(import_hub(), repo)
    return [folder / "snapshots" / commit / path, folder / "blobs" / sha256]


def _page(hub: ModuleType, repo: str) -> str:
    return f"{hub.constants.ENDPOINT}/{repo}"


def _download(hub: ModuleType, repo: str, commit: str, path: str) -> Path:
    what = f"hub:{repo}@{commit} {path}"
    return Path(ask_hub(hub, what, _page(hub, repo), lambda: hub.hf_hub_download(repo, path, revision=commit)))


def _by_name(hub: ModuleType, repo: str, revision: str | None, path: str, what: str) -> HubModel | None:
    """The model in one file under a name known beforehand; None where the list of the repository is needed."""
    if path.endswith(INDEX_SUFFIX):
        return None
    found = find_file(hub, repo, revision, path, what)
    if found is None:
        return None
    sha256 = found.etag if found.etag and _SHA256.fullmatch(found.etag) else None
    listed = [Listed(path, sha256, found.size)]
    return HubModel(found.commit, (_with_content(hub, repo, found.commit, path, listed),))


def _by_list(hub: ModuleType, repo: str, revision: str | None, wanted: str | None, what: str) -> HubModel:
    """The model as the list of the repository has it."""
    info: Any = ask_hub(
        hub, what, _page(hub, repo), lambda: hub.HfApi().model_info(repo, revision=revision, files_metadata=True)
    )
    listed = [Listed(each.rfilename, each.lfs.sha256 if each.lfs else None, each.size) for each in info.siblings or []]
    return HubModel(info.sha, _identified(hub, repo, info.sha, choose_weights(listed, wanted, what), listed))


def _keep_config(hub: ModuleType, repo: str, commit: str, content: bytes | None) -> Path | None:
    """Put a `config.json` where the hub's client looks for it; None is put down as a file that is not there."""
    folder = repository_folder(hub, repo)
    path = folder / ("snapshots" if content is not None else ".no_exist") / commit / CONFIG
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial.write_bytes(content or b"")
    os.replace(partial, path)
    return None if content is None else path


def _identified(hub: ModuleType, repo: str, commit: str, chosen: str, listed: list[Listed]) -> tuple[HubFile, ...]:
    """The chosen file, or the shards of the chosen index, with their content."""
    if not chosen.endswith(INDEX_SUFFIX):
        return (_with_content(hub, repo, commit, chosen, listed),)
    folder = chosen.rpartition("/")[0]
    names = shard_names(_download(hub, repo, commit, chosen), f"hub:{repo}@{commit} {chosen}")
    return tuple(_with_content(hub, repo, commit, f"{folder}/{name}" if folder else name, listed) for name in names)


def _with_content(hub: ModuleType, repo: str, commit: str, path: str, listed: list[Listed]) -> HubFile:
    entry = next((each for each in listed if each.path == path), None)
    if entry is None:
        offline = hub.constants.HF_HUB_OFFLINE
        raise CheckpointError(
            f"missing shard: the index of hub:{repo}@{commit} names {path}, which is not "
            + ("in the cache. Unset HF_HUB_OFFLINE." if offline else "there. Ask the owner of the repository."),
            transient=offline,
        )
    if entry.sha256 and entry.size is not None:
        return HubFile(path, entry.sha256, entry.size)
    local = _download(hub, repo, commit, path)  # not in large file storage, so small
    return HubFile(path, sha256_of(local), local.stat().st_size)


def _cached_commit(hub: ModuleType, repo: str, revision: str) -> str | None:
    if _COMMIT.fullmatch(revision):
        return revision
    reference = repository_folder(hub, repo) / "refs" / revision
    return reference.read_text().strip() if reference.is_file() else None


def _asked_since(hub: ModuleType, repo: str, revision: str, max_age: float) -> bool:
    """Whether the hub said no longer ago what a branch stands for."""
    reference = repository_folder(hub, repo) / "refs" / revision
    try:
        return 0 <= time.time() - reference.stat().st_mtime < max_age
    except OSError:
        return False


def _remember_commit(hub: ModuleType, repo: str, revision: str, commit: str) -> None:
    """Note down what a branch stands for where the client does so itself, so that it can be looked up offline."""
    if revision == commit:
        return
    reference = repository_folder(hub, repo) / "refs" / revision
    with suppress(OSError):  # a note for later: a cache that cannot be written to stops nobody
        if reference.is_file() and reference.read_text() == commit:
            os.utime(reference)
            return
        reference.parent.mkdir(parents=True, exist_ok=True)
        partial = reference.with_name(f".{reference.name}.{uuid.uuid4().hex}")
        partial.write_text(commit)
        os.replace(partial, reference)


def _cached_files(hub: ModuleType, repo: str, commit: str) -> list[Listed]:
    """The files of a commit that are in the cache; blobs of large files are named by their sha256."""
    snapshot = repository_folder(hub, repo) / "snapshots" / commit
    found = []
    for path in sorted(snapshot.rglob("*")):
        if path.is_file():
            blob = path.resolve().name
            sha256 = blob if _SHA256.fullmatch(blob) else None
            found.append(Listed(path.relative_to(snapshot).as_posix(), sha256, path.stat().st_size))
    return found

"""The content of weights that are to be downloaded: exact key, files and sha256, established when a run is planned."""

from dataclasses import replace
from pathlib import Path

from catalogs import ModelKey, WeightFile, parse_model_key
from checkpoints.errors import CheckpointError
from checkpoints.hub import fetch_config, find_on_hub
from checkpoints.timm_source import find_in_timm
from checkpoints.torchvision_source import find_in_torchvision
from checkpoints.url import identify_url, published_prefix


def identify_remote(file: WeightFile, cache: Path, max_age: float = 0.0) -> list[WeightFile]:
    """Establish the content of a `hub:`, `timm:`, `torchvision:` or `url:` row of a catalog.

    The hub tells the sha256 of large files, so none is downloaded. What lies elsewhere and is not pinned is
    downloaded into the cache and hashed.

    Args:
        file: The row.
        cache: Cache directory for what is downloaded, and for what the hub says.
        max_age: Seconds for which a branch is taken to stand for the commit that it stood for when it was asked last.

    Returns:
        A row for each weight file, with the exact model key, `file`, `weights_sha256` and `size`.

    Raises:
        CheckpointError: There is no such thing, or it cannot be had.
    """
    key = parse_model_key(file.model)
    if key.source == "hub":
        return _pinned(file) or _on_hub(file, key, key.id, file.file or None, "", cache, max_age)
    if key.source == "timm":
        found = find_in_timm(key.id)
        exact = ModelKey("timm", found.name, key.revision)
        if found.repo is not None:
            return _on_hub(file, exact, found.repo, found.file, f"{found.repo}/", cache, max_age)
        assert found.url is not None, found
        if key.revision is not None:
            raise CheckpointError(f"{file.model}: {found.name} is in no repository; leave @{key.revision} out.")
        return [_on_the_web(file, exact, found.url, cache)]
    if key.source == "torchvision":
        weights = find_in_torchvision(key.id, key.revision)
        return [_on_the_web(file, ModelKey("torchvision", key.id, weights.name), weights.url, cache)]
    return [_at_address(file, key, cache)]


def repository_of(file: WeightFile) -> tuple[str, str] | None:
    """Repository and path in it of an identified `hub:` or `timm:` row; None for what lies elsewhere."""
    source = parse_model_key(file.model).source
    if source == "hub":
        return parse_model_key(file.model).id, file.file
    if source == "timm" and not file.file.startswith(("http://", "https://")):
        owner, name, path = file.file.split("/", 2)
        return f"{owner}/{name}", path
    return None


def config_of(file: WeightFile) -> Path | None:
    """The `config.json` beside the weights of an identified `hub:` row, as a local file; None where there is none.

    Raises:
        CheckpointError: It cannot be had.
    """
    key = parse_model_key(file.model)
    return fetch_config(key.id, key.commit) if key.source == "hub" and key.commit else None


def _pinned(file: WeightFile) -> list[WeightFile]:
    """The row itself where a catalog says all that there is to know."""
    known = parse_model_key(file.model).commit and file.file and file.weights_sha256 and not file.file.endswith(".json")
    return [file] if known else []


def _on_hub(
    file: WeightFile, key: ModelKey, repo: str, wanted: str | None, before: str, cache: Path, max_age: float
) -> list[WeightFile]:
    model = find_on_hub(repo, key.revision, wanted, cache=cache, max_age=max_age)
    if file.weights_sha256 is not None:
        if len(model.files) > 1:
            raise CheckpointError(
                f"{file.model} has {len(model.files)} shards, and one sha256 cannot pin them all: "
                "give the catalog a row for each, or leave weights_sha256 out."
            )
        if file.weights_sha256 != (there := model.files[0].sha256):
            raise CheckpointError(
                f"wrong hash: {file.model} must have sha256 {file.weights_sha256}, but on the hub it has {there}. "
                "Correct the catalog, or name the commit that it was made for."
            )
    exact = str(ModelKey(key.source, key.id, model.commit))
    return [
        replace(file, model=exact, file=f"{before}{each.path}", weights_sha256=each.sha256, size=each.size)
        for each in model.files
    ]


def _at_address(file: WeightFile, key: ModelKey, cache: Path) -> WeightFile:
    """A `url:` row with the whole sha256: the one that it pins, or that of what comes and agrees with what it says."""
    if file.weights_sha256 is not None:
        return file  # checked when it is fetched
    algorithm, _, digits = (key.revision or "").partition("=")
    found = identify_url(key.id, digits, cache, algorithm if digits else "sha256")
    exact = ModelKey("url", key.id, f"sha256={found.sha256}")
    return replace(file, model=str(exact), file=key.id, weights_sha256=found.sha256, size=found.size)


def _on_the_web(file: WeightFile, key: ModelKey, url: str, cache: Path) -> WeightFile:
    if file.weights_sha256 is not None:
        return replace(file, model=str(key), file=url)
    found = identify_url(url, published_prefix(url), cache)
    return replace(file, model=str(key), file=url, weights_sha256=found.sha256, size=found.size)

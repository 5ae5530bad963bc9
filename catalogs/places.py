"""Where files lie: a folder of this machine, or a URL that pyarrow knows (`s3://bucket/run1`, `gs://bucket/run1`).

A URL may name its server, `s3://bucket/run1?endpoint_override=127.0.0.1:9000&scheme=http`; so may AWS_ENDPOINT_URL_S3
and AWS_ENDPOINT_URL. What is secret in a URL is never shown.
"""

import os
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from catalogs.errors import CatalogError
from catalogs.names import unknown_name

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

CONNECT_SECONDS = 5.0
"""Longest wait for a server to take a connection; pyarrow tries three times."""

_SCHEMES = ("s3", "gs", "gcs")
_S3_OPTIONS = ("endpoint_override", "scheme", "region", "tls_ca_file_path", "force_virtual_addressing")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):/(/?)")
_SECRET = re.compile(r"key|secret|token|password|signature|credential", re.IGNORECASE)
_HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder in an object store. It pickles, and its string shows no secret.

    Attributes:
        url: As it was typed.
        endpoint: The server that the environment names for it; a worker elsewhere may have another environment.
    """

    url: str = field(repr=False)
    endpoint: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        parts = urlsplit(self.url)
        user, at, server = parts.netloc.rpartition("@")
        shown = user if user in ("", "anonymous") else _HIDDEN
        query = [(name, _HIDDEN if _SECRET.search(name) else value) for name, value in parse_qsl(parts.query)]
        return urlunsplit(parts._replace(netloc=f"{shown}{at}{server}", query=urlencode(query, safe="*:/")))

    @property
    def bucket(self) -> str:
        """Name of the bucket."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def root(self) -> str:
        """Bucket and path, as the file system names them."""
        return f"{self.bucket}{urlsplit(self.url).path}".rstrip("/")

    @property
    def name(self) -> str:
        """The last part of the path."""
        return PurePosixPath(self.root).name

    def hidden(self, text: str) -> str:
        """A text without the secrets of the URL."""
        parts = urlsplit(self.url)
        secrets = [unquote(each) for each in (parts.username, parts.password) if each and each != "anonymous"]
        secrets += [value for name, value in parse_qsl(parts.query) if _SECRET.search(name)]
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, _HIDDEN)
        return text


Where = Path | Place


def place_of(typed: str | Path | Place) -> Where:
    """A folder or a place in an object store, from what was typed.

    Raises:
        CatalogError: It is a URL of a kind that is not known, without a bucket, or with `.` or `..` in its path.
    """
    if isinstance(typed, Place):
        return typed
    text = str(typed)
    found = _URL.match(text)
    if found is None or (not found[2] and found[1] not in _SCHEMES):  # Path("s3://a") has lost a slash
        return Path(typed)
    url = f"{found[1].lower()}://{text[found.end() :]}"
    scheme = urlsplit(url).scheme
    if scheme == "file":
        return Path(unquote(urlsplit(url).path))
    if scheme not in _SCHEMES:
        raise CatalogError(unknown_name("kind of URL", f"{scheme}://", [f"{each}://" for each in _SCHEMES]))
    bucket = urlsplit(url).netloc.rpartition("@")[2]
    if not bucket:
        raise CatalogError(f"need a bucket behind {scheme}://, as in {scheme}://bucket/run1.")
    if {".", ".."} & {bucket, *unquote(urlsplit(url).path).split("/")}:
        raise CatalogError(
            f"need the path of a folder as it is, got {Place(url)}: an object store knows no . and .. in it."
        )
    named = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return Place(url, named or None if scheme == "s3" else None)


def filesystem_of(where: Where) -> tuple["FileSystem", str]:
    """The file system of a place, and how it names the place.

    Raises:
        CatalogError: The URL has a parameter that is not known.
        OSError: The server that it is made for does not answer.
    """
    if isinstance(where, Path):
        return _local(), str(where.absolute())
    return _remote(where), where.root


def cache_directory() -> Path:
    """Where what is fetched is kept: $SETOL_CACHE, else setol-zoo in the user's cache directory."""
    if chosen := os.environ.get("SETOL_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "setol-zoo"


@lru_cache
def _local() -> "FileSystem":
    from pyarrow.fs import LocalFileSystem

    return LocalFileSystem()


@lru_cache
def _remote(place: Place) -> "FileSystem":
    from pyarrow.fs import FileSystem

    parts = urlsplit(place.url)
    if parts.scheme == "s3":
        return _s3(place)
    query = dict(parse_qsl(parts.query))
    if parts.scheme in ("gs", "gcs"):
        query.setdefault("retry_limit_seconds", "10")  # by itself it goes on for a quarter of an hour
    filesystem, _ = FileSystem.from_uri(urlunsplit(parts._replace(query=urlencode(query))))
    return filesystem


def _s3(place: Place) -> "FileSystem":
    from pyarrow.fs import S3FileSystem, resolve_s3_region

    parts = urlsplit(place.url)
    query = dict(parse_qsl(parts.query))
    for name in query:
        if name not in _S3_OPTIONS:
            raise CatalogError(unknown_name("parameter of the URL", name, list(_S3_OPTIONS)))
    endpoint = query.get("endpoint_override") or place.endpoint
    region = query.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    options: dict[str, Any] = {"scheme": query.get("scheme", "https")}
    if endpoint:
        scheme, _, server = endpoint.rpartition("://")
        options = {"scheme": scheme or options["scheme"], "endpoint_override": server.rstrip("/")}
    if parts.username:
        options |= {"access_key": unquote(parts.username), "secret_key": unquote(parts.password or "")}
    if authority := query.get("tls_ca_file_path"):
        options["tls_ca_file_path"] = authority
    return S3FileSystem(
        **options,
        region=region or ("us-east-1" if endpoint else resolve_s3_region(place.bucket)),
        force_virtual_addressing=query.get("force_virtual_addressing") == "true",
        connect_timeout=CONNECT_SECONDS,
        allow_delayed_open=True,  # a small file is one PUT, not the three requests of a multipart upload
    )

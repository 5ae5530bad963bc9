"""The key of a model, `source:id@revision`: one string that says where its weights come from."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import parse_qsl, unquote, urlsplit

from catalogs.errors import CatalogError
from catalogs.names import unknown_name
from catalogs.plain import LONGEST_KEY, hidden_character, no_file_name

SOURCES = ("wheel", "path", "hub", "timm", "torchvision", "url", "scores")

UNPINNED = "unpinned"
"""What stands behind the address of a file of which nobody has published a hash."""

# Both end up on pip's command line, so neither may begin with a dash or hold a blank.
# Names are those of PEP 508, versions those of PEP 440.
_WHEEL_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?/[A-Za-z0-9_][A-Za-z0-9._-]*")
_WHEEL_REVISION = re.compile(r"[0-9][A-Za-z0-9.!+]*")
# A few old repositories of the hub have no owner. A revision is a branch, a tag (both may have slashes) or a commit.
_HUB_ID = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9_.-]*/)?[A-Za-z0-9_][A-Za-z0-9_.-]*")
_HUB_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TIMM_ID = re.compile(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_-]+)?")
_TORCHVISION = re.compile(r"[A-Za-z0-9_]+")
_PUBLISHED = re.compile(rf"sha256=[0-9a-f]{{8,64}}|sha1=[0-9a-f]{{8,40}}|{UNPINNED}")
_WHOLE_SHA256 = re.compile(r"sha256=([0-9a-f]{64})")
# A name of somebody else's in plain characters, with slashes.
_SCORES_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*")
_SUFFIX = re.compile(r"\.[A-Za-z]+$")
_SECRET = re.compile(r"token|secret|signature|credential|password|key|^sig$|^auth", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ModelKey:
    """A model key, taken apart.

    Attributes:
        source: One of `SOURCES`.
        id: For `wheel`, the distribution and a model in it, `gnnrl/resnet20`; for `path`, the path; for `hub`, the
            repository; for `timm` and `torchvision`, the model; for `url`, the address; for `scores`, which has no
            weights that can be fetched, whatever tells the model from others.
        revision: For `wheel`, the version of the distribution; for `hub` and `timm`, a branch, tag or commit of the
            repository; for `torchvision`, the name of the weights; for `url`, what is known of the hash:
            `sha256=HEX`, `sha1=HEX` (the first digits or all) or `unpinned`; for `scores`, whatever tells two states
            of a model apart. A `path` has none.
    """

    source: str
    id: str
    revision: str | None

    def __str__(self) -> str:
        behind = "#" if self.source == "url" else "@"
        return f"{self.source}:{self.id}" + (f"{behind}{self.revision}" if self.revision else "")

    @property
    def distribution(self) -> str | None:
        """For `wheel`, the name that pip downloads the wheel by; else None."""
        return self.id.split("/")[0] if self.source == "wheel" else None

    @property
    def commit(self) -> str | None:
        """The revision if it is a commit of a repository, which never changes; else None."""
        return self.revision if self.revision and _COMMIT.fullmatch(self.revision) else None

    @property
    def sha256(self) -> str | None:
        """The whole sha256 that the key of a `url` pins; else None."""
        found = _WHOLE_SHA256.fullmatch(self.revision or "")
        return found[1] if found else None

    @property
    def long_name(self) -> str:
        """A name that tells more: the id without a file's suffix, `runs/1/model`; two revisions of one id differ."""
        if self.source == "path":
            return _SUFFIX.sub("", self.id)
        if self.source == "url":
            parts = urlsplit(self.id)
            return _SUFFIX.sub("", f"{parts.netloc}{unquote(parts.path)}")
        if self.source in ("hub", "torchvision", "scores") and self.revision:
            return f"{self.id}@{self.revision}"
        return self.id

    @property
    def short_name(self) -> str:
        """The last component of the id, without a file's suffix."""
        name = self.id if self.source in ("hub", "torchvision", "scores") else self.long_name
        return re.split(r"[/\\]", name.rstrip("/\\"))[-1]


def parse_model_key(text: str) -> ModelKey:
    """Take a model key apart.

    Args:
        text: One of
            `wheel:DISTRIBUTION/MODEL@VERSION`;
            `path:PATH`, where an `@` is part of the path;
            `hub:OWNER/NAME`, `hub:OWNER/NAME@REVISION`;
            `timm:MODEL.TAG`, where tag and revision may be left out;
            `torchvision:MODEL@WEIGHTS`, where the weights may be left out;
            `url:https://HOST/FILE`, `url:https://HOST/FILE#sha256=HEX`, `url:https://HOST/FILE#sha1=HEX`,
            `url:https://HOST/FILE#unpinned`;
            `scores:NAME`, `scores:OWNER/NAME@REVISION`: scores without weights.

    Returns:
        The key; `str(key)` gives the text back.

    Raises:
        CatalogError: The source is unknown, or what follows it is not of the source's form.
    """
    check_visible(text)
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
    if source == "url":
        return _url_key(rest)
    if source == "wheel":
        return _wheel_key(text, rest)
    return _named_key(text, source, rest)


def check_visible(text: str) -> None:
    """Make sure that a model key, or what may become one, can be shown.

    Raises:
        CatalogError: It is too long, or holds a character that nobody sees.
    """
    shown = "of an address" if "://" in text else ascii(text[:60])  # an address may hold a password
    if len(text) > LONGEST_KEY:
        raise CatalogError(f"malformed model key {shown}...: need at most {LONGEST_KEY} characters, got {len(text)}")
    if hidden := hidden_character(text):
        raise CatalogError(
            f"malformed model key {shown}: it holds the character {hidden}, which nobody sees. "
            "Rename the file, or write the key without it."
        )


def _wheel_key(text: str, rest: str) -> ModelKey:
    identifier, at, revision = rest.partition("@")
    if not at or not revision:
        raise CatalogError(f"model key {text!r} has no revision: need the wheel's version, wheel:{identifier}@VERSION")
    if not _WHEEL_ID.fullmatch(identifier):
        raise CatalogError(f"malformed model key {text!r}: need wheel:DISTRIBUTION/MODEL@VERSION, got {identifier!r}")
    if not _WHEEL_REVISION.fullmatch(revision):
        raise CatalogError(f"malformed model key {text!r}: need a version such as 1.0.9 behind @, got {revision!r}")
    return ModelKey("wheel", identifier, revision)


def _named_key(text: str, source: str, rest: str) -> ModelKey:
    """The key of a repository of the hub, of a model that timm or torchvision knows, or of one without weights."""
    identifier, at, revision = rest.partition("@")
    wanted, id_form, revision_form = {
        "hub": ("hub:OWNER/NAME or hub:OWNER/NAME@REVISION", _HUB_ID, _HUB_REVISION),
        "timm": ("timm:MODEL or timm:MODEL.TAG", _TIMM_ID, _HUB_REVISION),
        "torchvision": ("torchvision:MODEL or torchvision:MODEL@WEIGHTS", _TORCHVISION, _TORCHVISION),
        "scores": ("scores:NAME or scores:OWNER/NAME@REVISION", _SCORES_ID, _HUB_REVISION),
    }[source]
    if not id_form.fullmatch(identifier) or ".." in identifier:
        raise CatalogError(f"malformed model key {text!r}: need {wanted}, got {identifier!r}")
    if at and (not revision_form.fullmatch(revision) or ".." in revision):
        raise CatalogError(f"malformed model key {text!r}: need {wanted}, got {revision!r} behind @")
    return ModelKey(source, identifier, revision or None)


def _url_key(rest: str) -> ModelKey:
    """The key of a file on the web. Messages leave out the address where it may hold a password."""
    address, hash_sign, fragment = rest.partition("#")
    try:
        parts = urlsplit(address)
        fits = parts.scheme in ("http", "https") and parts.hostname and not re.search(r"[\s\0\\]", address)
    except ValueError:
        fits = False
    if not fits:
        raise CatalogError("malformed model key of source url: need an address, url:https://HOST/PATH/FILE")
    secrets = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True) if _SECRET.search(name)]
    if "@" in parts.netloc or secrets:
        raise CatalogError(
            f"refused the model key url:{parts.scheme}://{parts.hostname}{parts.path}: it holds credentials "
            f"({secrets[0] if secrets else 'user or password'}), and keys are written into results. "
            "Download the file yourself and name it by path:"
        )
    name = PurePosixPath(unquote(parts.path)).name
    if not name:
        raise CatalogError(f"malformed model key 'url:{address}': need the address of a file, url:https://HOST/FILE")
    if problem := no_file_name(name):
        raise CatalogError(f"malformed model key 'url:{address}': need the address of a file to be kept, and {problem}")
    if hash_sign and not _PUBLISHED.fullmatch(fragment.lower()):
        raise CatalogError(
            f"malformed model key 'url:{rest}': need #sha256= and 64 hexadecimal digits behind the file; where only "
            f"the first of them were published, those (8 or more); else #sha1= and 8 to 40; else #{UNPINNED}"
        )
    return ModelKey("url", address, fragment.lower() or None)

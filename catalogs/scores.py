"""Rows of a scores file to `Score` records: defaults filled in, every rule checked."""

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import cache

from catalogs.names import unknown_name
from catalogs.records import UNITS, Score, WeightFile
from catalogs.table import Row

_LOWER_IS_BETTER = {"err", "error", "loss", "perplexity", "ppl", "nll", "entropy"}
_LARGEST = {"percent": 100.0, "fraction": 1.0}
# The search for near names takes about 20 ms among a thousand models: too long for each row of a wrong file.
_SUGGESTIONS = 50
_NEEDED = ("dataset", "metric", "value")

# Columns that make a row of a catalog file say a score as well (weights_sha256 there is the file's own).
SCORE_CELLS = (
    *("dataset", "split", "metric", "value", "unit", "higher_is_better"),
    *("stderr", "n_test", "setting", "primary", "provenance"),
)


def read_scores(own: Sequence[Row], separate: Sequence[Row], files: Sequence[WeightFile]) -> list[Score]:
    """The scores of a catalog.

    Args:
        own: Rows of the catalog file, where a model may carry one score of its own.
        separate: Rows of the scores file. `model` there may be a short name as well.
        files: The weight files, to check the models against.

    Returns:
        A record for each score that can be read. What is wrong with a row is noted in its `problems`.
    """
    models = {file.model for file in files}
    key_of = {file.name: file.model for file in files} | {model: model for model in models}
    hashes: dict[str, set[str | None]] = defaultdict(set)
    for file in files:
        hashes[file.model].add(file.weights_sha256)

    rows = [row for row in own if row.text("model") in models and any(map(row.text, SCORE_CELLS))]
    places_of_files = {row.place for row in rows}
    rows += separate
    primary = _primary(rows, key_of)
    scores = []
    first: dict[tuple[str | None, ...], Row] = {}
    for row in rows:
        model = key_of.get(row.text("model") or "")
        if model is None:
            _report_model(row, files)
            continue
        measured_on = None if row.place in places_of_files else row.sha256("weights_sha256")
        if measured_on and None not in hashes[model] and measured_on not in hashes[model]:
            row.problem(f"weights_sha256 is of no file of {model!r}: this score was measured on other weights")
        score = _score(row, model, primary[row.place], measured_on)
        if score is None:
            continue
        same = (model, score.dataset, score.split, score.metric, score.setting)
        earlier = first.setdefault(same, row)
        if earlier is not row:
            row.problem(
                f"model {model!r} has this dataset, split, metric and setting in {earlier.place} already; "
                "need one value, or the setting that tells the two apart"
            )
        scores.append(score)
    return scores


def _report_model(row: Row, files: Sequence[WeightFile]) -> None:
    text = row.text("model")
    if text is None:
        row.problem("needs the model that the score is of")
        return
    told = f"unknown model {text!r}"
    if len(row.problems) < _SUGGESTIONS:
        told = unknown_name("model", text, [file.model if ":" in text else file.name for file in files])
    row.problem(f"score of a model that is not in the catalog: {told}")


def _score(row: Row, model: str, primary: bool, weights_sha256: str | None) -> Score | None:
    for column in _NEEDED:
        if row.text(column) is None:
            row.problem(f"a score needs {column}")
    dataset, metric, value, unit = row.text("dataset"), row.text("metric"), row.real("value"), _unit(row)
    higher, stderr, n_test = row.truth("higher_is_better"), row.real("stderr"), row.whole("n_test")
    if stderr is not None and stderr < 0:
        row.problem(f"stderr needs a number of at least 0, got {stderr}")
    if dataset is None or metric is None or value is None or unit is None:
        return None

    largest = _LARGEST.get(unit)
    if largest is not None and not 0 <= value <= largest:
        row.problem(f"a {unit} is between 0 and {largest:g}, got {value:g} for {metric}; is the unit right?")
    if unit == "perplexity" and value < 1:
        row.problem(f"a perplexity is at least 1, got {value:g} for {metric}; is the unit right?")
    if higher is None:
        higher = unit != "perplexity" and higher_is_better(metric)
    return Score(
        model=model,
        dataset=dataset,
        split=row.text("split"),
        metric=metric,
        value=value,
        unit=unit,
        higher_is_better=higher,
        stderr=stderr,
        n_test=n_test,
        setting=row.text("setting"),
        primary=primary,
        weights_sha256=weights_sha256,
        provenance=row.text("provenance"),
    )


@cache
def higher_is_better(metric: str) -> bool:
    """Whether a score of that name is better when it is higher: all but errors, losses and perplexities are."""
    return not _LOWER_IS_BETTER & set(re.split(r"[^a-z]+", metric.lower()))


def _unit(row: Row) -> str | None:
    unit = row.text("unit")
    if unit is None:
        if row.text("value") is not None:
            what = f"value {row.text('value')} of {row.text('metric') or 'a score'}"
            row.problem(f"{what} has no unit; need one of {', '.join(UNITS)} in the column unit")
        return None
    if unit not in UNITS:
        row.problem(unknown_name("unit", unit, UNITS))
        return None
    return unit


def _primary(rows: Sequence[Row], key_of: dict[str, str]) -> dict[str, bool]:
    """For each row, by its place, whether it is the primary score of its model on its dataset.

    The only score on a dataset is primary unless it says false. Of several, one has to be marked.
    """
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        model, dataset = key_of.get(row.text("model") or ""), row.text("dataset")
        if model is not None and dataset is not None:
            groups[model, dataset].append(row)

    primary = {row.place: row.truth("primary") or False for row in rows}
    for (model, dataset), group in groups.items():
        marked = [row for row in group if primary[row.place]]
        if len(marked) > 1:
            places = ", ".join(row.place for row in marked[:-1])
            marked[-1].problem(
                f"model {model!r} has more than one primary score on {dataset!r}, see {places}; need one"
            )
        if all(row.text("primary") is None for row in group):
            if len(group) == 1:
                primary[group[0].place] = True
            else:
                group[-1].problem(
                    f"model {model!r} has {len(group)} scores on {dataset!r} and none is primary; "
                    "need true in the column primary of one of them (or false in all)"
                )
    return primary

"""Samples out of a results folder: finished models with their primary scores, as columns."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analysis.errors import AnalysisError
from analysis.opening.results import Results
from analysis.samples.sample import Sample, Target
from analysis.samples.score_table import binomial_errors
from analysis.statistics.records import Vector
from catalogs import unknown_name

_TARGET = ("dataset", "split", "score_metric", "unit", "higher_is_better")
_KEYS = ("model", "family", "architecture", "content", "duplicate_group")
_BASELINES = ("log10_params", "depth")


def samples_from_results(
    results: Results, *, dataset: str | None = None, family: str | None = None, metrics: Sequence[str]
) -> tuple[Sample, ...]:
    """The models whose every weight file is done, with their primary scores: a sample a score.

    Args:
        results: Open results.
        dataset: Only scores on this.
        family: Only models of this one.
        metrics: Columns of `scored_models`; the baselines log10_params and depth always come along, and the standard
            error over layers of each mean.

    Returns:
        The samples of most models first. Of models of one content or duplicate group, the first by family and key
        stands for all.

    Raises:
        AnalysisError: A dataset, family or metric is unknown.
    """
    schema = results.sql("FROM scored_models LIMIT 0").schema
    numbers = [field.name for field in schema if pa.types.is_floating(field.type) or pa.types.is_integer(field.type)]
    columns = list(dict.fromkeys([*metrics, *_BASELINES]))
    for name in columns:
        if name not in numbers and f"{name}_mean" in numbers:
            raise AnalysisError(
                f"unknown metric {name!r} of models: it is one of layers, and its mean over them is {name}_mean"
            )
        _check("metric", name, numbers)
    errors = {name: f"{name.removesuffix('_mean')}_se" for name in columns if name.endswith("_mean")}
    errors = {name: error for name, error in errors.items() if error in numbers}
    names = [*_TARGET, *_KEYS, "score", "score_stderr", "n_test", *columns, *errors.values()]
    chosen = ", ".join(f'"{name}"' for name in dict.fromkeys(names))  # names of the view's own columns alone
    table = results.sql(
        f"SELECT {chosen} FROM scored_models WHERE isfinite(score) ORDER BY {', '.join(_TARGET)}, family, model"
    )
    if dataset is not None:
        _check("dataset", dataset, table["dataset"].to_pylist())
    if family is not None:
        _check("family", family, [name for name in table["family"].to_pylist() if name])
    found = []
    for target, rows in _targets(table).items():
        if dataset in (None, target.dataset):
            own = table.take(rows)
            if family is not None:
                own = own.filter(pc.equal(own["family"], family))
            if len(own):
                found.append(_sample(own, target, columns, errors))
    return tuple(sorted(found, key=lambda sample: (-sample.n, sample.target.dataset)))


def first_of_each(names: Sequence[Sequence[object]]) -> NDArray[np.bool_]:
    """Which of several things have no name that one before them has; things without a name are all kept."""
    seen: set[object] = set()
    keep = np.zeros(len(names), dtype=bool)
    for index, own in enumerate(names):
        keep[index] = not any(name in seen for name in own)
        seen.update(own)
    return keep


def _check(kind: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise AnalysisError(unknown_name(kind, name, known))


def _targets(table: pa.Table) -> dict[Target, list[int]]:
    """The rows of each score."""
    found: dict[Target, list[int]] = {}
    for row, values in enumerate(zip(*(table[name].to_pylist() for name in _TARGET), strict=True)):
        found.setdefault(Target(**dict(zip(_TARGET, values, strict=True))), []).append(row)
    return found


def _sample(table: pa.Table, target: Target, columns: Sequence[str], errors: dict[str, str]) -> Sample:
    kinds = ("content", "duplicate_group")
    described = zip(*(table[kind].to_pylist() for kind in kinds), strict=True)
    keep = first_of_each(
        [[pair for pair in zip(kinds, names, strict=True) if pair[1] is not None] for names in described]
    )
    once = table.filter(pa.array(keep))
    score = _vector(once, "score")
    given = _vector(once, "score_stderr")
    binomial = binomial_errors(score, _vector(once, "n_test"), target.score_metric, target.unit)
    return Sample(
        target=target,
        models=tuple(once["model"].to_pylist()),
        families=tuple(once["family"].to_pylist()),
        architectures=tuple(once["architecture"].to_pylist()),
        score=score,
        score_error=np.where(given > 0, given, binomial),
        columns={name: _vector(once, name) for name in columns},
        errors={name: _vector(once, error) for name, error in errors.items()},
    )


def _vector(table: pa.Table, name: str) -> Vector:
    """A column, NaN for NULL and whatever is not finite."""
    values: Vector = table[name].cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
    return np.where(np.isfinite(values), values, np.nan)

"""Models that have one published score, with their metrics: what every statistic of a zoo starts from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analysis.errors import AnalysisError
from analysis.statistics.records import Vector
from catalogs import unknown_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A published score that models are compared by.

    Attributes:
        dataset: What the score was measured on, with `split`.
        split: Part of the data set.
        score_metric: What was measured, such as `acc@1`.
        unit: One of `catalogs.records.UNITS`.
        higher_is_better: False for errors, losses and perplexities.
    """

    dataset: str
    split: str | None
    score_metric: str
    unit: str
    higher_is_better: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """Models with one score and any number of columns. No content and no duplicate group is in it twice.

    Attributes:
        target: The score.
        models: Their keys, shape (n,) as all that follows.
        families: The series that each belongs to, None for none.
        architectures: Their networks' names, None for unknown.
        score: In the target's unit, finite.
        score_error: Standard errors of the scores, in the same unit; NaN where nobody knows them.
        columns: Metrics and baselines (`log10_params`, `depth`) by name; NaN where a model has none.
        errors: Standard errors of the columns that have any, by the columns' names; NaN where unknown.
    """

    target: Target
    models: tuple[str, ...]
    families: tuple[str | None, ...]
    architectures: tuple[str | None, ...]
    score: Vector
    score_error: Vector
    columns: Mapping[str, Vector]
    errors: Mapping[str, Vector]

    @property
    def n(self) -> int:
        """Models."""
        return len(self.models)

    @property
    def family_names(self) -> tuple[str, ...]:
        """The families, sorted."""
        return tuple(sorted({name for name in self.families if name is not None}))

    @property
    def family_codes(self) -> NDArray[np.int64]:
        """The place of each model's family in `family_names`, -1 for none, shape (n,)."""
        place = {name: index for index, name in enumerate(self.family_names)}
        return np.array([-1 if name is None else place[name] for name in self.families], dtype=np.int64)

    def column(self, name: str) -> Vector:
        """One column.

        Raises:
            AnalysisError: There is none of this name; the message has the nearest.
        """
        if name not in self.columns:
            raise AnalysisError(unknown_name("metric", name, tuple(self.columns)))
        return self.columns[name]

    def where(self, chosen: NDArray[np.bool_]) -> "Sample":
        """The models for which `chosen`, shape (n,), is true."""
        picked = np.flatnonzero(chosen)
        return replace(
            self,
            models=tuple(self.models[index] for index in picked),
            families=tuple(self.families[index] for index in picked),
            architectures=tuple(self.architectures[index] for index in picked),
            score=self.score[picked],
            score_error=self.score_error[picked],
            columns={name: values[picked] for name, values in self.columns.items()},
            errors={name: values[picked] for name, values in self.errors.items()},
        )

    def complete(self, *names: str) -> "Sample":
        """The models that have all of these columns.

        Raises:
            AnalysisError: There is no column of such a name.
        """
        there = np.ones(self.n, dtype=bool)
        for name in names:
            there &= np.isfinite(self.column(name))
        return self.where(there)

    def family(self, name: str) -> "Sample":
        """The models of one family."""
        return self.where(np.array([family == name for family in self.families], dtype=bool))

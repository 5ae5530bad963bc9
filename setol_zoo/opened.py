"""Results folders opened for a notebook: views as DataFrames, questions in SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from analysis import Results


@dataclass(frozen=True, slots=True, repr=False)
class Zoo:
    """One configuration of one or several results folders; docs/results.md has the views and their columns."""

    results: "Results"

    @property
    def models(self) -> "pd.DataFrame":
        """A row for every model: how far its analysis goes, and mean, median and standard error of its metrics."""
        metrics = self.sql("SELECT * EXCLUDE (name, family) FROM model_metrics")
        return self.sql("SELECT * FROM models").merge(metrics, on="model", how="left")

    @property
    def layers(self) -> "pd.DataFrame":
        """A row for every analyzed matrix of every model, with its metrics."""
        return self.sql("SELECT * FROM layers")

    def sql(self, query: str) -> "pd.DataFrame":
        """Answer one SELECT on the views.

        Raises:
            AnalysisError: It is not one SELECT, names something unknown, or cannot be answered.
        """
        return self.to_arrow(query).to_pandas()

    def to_arrow(self, query: str) -> "pa.Table":
        """The same as an Arrow table, where NULL is told from NaN and integers stay integers."""
        return self.results.sql(query)

    def spectrum(self, model: str, layer: str, part: str | None = None) -> "NDArray[np.float64]":
        """The pooled spectrum that the metrics of a layer were computed from.

        Args:
            model: Key or short name of a model.
            layer: Name of a layer or of its tensor.
            part: Which piece of a fused tensor, such as `q`.

        Returns:
            Eigenvalues of all slices (squared singular values times `evals_factor`), ascending, shape (n_evals,).

        Raises:
            AnalysisError: There is no such model, layer or part, or it has no spectrum.
        """
        return self.results.spectrum(model, layer, part)

    def __repr__(self) -> str:
        from catalogs import counted

        models = counted(self.results.rows("SELECT count(*) AS n FROM models")[0]["n"], "model")
        folders = ", ".join(map(str, self.results.folders))
        return f"{models} in {folders}, configuration {self.results.config}"


def open_zoo(folders: str | Path | Sequence[str | Path], config: str | None = None) -> Zoo:
    """Open results folders that `setol run` or `analyze(..., results=...)` filled.

    Args:
        folders: One or several.
        config: Name of the configuration to show, or its beginning; by default the newest complete one.

    Raises:
        AnalysisError: A folder is not there or holds no results, or there is no such configuration.
    """
    from analysis import open_results

    return Zoo(open_results(folders, config))

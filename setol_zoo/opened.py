"""Results folders opened for a notebook: views as DataFrames, questions in SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from analysis import Results
    from catalogs.places import Where


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

    def refit(
        self,
        preset: str = "default",
        *,
        min_evals: int | None = None,
        kernel_factor: float | None = None,
        detail: str | None = None,
        fingers: str | None = None,
        bulk: str | None = None,
        bootstrap: int | None = None,
        cpus: int | None = None,
    ) -> "Zoo":
        """Metrics anew from the spectra of this configuration, with other options; needs neither weights nor network.

        Args:
            preset: Metric options by name: `default`, `weightwatcher` or `natcomm2021`.
            min_evals: Fewest eigenvalues for a tail fit. This and what follows overrides the preset.
            kernel_factor: Factor on the eigenvalues of convolution kernels.
            detail: How many metrics: `basic`, `standard` or `full`.
            fingers: What to do about the few largest eigenvalues: `keep`, `clip`, `clip_weightwatcher` or `peak`.
            bulk: How the bulk's variance is had: `iteration` or `quantile`.
            bootstrap: Replicas for the goodness of fit and the interval of alpha.
            cpus: Cores to use, by default all.

        Returns:
            The same folder, opened at the configuration of these options. This one shows what it showed before.
            Models without metrics in it are warned of.

        Raises:
            AnalysisError: More than one folder is open: it is not clear which one is meant.
            FolderError: The folder cannot be written to.
            OptionError: An option is unknown or out of range, or no spectra are there.
        """
        import warnings
        from functools import partial

        from analysis.errors import AnalysisError
        from catalogs import counted
        from pipeline.cores import usable_cores
        from pipeline.execution.processes import run_in_processes
        from pipeline.options import preset as metric_options
        from pipeline.refit import RefitRequest, refit, spectrum_options
        from pipeline.store.folder import ResultsFolder
        from setol_zoo.analyze import Quiet

        if len(self.results.folders) > 1:
            folders = ", ".join(map(str, self.results.folders))
            raise AnalysisError(f"need one folder to write metrics to; {folders} are open. Open one, and refit that.")
        metrics = metric_options(
            preset,
            min_evals=min_evals,
            kernel_factor=kernel_factor,
            detail=detail,
            fingers=fingers,
            bulk=bulk,
            bootstrap=bootstrap,
        )
        (folder,) = self.results.folders
        request = RefitRequest(ResultsFolder(folder), metrics, spectrum_options(self.results.configuration.options))
        summary = refit(request, partial(run_in_processes, cpus=cpus or usable_cores()), Quiet())
        if summary.failures:
            told = "; ".join(dict.fromkeys(failure.error for failure in summary.failures))
            warnings.warn(f"{counted(len(summary.failures), 'weight file')} without metrics: {told}", stacklevel=2)
        return open_zoo(folder, summary.config)

    def __repr__(self) -> str:
        from catalogs import counted

        models = counted(self.results.rows("SELECT count(*) AS n FROM models")[0]["n"], "model")
        folders = ", ".join(map(str, self.results.folders))
        return f"{models} in {folders}, configuration {self.results.config}"


def open_zoo(folders: "str | Where | Sequence[str | Where]", config: str | None = None) -> Zoo:
    """Open results folders that `setol run` or `analyze(..., results=...)` filled.

    Args:
        folders: One or several, paths or URLs such as `s3://bucket/run1`.
        config: Name of the configuration to show, or its beginning; by default the newest complete one.

    Raises:
        AnalysisError: A folder is not there or holds no results, or there is no such configuration.
    """
    from analysis import open_results

    return Zoo(open_results(folders, config))

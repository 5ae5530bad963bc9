"""Results folders opened for questions: views in an in-memory DuckDB, read-only."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.errors import AnalysisError
from analysis.opening.configurations import Configuration, choose, configurations
from analysis.opening.guard import close_doors, select
from analysis.opening.ledger import reads
from analysis.opening.literals import sql_text
from analysis.opening.many_files import insert_files
from analysis.opening.stored import find_stored
from analysis.opening.tables import fill_layers, fill_small, load, read_ledger, worked_out
from catalogs import unknown_name
from catalogs.places import Place, Where, place_of

VIEWS = (
    "layers",
    "spectra",
    "scores",
    "attempts",
    "runs",
    "skipped",
    "failures",
    "models",
    "model_metrics",
    "scored_models",
)
"""The views, each after those that it is made of; `sql/<view>.sql` says what is in them."""

_KEPT = {
    "contents": ("models", "scored_models"),
    "averages": ("model_metrics", "scored_models"),
    "skips": ("skipped",),
}
"""Views of the schema `stored` that take long, and those made of them: kept as tables once one is asked for."""

_OF_THE_LEDGER = ("spectra", "skipped")
"""Views that a kept ledger of tensors answers for, where no spectrum is asked for."""

METRICS = (
    *("alpha", "alpha_sigma", "lambda_min", "lambda_max", "d_ks", "d_ww", "n_tail"),
    *("log_norm", "log_spectral_norm", "alpha_hat", "log_alpha_norm", "stable_rank", "matrix_rank", "entropy"),
    *("erg_n", "erg_lambda_min", "erg_trace_log", "tail_trace_log", "tail_trace_log_per_eval"),
    *("erg_delta", "erg_delta_raw", "erg_gap", "erg_n_closest", "erg_share", "erg_null_share"),
    *("alpha_unbiased", "alpha_low", "alpha_high", "n_minima", "hill_alpha", "bounded_alpha", "farms_alpha"),
    *("raw_alpha", "n_fingers", "alpha_hat_clipped", "bootstrap_p", "alpha_interval_low", "alpha_interval_high"),
    *("ratio_exponential", "p_exponential", "ratio_truncated", "p_truncated", "truncated_alpha", "truncated_cutoff"),
    *("ratio_log_normal", "p_log_normal", "ratio_stretched", "p_stretched"),
    *("mp_sigma", "mp_lambda_plus", "mp_soft_rank", "mp_ks", "n_spikes", "trap_theta"),
    *("n_traps", "rand_lambda_max", "rand_soft_rank", "rand_distance"),
    *("log_tail_norm", "log_q2_empirical", "log_q2_discrete", "log_q2_free_cauchy"),
    *("log_q2_inverse_marchenko_pastur", "log_q2_levy_wigner", "log_q2_cumulant"),
    *("tail_long_localization", "tail_long_participation", "tail_long_entropy"),
    *("tail_short_localization", "tail_short_participation", "tail_short_entropy"),
    *("bulk_long_localization", "bulk_long_participation", "bulk_long_entropy"),
    *("bulk_short_localization", "bulk_short_participation", "bulk_short_entropy"),
)
"""The columns of `layers` that `model_metrics` takes the mean, median and standard error of."""


@dataclass(frozen=True, slots=True)
class Results:
    """One configuration of one or several results folders.

    Attributes:
        folders: Where they lie.
        config: Name of the configuration that the views show.
        configs: All that there are, the one that was asked for last first.
    """

    folders: tuple[Where, ...]
    config: str
    configs: tuple[Configuration, ...]
    _connection: duckdb.DuckDBPyConnection = field(repr=False)
    _kept: set[str] = field(repr=False)
    _lists: frozenset[str] = field(repr=False)

    @property
    def configuration(self) -> Configuration:
        """The configuration that the views show."""
        return next(each for each in self.configs if each.name == self.config)

    def sql(self, query: str) -> pa.Table:
        """Answer a question about the views.

        Args:
            query: One SELECT statement.

        Returns:
            All rows of the answer.

        Raises:
            AnalysisError: It is not one SELECT, names something unknown, or DuckDB cannot answer it.
        """
        asked = set(re.findall(r"\w+", query.casefold()))
        self._keep(asked)
        if not self._lists or asked.isdisjoint(_OF_THE_LEDGER) or reads(self._connection, query, self._lists):
            return select(self._connection, query)
        try:
            read_ledger(self._connection, alone=True)
            return select(self._connection, query)
        finally:
            read_ledger(self._connection, alone=False)

    def rows(self, query: str) -> list[dict[str, Any]]:
        """The same as a list of rows, each a dict by column."""
        rows: list[dict[str, Any]] = self.sql(query).to_pylist()
        return rows

    def spectrum(self, model: str, layer: str, part: str | None = None) -> NDArray[np.float64]:
        """The pooled spectrum that the metrics of a layer were computed from.

        Args:
            model: Key or short name of a model.
            layer: Name of a layer, or of its tensor. A tied one gives the spectrum of the tensor that it is tied to.
            part: Which piece of a fused tensor.

        Returns:
            Eigenvalues (squared singular values) of all slices times `evals_factor`, ascending, shape (n_evals,).

        Raises:
            AnalysisError: There is no such model, layer or part, or it has no spectrum.
        """
        key = self._key(model)
        ledger = self.rows(
            f"""SELECT tensor, layer, part, role, tied_to, reason, sentence
                FROM spectra LEFT JOIN stored.reasons USING (reason) WHERE model = {sql_text(key)}"""
        )
        if not ledger:
            raise AnalysisError(f"{model} has no spectra yet; `setol run` with this results folder computes them.")
        row = _find_row(ledger, layer, part)
        tensor = row["tied_to"] or row["tensor"]
        found = self.sql(
            f"""SELECT spectra.evals, layers.evals_factor
                FROM spectra JOIN layers USING (model, file, tensor)
                WHERE model = {sql_text(key)} AND tensor = {sql_text(tensor)}
                    AND spectra.part IS NOT DISTINCT FROM {sql_text(part)}
                    AND layers.part IS NOT DISTINCT FROM {sql_text(part)}"""
        )
        if not len(found):
            raise AnalysisError(f"{model} has no metrics of {layer} yet; the same `setol run` computes them.")
        evals = np.sort(found["evals"][0].values.to_numpy())
        return evals * found["evals_factor"][0].as_py()

    def _keep(self, asked: set[str]) -> None:
        """Work out once what takes long of the views that a question may name by one of its words."""
        for name, views in _KEPT.items():
            if name not in self._kept and not asked.isdisjoint(views):
                table = worked_out(self._connection, name)
                load(self._connection, f"CREATE OR REPLACE TABLE stored.{name}_kept AS FROM incoming", table)
                self._connection.execute(f"CREATE OR REPLACE VIEW stored.{name} AS FROM stored.{name}_kept")
                self._kept.add(name)

    def _key(self, model: str) -> str:
        """The key of a model that is called by its key or its name."""
        models = self.rows("SELECT model, name FROM models")
        keys = [row["model"] for row in models if model in (row["model"], row["name"])]
        if not keys:
            raise AnalysisError(unknown_name("model", model, [name for row in models for name in row.values()]))
        if len(keys) > 1:
            raise AnalysisError(f"several models are called {model}: {', '.join(keys)}; need one of these keys.")
        return str(keys[0])


def open_results(folders: str | Where | Sequence[str | Where], config: str | None = None) -> Results:
    """Open results folders and define the views.

    Args:
        folders: One or several, paths or URLs such as `s3://bucket/run1`; what they have in common counts once, and
            what they say differently about a model is taken from the first.
        config: Name of the configuration to show, or the beginning of it. By default the newest complete one:
            every weight file of known content that did not fail for good has metrics. If none is complete, the newest.

    Raises:
        AnalysisError: A folder is not there or holds no results, or there is no such configuration.
        CatalogError: A URL is of a kind that is not known.
    """
    several = [folders] if isinstance(folders, str | Path | Place) else list(folders)
    if not several:
        raise AnalysisError("need at least one results folder, got none.")
    found_at = (place_of(folder) for folder in several)
    places = tuple(dict.fromkeys(each.resolve() if isinstance(each, Path) else each for each in found_at))
    stored = find_stored(places)
    stored.fetch(stored.attempts.values())
    connection = duckdb.connect(":memory:")
    tables = _script("tables")
    connection.execute(tables)
    insert_files(connection, "stored.attempts", list(stored.attempts.values()), pass_over=True)  # no run mends them
    attempts = connection.sql("FROM stored.attempts").to_arrow_table()
    found = configurations(stored, attempts)
    chosen = choose(found, config)
    fitted, spectra = fill_small(connection, stored, attempts, chosen)
    scripts = [_script(view) for view in VIEWS]
    for script in scripts:
        connection.execute(script)
    depends = repr((duckdb.__version__, tables, scripts, stored.catalog.to_pylist())).encode()
    # Of what is not complete, some files are soon to come.
    lists = fill_layers(connection, fitted, spectra, tables, depends if chosen.complete else None)
    close_doors(connection)
    return Results(places, chosen.name, found, connection, set(_KEPT) if lists else set(), lists)


def _script(name: str) -> str:
    text = (resources.files("analysis") / "sql" / f"{name}.sql").read_text()
    return text.replace("{metrics}", f"[{', '.join(map(sql_text, METRICS))}]")


def _find_row(ledger: list[dict[str, Any]], layer: str, part: str | None) -> dict[str, Any]:
    """The ledger's row of a layer and part that has a spectrum."""
    rows = [row for row in ledger if layer in (row["layer"], row["tensor"])]
    if not rows:
        raise AnalysisError(unknown_name("layer", layer, [row["layer"] for row in ledger if row["role"] != "skipped"]))
    with_spectrum = [row for row in rows if row["role"] != "skipped"]
    if not with_spectrum:
        raise AnalysisError(f"{layer} has no spectrum. {rows[0]['sentence'] or rows[0]['reason']}")
    parts = [row["part"] for row in with_spectrum]
    if part not in parts:
        if part is None:
            raise AnalysisError(f"{layer} is a fused tensor; need the part, one of {', '.join(parts)}.")
        known = [each for each in parts if each]
        raise AnalysisError(unknown_name("part", part, known) if known else f"{layer} has no parts; leave part out.")
    fitting = [row for row in with_spectrum if row["part"] == part]
    if len({row["tensor"] for row in fitting}) > 1:
        tensors = ", ".join(row["tensor"] for row in fitting)
        raise AnalysisError(f"several tensors belong to {layer}: {tensors}; name one of them as the layer.")
    return fitting[0]

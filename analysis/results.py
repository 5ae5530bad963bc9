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

from analysis.configurations import Configuration, choose, configurations, layouts, tries
from analysis.errors import AnalysisError
from analysis.guard import close_doors, select
from analysis.literals import sql_text
from analysis.many_files import insert_files
from analysis.stored import Stored, find_stored, lazy_parquet
from catalogs import unknown_name
from catalogs.identity import fit_id, spectra_id
from catalogs.places import Place, Where, place_of
from setol import Reason

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
    _kept: set[str] = field(repr=False, default_factory=set)

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
        self._keep(query)
        return select(self._connection, query)

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

    def _keep(self, query: str) -> None:
        """Work out once what takes long of the views that a question may name."""
        asked = set(re.findall(r"\w+", query.casefold()))
        for name, views in _KEPT.items():
            if name not in self._kept and not asked.isdisjoint(views):
                table = select(self._connection, f"FROM stored.{name}")
                _load(self._connection, f"CREATE OR REPLACE TABLE stored.{name}_kept AS FROM incoming", table)
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
    connection.execute(_script("tables"))
    insert_files(connection, "stored.attempts", list(stored.attempts.values()), pass_over=True)  # no run mends them
    attempts = connection.sql("FROM stored.attempts").to_arrow_table()
    found = configurations(stored, attempts)
    chosen = choose(found, config)
    _fill(connection, stored, attempts, chosen)
    for view in VIEWS:
        connection.execute(_script(view))
    close_doors(connection)
    return Results(places, chosen.name, found, connection)


def _fill(connection: duckdb.DuckDBPyConnection, stored: Stored, attempts: pa.Table, chosen: Configuration) -> None:
    """Load what is small about the chosen configuration, and point at the spectra where they lie."""
    hashes = sorted({sha256 for sha256 in stored.catalog["weights_sha256"].to_pylist() if sha256})
    laid_out = layouts(stored, chosen.options)
    fits = {sha256: fit_id(sha256, chosen.options, laid_out.get(sha256)) for sha256 in hashes}
    done = [sha256 for sha256 in hashes if fits[sha256] in stored.layers]
    spectra = [spectra_id(sha256, chosen.options, laid_out.get(sha256)) for sha256 in hashes]
    fitted = [stored.layers[fits[sha256]] for sha256 in done]
    files = [stored.spectra[name] for name in spectra if name in stored.spectra]
    stored.fetch([*fitted, *files])  # spectra too: what was analyzed, and how far, stands in them alone
    insert_files(connection, "stored.layers", fitted)
    connection.execute("DELETE FROM stored.attempts WHERE config IS DISTINCT FROM $name", {"name": chosen.name})
    _load(connection, "CREATE TABLE stored.catalog AS FROM incoming", stored.catalog)
    _load(connection, "CREATE TABLE stored.scores AS FROM incoming", stored.scores)
    _load(connection, "CREATE TABLE stored.tries AS FROM incoming", tries(stored, attempts, chosen.name))
    _load(
        connection, "INSERT INTO stored.done FROM incoming", pa.table({"weights_sha256": pa.array(done, pa.string())})
    )
    reasons = {"reason": [each.value for each in Reason], "sentence": [each.sentence for each in Reason]}
    _load(connection, "INSERT INTO stored.reasons FROM incoming", pa.table(reasons))
    connection.register("stored_spectra", lazy_parquet(files, _schema(connection, "spectra")))


def _load(connection: duckdb.DuckDBPyConnection, statement: str, incoming: pa.Table) -> None:
    connection.register("incoming", incoming)
    connection.execute(statement)
    connection.unregister("incoming")


def _schema(connection: duckdb.DuckDBPyConnection, table: str) -> pa.Schema:
    return connection.sql(f"FROM stored.{table} LIMIT 0").to_arrow_table().schema


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

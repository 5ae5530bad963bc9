"""What the report says about a run, as queries on the views."""

from itertools import groupby
from operator import itemgetter
from typing import Any

from analysis.opening.results import Results
from analysis.order import natural
from analysis.reporting.grouped import grouped_kernels, told

Row = dict[str, Any]


def totals(results: Results) -> Row:
    """Counts over all models."""
    return results.rows(
        """SELECT count(*) AS n_models,
            count(*) FILTER (status = 'done') AS n_done,
            count(*) FILTER (status = 'partial') AS n_partial,
            count(*) FILTER (status = 'failed') AS n_failed,
            count(*) FILTER (status = 'pending') AS n_pending,
            sum(n_analyzed) AS n_analyzed, sum(n_ok) AS n_ok, sum(n_tied) AS n_tied, sum(n_skipped) AS n_skipped,
            sum(params_covered) AS params_covered,
            sum(params_covered) / nullif(sum(params_matrices), 0) AS coverage
        FROM models WHERE status <> 'scores-only'"""
    )[0]


def run_facts(results: Results) -> Row:
    """When, where and how long, from the log."""
    return results.rows(
        """SELECT count(*) AS tries,
            min(started) AS first, max(started) AS last,
            list_sort(list(DISTINCT host)) AS hosts,
            list_sort(list(DISTINCT device)) AS devices,
            list_sort(list(DISTINCT code_version)) AS versions,
            sum(seconds_fetch) AS seconds_fetch,
            sum(seconds_spectra) AS seconds_spectra,
            sum(seconds_metrics) AS seconds_metrics,
            sum(bytes) FILTER (NOT reused_spectra AND outcome = 'done') AS bytes,
            max(peak_rss_anon) AS peak_rss_anon
        FROM attempts"""
    )[0]


def model_rows(results: Results) -> list[Row]:
    """Every model with its means and one score: on the dataset that most models have a score on."""
    rows = results.rows(
        """WITH datasets AS (
            SELECT dataset, count(*) AS n_models FROM scores WHERE "primary" GROUP BY dataset
        ),
        chosen AS (
            SELECT model, dataset, metric AS score_metric, value AS score, unit,
                row_number() OVER (PARTITION BY model ORDER BY n_models DESC, dataset) AS place,
                count(*) OVER (PARTITION BY model) - 1 AS n_more
            FROM scores JOIN datasets USING (dataset)
            WHERE "primary"
        )
        SELECT models.*, dataset, score_metric, score, unit, n_more, n_layers,
            alpha_median, alpha_mean, alpha_se, alpha_hat_mean, alpha_hat_se,
            erg_delta_mean, erg_delta_se
        FROM models
        LEFT JOIN (FROM chosen WHERE place = 1) USING (model)
        LEFT JOIN (SELECT * EXCLUDE (name, family) FROM model_metrics) USING (model)
        ORDER BY models.family IS NULL, models.family, models.params, models.name, models.model"""
    )
    return _in_natural_order(rows)


def any_published(results: Results) -> bool:
    """Whether any score is from elsewhere; what was trained here says so in the provenance of its scores."""
    return bool(results.rows("FROM scores WHERE coalesce(provenance, '') NOT LIKE 'training %' LIMIT 1"))


MOST_DRAWN = 50_000
"""Layers that figures show, about: more would not be seen, and take gigabytes as rows."""


def fitted_layers(results: Results) -> list[Row]:
    """Layers with a fitted tail, each with its place in its model: 0 for the first, 1 for the last.

    All layers of all models, or, where they are more than `MOST_DRAWN`, those of some models, chosen by a hash of their
    keys.
    """
    rows = results.rows(
        f"""WITH counted AS (SELECT model, count(*) AS n FROM layers WHERE status = 'ok' GROUP BY model),
        summed AS (SELECT model, n, sum(n) OVER (ORDER BY md5(model), model) AS up_to FROM counted),
        chosen AS (SELECT model FROM summed WHERE up_to - n < {MOST_DRAWN})
        SELECT layers.model, layers.name, layers.family, layers.file, tensor, layer, part, kind, n_evals,
            n_rows, n_cols, n_tail, alpha, lambda_min, erg_lambda_min, erg_delta, tap, evals_factor, models.params,
            mp_lambda_plus, phase, phase_decided_by,
            (row_number() OVER file_order - 1) / greatest(count(*) OVER whole - 1, 1) AS position
        FROM layers JOIN models USING (model) SEMI JOIN chosen USING (model)
        WHERE layers.status = 'ok'
        WINDOW file_order AS (PARTITION BY model ORDER BY layers.file, layers."row"), whole AS (PARTITION BY model)
        ORDER BY layers.family IS NULL, layers.family, models.params, layers.name, model, layers.file, layers."row\""""
    )
    return _in_natural_order(rows)


def _in_natural_order(rows: list[Row]) -> list[Row]:
    """Rows that stand by family, params and name, with the names of one family and size in natural order."""
    alike = groupby(rows, key=itemgetter("family", "params"))
    return [row for _, members in alike for row in sorted(members, key=lambda row: natural(row["name"]))]


def share_below_two(results: Results) -> float | None:
    """The share of all fitted layers with an alpha below 2; None where there is none."""
    found: float | None = results.rows("SELECT avg((alpha < 2)::INT) AS share FROM layers WHERE status = 'ok'")[0][
        "share"
    ]
    return found


def not_fitted(results: Results) -> list[Row]:
    """Matrices without a fitted tail, by reason."""
    return results.rows(
        """SELECT layers.status, layers.reason, sentence, count(*) AS n_rows, count(DISTINCT model) AS n_models,
            sum(n_params) AS n_params
        FROM layers LEFT JOIN stored.reasons USING (reason)
        WHERE status <> 'ok' GROUP BY ALL ORDER BY n_params DESC, reason"""
    )


def skipped_by_reason(results: Results) -> list[Row]:
    """Tensors that were not decomposed, by reason."""
    return results.rows(
        """SELECT reason, sentence, count(*) AS n_rows, count(DISTINCT model) AS n_models, sum(n_params) AS n_params
        FROM skipped GROUP BY ALL ORDER BY n_params DESC, reason"""
    )


def grouped(results: Results) -> str | None:
    """A line on the kernels whose groups were told by names and shapes alone, over all models; None for none."""
    ledger = results.rows(
        """SELECT name, layer, part, shape, reason, layout FROM spectra
        WHERE layout = 'name' AND (part LIKE 'group\\_%' ESCAPE '\\' OR reason = 'depthwise')"""
    )
    several = len({row["name"] for row in ledger}) > 1
    ledger = sorted(ledger, key=lambda row: str(row["name"]))  # files come as they may; inside one, in its order
    named = ({**row, "layer": f"{row['name']}: {row['layer']}"} if several else row for row in ledger)
    return told(grouped_kernels(named))


def failures(results: Results) -> list[Row]:
    """Weight files without results."""
    return results.rows("FROM failures ORDER BY transient, name, file")

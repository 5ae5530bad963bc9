-- models: every model of the catalog and how far its analysis goes.
-- Grain: one row a model.
--   content: the same for models of the same weight files; duplicate_group: what the catalog says of that
--   status: done (all weight files have metrics), partial (some), failed (none, and a try failed), pending (none yet),
--     scores-only (nobody can fetch the weights)
--   n_files, n_files_done: weight files; n_tensors: tensors in them
--   n_analyzed: matrices with a row in `layers`, n_ok of them with a fitted tail; n_tied, n_skipped: ledger rows
--   params: learnable parameters as the catalog has them, or else as counted (no buffers, tied tensors once)
--   params_in_file: entries of all tensors
--   params_matrices: entries of the tensors that keep two axes or more when axes of length 1 are dropped. Buffers and
--     scales of analyzed codes are no parameters and left out, and so are booleans and 64-bit integers (masks and
--     indices); narrower integers count, because quantized weights are packed into them
--   params_covered: entries of those that were analyzed or are tied; coverage = params_covered / params_matrices,
--     a fraction, NULL where there is no matrix
--   error: what the last failed try of a file without metrics said
-- The ledger of each content, counted.
CREATE VIEW stored.contents AS
SELECT
    weights_sha256,
    count(DISTINCT tensor) AS n_tensors,
    count(*) FILTER (role = 'tied') AS n_tied,
    count(*) FILTER (role = 'skipped') AS n_skipped,
    sum(n_params)::BIGINT AS params_in_file,
    coalesce(sum(n_params) FILTER (is_parameter AND role <> 'tied'), 0)::BIGINT AS params_counted,
    coalesce(sum(n_params) FILTER (is_parameter AND is_matrix), 0)::BIGINT AS params_matrices,
    coalesce(sum(n_params) FILTER (role IN ('analyzed', 'tied')), 0)::BIGINT AS params_covered
FROM (
    SELECT
        weights_sha256, tensor, role, n_params,
        coalesce(reason, '') NOT IN ('buffer', 'scales') AND dtype NOT IN ('bool', 'int64', 'uint64') AS is_parameter,
        len(list_filter(shape, lambda length: length <> 1)) >= 2 AS is_matrix
    FROM stored.tensors
)
GROUP BY weights_sha256;

CREATE VIEW models AS
WITH files AS (
    SELECT
        model, name, family, architecture, pretrain, recipe, licence, duplicate_group, params,
        min(rowid) AS position,
        md5(string_agg(weights_sha256, '+' ORDER BY weights_sha256)) AS content,
        count(*) AS n_files,
        count(*) FILTER (weights_sha256 IN (FROM stored.done)) AS n_files_done
    FROM stored.catalog
    GROUP BY ALL
),
ledger AS (
    SELECT
        model,
        sum(n_tensors)::BIGINT AS n_tensors,
        sum(n_tied)::BIGINT AS n_tied,
        sum(n_skipped)::BIGINT AS n_skipped,
        sum(params_in_file)::BIGINT AS params_in_file,
        sum(params_counted)::BIGINT AS params_counted,
        sum(params_matrices)::BIGINT AS params_matrices,
        sum(params_covered)::BIGINT AS params_covered
    FROM stored.catalog
    JOIN stored.contents USING (weights_sha256)
    GROUP BY model
),
analyzed AS (
    SELECT model, count(*) AS n_analyzed, count(*) FILTER (status = 'ok') AS n_ok
    FROM layers
    GROUP BY model
),
failed AS (
    SELECT model, arg_max(error, started) AS error
    FROM failures
    GROUP BY model
)
SELECT
    model,
    name,
    family,
    architecture,
    pretrain,
    recipe,
    licence,
    duplicate_group,
    content,
    CASE
        WHEN starts_with(model, 'scores:') THEN 'scores-only'
        WHEN n_files_done = n_files THEN 'done'
        WHEN n_files_done > 0 THEN 'partial'
        WHEN failed.model IS NOT NULL THEN 'failed'
        ELSE 'pending'
    END AS status,
    n_files,
    n_files_done,
    coalesce(n_tensors, 0) AS n_tensors,
    coalesce(n_analyzed, 0) AS n_analyzed,
    coalesce(n_ok, 0) AS n_ok,
    coalesce(n_tied, 0) AS n_tied,
    coalesce(n_skipped, 0) AS n_skipped,
    coalesce(params, params_counted) AS params,
    params_in_file,
    params_matrices,
    params_covered,
    params_covered / nullif(params_matrices, 0) AS coverage,
    failed.error
FROM files
LEFT JOIN ledger USING (model)
LEFT JOIN analyzed USING (model)
LEFT JOIN failed USING (model)
ORDER BY position;

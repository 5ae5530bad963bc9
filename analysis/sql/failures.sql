-- failures: weight files without metrics whose last try failed. (Layers without a fit are in `layers`, by status.)
-- Grain: one row a model and weight file.
--   A file that could not be had, or has no spectra, counts the tries of all configurations with the same spectra.
--   started: when the last try began, ISO 8601, UTC; tries: how many there were
--   transient: whether the same command may succeed later
CREATE VIEW failures AS
SELECT
    catalog.model,
    catalog.name,
    catalog.family,
    catalog.file,
    catalog.weights_sha256,
    arg_max(attempts.error_type, attempts.started) AS error_type,
    arg_max(attempts.error, attempts.started) AS error,
    arg_max(attempts.transient, attempts.started) AS transient,
    max(attempts.started) AS started,
    count(*) AS tries
FROM stored.catalog AS catalog
JOIN stored.tries AS attempts
    -- A file of unknown content is known by its place.
    ON coalesce(
        attempts.weights_sha256 = catalog.weights_sha256,
        attempts.model = catalog.model AND attempts.file = catalog.file
    )
WHERE catalog.weights_sha256 IS NULL OR catalog.weights_sha256 NOT IN (FROM stored.done)
GROUP BY ALL
HAVING arg_max(attempts.outcome, attempts.started) = 'failed';

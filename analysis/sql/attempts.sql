-- attempts: the log of the chosen configuration.
-- Grain: one row a try at a weight file; a file under two names is tried once, under the first.
--   run: the run that tried; try_number: which of its tries at this unit
--   unit: name of the metrics, NULL where the file could not even be identified
--   started: ISO 8601, UTC; seconds: the whole try on the wall's clock; seconds_*: a stage of it, NULL where it did not
--     run; seconds_wait: until the machine was free to compute
--   host, cores: the machine, and cores that the process may use; node: its id in a cluster, NULL without one
--   device_name to remarks: how spectra were made, NULL where none were. precision: float64 or float32;
--     float32_deviation: largest error found by its check, share of the largest eigenvalue; probe_*: seconds for a
--     matrix of 2,048 x 1,024 on the GPU in that precision, and on the CPU in float64; remarks: what went otherwise
--   bytes: size of the weight file; bytes_fetched: what of it came over the network in this try; bytes_spectra: size of
--     the file of spectra that was written; peak_rss_anon: bytes of memory, the highest seen
--   outcome: done or failed; transient: whether the same command may succeed later
CREATE VIEW attempts AS
SELECT attempts.model, catalog.name, catalog.family, attempts.* EXCLUDE (model)
FROM stored.attempts AS attempts
LEFT JOIN (SELECT DISTINCT model, name, family FROM stored.catalog) AS catalog USING (model);

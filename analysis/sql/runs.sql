-- runs: what each run of the chosen configuration did, on what, and how long it took, from its tries.
-- Grain: one row a run; tries logged before runs had a name are in none.
--   started, ended: of its first and last try, ISO 8601, UTC; seconds: between them
--   n_files: weight files that were tried; n_failed of them without success, n_done with; n_tries: of all of them
--   hosts, nodes: machines, and nodes of a cluster (0 without one); cores: of all machines; most_at_once: tries
--   devices: by their makers' names; threads: of a try
--   seconds_*: of all tries; seconds_lost: of those without success; core_seconds: computing times threads
--   core_hours: of all cores from the first try to the last, whether they were busy or not
--   bytes: of the files, bytes_fetched over the network, bytes_spectra written; peak_rss_anon: the highest of a try
CREATE VIEW runs AS
WITH tries AS (
    SELECT *, epoch(started::TIMESTAMP) AS begun, begun + coalesce(seconds, 0) AS stopped
    FROM attempts
    WHERE run IS NOT NULL
),
files AS (
    SELECT run, count(*) AS n_files, count(*) FILTER (done) AS n_done
    FROM (
        SELECT run, arg_max(outcome, started) = 'done' AS done
        FROM tries
        GROUP BY run, coalesce(unit, model || ' ' || file)
    )
    GROUP BY run
),
machines AS (
    SELECT run, count(*) AS hosts, sum(cores)::BIGINT AS cores
    FROM (SELECT run, host, max(cores) AS cores FROM tries GROUP BY ALL)
    GROUP BY run
),
moments AS (
    -- A try more, or a try less. A try ends a hundredth of a second early: its length is not measured by the clock that
    -- tells when the next one starts.
    SELECT run, sum(change) OVER (PARTITION BY run ORDER BY moment, change ROWS UNBOUNDED PRECEDING) AS at_once
    FROM (
        SELECT run, begun AS moment, 1 AS change FROM tries
        UNION ALL
        SELECT run, greatest(stopped - 0.01, begun) AS moment, -1 AS change FROM tries
    )
),
crowds AS (
    SELECT run, max(at_once)::BIGINT AS most_at_once FROM moments GROUP BY run
)
SELECT
    run,
    min(started) AS started,
    strftime(make_timestamp((max(stopped) * 1000000)::BIGINT), '%Y-%m-%dT%H:%M:%S.%f+00:00') AS ended,
    max(stopped) - min(begun) AS seconds,
    any_value(n_files) AS n_files,
    any_value(n_done) AS n_done,
    any_value(n_files - n_done) AS n_failed,
    count(*) AS n_tries,
    any_value(machines.hosts) AS hosts,
    count(DISTINCT node) AS nodes,
    any_value(machines.cores) AS cores,
    any_value(most_at_once) AS most_at_once,
    string_agg(DISTINCT device_name, ', ' ORDER BY device_name) AS devices,
    max(threads) AS threads,
    sum(seconds_fetch) AS seconds_fetch,
    sum(seconds_wait) AS seconds_wait,
    sum(seconds_spectra) AS seconds_spectra,
    sum(seconds_metrics) AS seconds_metrics,
    sum(tries.seconds) FILTER (outcome = 'failed') AS seconds_lost,
    any_value(machines.cores) * (max(stopped) - min(begun)) / 3600 AS core_hours,
    sum((coalesce(seconds_spectra, 0) + coalesce(seconds_metrics, 0)) * threads) AS core_seconds,
    sum(bytes)::BIGINT AS bytes,
    sum(bytes_fetched)::BIGINT AS bytes_fetched,
    sum(bytes_spectra)::BIGINT AS bytes_spectra,
    max(peak_rss_anon) AS peak_rss_anon,
    string_agg(DISTINCT code_version, ', ' ORDER BY code_version) AS code_version
FROM tries
JOIN files USING (run)
JOIN machines USING (run)
JOIN crowds USING (run)
GROUP BY run;

-- model_metrics: the metrics of a model's layers in one row.
-- Grain: one row a model with a layer that counts: status ok, kind linear, conv*, recurrent or embedding (a table of
--   positions or biases applies no map); a tied tensor counts once.
--   n_layers: layers that count
--   <metric>_mean: unweighted mean over layers, the published convention; <metric>_median: robust to odd layers;
--   <metric>_se: standard error of the mean, sample standard deviation / sqrt(layers), NULL for one layer.
--   Layers where a metric is NULL are in none of its three. Units are those of `layers`.
CREATE VIEW stored.averages AS
WITH counted AS (
    SELECT *
    FROM main.layers  -- not stored.layers
    WHERE status = 'ok'
        AND kind IN ('linear', 'conv1d', 'conv2d', 'conv3d', 'conv_transpose', 'recurrent', 'embedding')
)
SELECT
    model,
    any_value(name) AS name,
    any_value(family) AS family,
    count(*) AS n_layers,
    avg(COLUMNS({metrics})) AS "\0_mean",
    median(COLUMNS({metrics})) AS "\0_median",
    stddev_samp(COLUMNS({metrics})) / sqrt(count(COLUMNS({metrics}))) AS "\0_se"
FROM counted
GROUP BY model;

CREATE VIEW model_metrics AS FROM stored.averages;

-- scored_models: metrics of finished models beside their published scores.
-- Grain: one row a model and dataset: models whose every weight file is done, scores that are primary.
--   score: in `unit`; score_metric: what it is; higher_is_better: false for errors, losses and perplexities
--   log10_params: log10 of the parameter count, and depth = n_layers: the baselines that a metric has to beat
--   the metrics of `model_metrics`
CREATE VIEW scored_models AS
SELECT
    metrics.model,
    metrics.name,
    metrics.family,
    models.architecture,
    models.pretrain,
    models.recipe,
    models.duplicate_group,
    models.content,
    models.params,
    scores.dataset,
    scores.split,
    scores.metric AS score_metric,
    scores.value AS score,
    scores.stderr AS score_stderr,
    scores.unit,
    scores.higher_is_better,
    scores.n_test,
    scores.setting,
    log10(nullif(models.params, 0)) AS log10_params,
    metrics.n_layers AS depth,
    metrics.* EXCLUDE (model, name, family)
FROM model_metrics AS metrics
JOIN models USING (model)
JOIN stored.scores AS scores USING (model)
WHERE scores."primary" AND models.status = 'done';

-- scores: what was published about the models.
-- Grain: one row a model, dataset, split, metric and setting.
--   value, stderr: in `unit` (percent, fraction, nats, perplexity or points); n_test: examples
--   higher_is_better: false for errors, losses and perplexities
--   "primary": the one score that stands for the model on the dataset
CREATE VIEW scores AS
SELECT scores.model, catalog.name, catalog.family, scores.* EXCLUDE (model)
FROM stored.scores AS scores
JOIN (SELECT DISTINCT model, name, family FROM stored.catalog) AS catalog USING (model);

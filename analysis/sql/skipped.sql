-- skipped: tensors, or parts of tensors, that were not decomposed.
-- Grain: one row a model, weight file, tensor and part.
--   n_params: entries; reason: a word of the closed list, sentence: what it means
CREATE VIEW stored.skips AS
SELECT model, name, family, file, tensor, layer, part, kind, dtype, shape, n_params, reason, sentence
FROM main.spectra  -- not stored.spectra
LEFT JOIN stored.reasons USING (reason)
WHERE role = 'skipped';

CREATE VIEW skipped AS FROM stored.skips;

-- spectra: the ledger of every tensor, with the spectra of those that were decomposed.
-- Grain: one row a model, weight file, tensor and part. A file under two names has its rows under both.
--   layout: what kind and part were told by, architecture (the modules of the model's library) or name (and shape)
--   role: analyzed, tied (to the tensor in tied_to) or skipped (reason)
--   shape, dtype: as the file has them; n_params: entries of the row's own part
--   evals: squared singular values, raw scale, one ascending block of n_cols values a slice, nothing pooled;
--   rank, frobenius_sq, entry_mean, entry_var, entry_kurtosis, entry_max_abs, zero_fraction: a value a slice
CREATE VIEW stored.tensors AS FROM stored_spectra;

CREATE VIEW spectra AS
SELECT catalog.model, catalog.name, catalog.family, catalog.file, spectra.* EXCLUDE (model, file)
FROM stored.tensors AS spectra
JOIN stored.catalog AS catalog USING (weights_sha256);

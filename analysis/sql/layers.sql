-- layers: metrics of every analyzed matrix of the chosen configuration.
-- Grain: one row a model, weight file, tensor and part. A file under two names has its rows under both.
--   status: ok (a tail was fitted), no_tail (scale, rank and ECS only), failed (nothing); reason: why, NULL if ok
--   aspect_ratio: Q = n_rows / n_cols, at least 1
--   alpha, alpha_sigma, d_ks, d_ww, entropy, stable_rank: free of scale
--   lambda_min, lambda_max: raw eigenvalues (squared singular values) times evals_factor
--   log_norm, log_spectral_norm, log_alpha_norm, alpha_hat: log10 of lambdas in that same scale
--   erg_lambda_min, erg_delta: trace scale (mean eigenvalue 1); erg_trace_log, tail_trace_log: natural logarithms of it
--   n_evals, n_tail, matrix_rank, erg_n, erg_gap: counts of eigenvalues
CREATE VIEW stored.matrices AS FROM stored.layers;

CREATE VIEW layers AS
SELECT catalog.model, catalog.name, catalog.family, catalog.file, layers.* EXCLUDE (model, file)
FROM stored.matrices AS layers
JOIN stored.catalog AS catalog USING (weights_sha256);

-- The stored columns as they are on disk, one table a kind of file; the views are made of these.
-- stored.catalog and stored.scores are made from the schemas of the package `catalogs`.

CREATE SCHEMA stored;

-- One row a tensor or part of a tensor. Lists have one value a slice (tap); evals has n_cols values a slice.
CREATE TABLE stored.spectra (
    model VARCHAR,
    file VARCHAR,
    weights_sha256 VARCHAR,
    tensor VARCHAR,
    dtype VARCHAR,
    shape BIGINT[],
    n_params BIGINT,
    role VARCHAR,
    reason VARCHAR,
    tied_to VARCHAR,
    layer VARCHAR,
    part VARCHAR,
    kind VARCHAR,
    layout VARCHAR,
    n_rows BIGINT,
    n_cols BIGINT,
    n_slices BIGINT,
    evals DOUBLE[],
    rank BIGINT[],
    frobenius_sq DOUBLE[],
    entry_mean DOUBLE[],
    entry_var DOUBLE[],
    entry_kurtosis DOUBLE[],
    entry_max_abs DOUBLE[],
    zero_fraction DOUBLE[]
);

-- One row an analyzed matrix.
CREATE TABLE stored.layers (
    model VARCHAR,
    file VARCHAR,
    weights_sha256 VARCHAR,
    config VARCHAR,
    "row" BIGINT,
    tensor VARCHAR,
    layer VARCHAR,
    part VARCHAR,
    kind VARCHAR,
    n_params BIGINT,
    n_rows BIGINT,
    n_cols BIGINT,
    n_slices BIGINT,
    n_evals BIGINT,
    aspect_ratio DOUBLE,
    evals_factor DOUBLE,
    status VARCHAR,
    reason VARCHAR,
    alpha DOUBLE,
    alpha_sigma DOUBLE,
    lambda_min DOUBLE,
    lambda_max DOUBLE,
    d_ks DOUBLE,
    d_ww DOUBLE,
    n_tail BIGINT,
    log_norm DOUBLE,
    log_spectral_norm DOUBLE,
    alpha_hat DOUBLE,
    log_alpha_norm DOUBLE,
    stable_rank DOUBLE,
    matrix_rank BIGINT,
    entropy DOUBLE,
    erg_n BIGINT,
    erg_lambda_min DOUBLE,
    erg_trace_log DOUBLE,
    tail_trace_log DOUBLE,
    erg_delta DOUBLE,
    erg_gap BIGINT
);

-- One row a try at a weight file.
CREATE TABLE stored.attempts (
    unit VARCHAR,
    model VARCHAR,
    file VARCHAR,
    weights_sha256 VARCHAR,
    config VARCHAR,
    host VARCHAR,
    device VARCHAR,
    threads BIGINT,
    started VARCHAR,
    seconds_fetch DOUBLE,
    seconds_spectra DOUBLE,
    seconds_metrics DOUBLE,
    reused_spectra BOOLEAN,
    bytes BIGINT,
    peak_rss_anon BIGINT,
    outcome VARCHAR,
    error_type VARCHAR,
    error VARCHAR,
    transient BOOLEAN,
    code_version VARCHAR
);

-- The weight files that have metrics of the chosen configuration, by content.
CREATE TABLE stored.done (weights_sha256 VARCHAR);

-- The closed list of reasons, each with its sentence.
CREATE TABLE stored.reasons (reason VARCHAR, sentence VARCHAR);

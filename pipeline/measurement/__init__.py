"""Step 2: spectra to the metrics of layers. Needs no weights."""

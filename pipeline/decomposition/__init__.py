"""Step 1: the matrices of a weight file to their spectra."""

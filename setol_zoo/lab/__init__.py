"""Experiments: what the theory says of networks and Gaussian processes, against what they do."""

"""Networks that several tests look at."""

from setol.field_theory import Architecture

PAPER = Architecture(hidden_layers=3, weight_variance=1, bias_variance=1, input_scale=1 / 50)
"""Of Cohen, Malka and Ringel's figure: d = 50, ReLU, 'depth 4' with its readout."""

DEEP = Architecture(hidden_layers=3, weight_variance=1, bias_variance=1)
ERF = Architecture(hidden_layers=2, activation="erf", weight_variance=2, bias_variance=0.1, kernel="nngp")
SHALLOW = Architecture(hidden_layers=1, kernel="nngp")
LINEAR = Architecture(hidden_layers=2, activation="linear", weight_variance=1, bias_variance=0.5)
ALL = (PAPER, DEEP, ERF, SHALLOW, LINEAR)

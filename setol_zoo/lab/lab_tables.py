"""The two tables of an experiment of the laboratory: networks by epoch, and their layers."""

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """What an experiment found.

    Attributes:
        networks: A row a training and kept epoch: its setting, errors, how it ended, errors after truncation.
        layers: A row a training, kept epoch and layer: the metrics of the view `layers`.
    """

    networks: pa.Table
    layers: pa.Table

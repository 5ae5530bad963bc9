"""What claims are judged from: the two tables of an experiment, joined, with its sweeps found."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from catalogs import counted
from setol_zoo.lab.claims.published import published
from setol_zoo.lab.claims.words import listed
from setol_zoo.lab.experiments import BATCH_SIZES, LEARNING_RATES
from setol_zoo.lab.lab_tables import Tables

LAYERS = ("fc1", "fc2")
"""Layers that the claims are about: the output layer has too few eigenvalues for a tail."""

SWEPT = {"learning_rate": "learning rate", "batch_size": "batch size"}

FEWEST = 3
"""Settings of a sweep that a verdict takes, its two ends among them."""

_ENDS = {
    each: (float(values[0]), float(values[-1]))
    for each, values in zip(SWEPT, (LEARNING_RATES, BATCH_SIZES), strict=True)
}

_KEY = ["training", "epoch"]
_OF_NETWORKS = [
    *("training", "epoch", "last", "trained", "seed", "learning_rate", "batch_size"),
    *("train_error", "test_error", "n_train"),
]


@dataclass(frozen=True, slots=True)
class Sweep:
    """Networks that differ in one number and in their seeds.

    Attributes:
        column: That number: `learning_rate` or `batch_size`.
        other: The column that is the same in all of them.
        fixed: Its value.
        values: From the weakest training to the strongest: learning rates rise, batch sizes fall.
    """

    column: str
    other: str
    fixed: float
    values: tuple[float, ...]

    @property
    def title(self) -> str:
        """`learning rate`, `batch size`."""
        return SWEPT[self.column]

    @property
    def at(self) -> str:
        """What is the same in all: `batch size 32`."""
        return f"{SWEPT[self.other]} {self.fixed:g}"

    @property
    def lacks(self) -> str | None:
        """Why nothing is judged by it, a sentence; None where it is wide enough."""
        absent = [
            f"{end:g}" for end in _ENDS[self.column] if not any(math.isclose(end, value) for value in self.values)
        ]
        if not absent and len(self.values) >= FEWEST:
            return None
        none_at = f", none of them {' or '.join(absent)}" if absent else ""
        ends = listed([f"{end:g}" for end in _ENDS[self.column]])
        return (
            f"The {self.title} sweep has {counted(len(self.values), 'setting')}{none_at}; a verdict takes {FEWEST} "
            f"or more, {ends} among them."
        )


def whole(sweeps: Sequence[Sweep]) -> list[Sweep]:
    """The sweeps that are wide enough to judge by."""
    return [sweep for sweep in sweeps if sweep.lacks is None]


def lacking(sweeps: Sequence[Sweep]) -> tuple[str, ...]:
    """Why nothing is judged by the others; with no sweep at all, that."""
    if not sweeps:
        return ("No sweep with all layers trained.",)
    return tuple(sweep.lacks for sweep in sweeps if sweep.lacks is not None)


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Trained networks and their layers.

    Attributes:
        networks: A row a training and kept epoch of a training that did not diverge.
        layers: A row a training, epoch and layer of `LAYERS`, with errors and settings of its network.
        group: Data, architecture and widths, the same in all.
        comparable: Whether the published numbers are of the same task and network.
        diverged: How many trainings did.
        left_out: Groups with fewer trainings that are not looked at here.
    """

    networks: pd.DataFrame
    layers: pd.DataFrame
    group: str | None
    comparable: bool
    diverged: int = 0
    left_out: tuple[str, ...] = ()

    def where(self, trained: str) -> "Evidence":
        """Only networks of which these layers learned: `all`, `fc1` or `fc2`."""
        return replace(
            self,
            networks=self.networks[self.networks["trained"] == trained],
            layers=self.layers[self.layers["trained"] == trained],
        )

    @property
    def means(self) -> str:
        """What a number of a table is, over the networks of one setting."""
        return "mean ± standard deviation over seeds" if self.networks["seed"].nunique() > 1 else "one seed"

    @property
    def last_networks(self) -> pd.DataFrame:
        """A row a training: its last epoch."""
        return self.networks[self.networks["last"]]

    @property
    def last_layers(self) -> pd.DataFrame:
        """A row a training and layer, of the last epoch."""
        return self.layers[self.layers["last"]]

    def layer(self, name: str) -> pd.DataFrame:
        """Rows of one layer."""
        return self.layers[self.layers["layer"] == name]

    def sweeps(self) -> tuple[Sweep, ...]:
        """Over learning rates and over batch sizes, as far as there are two values of the one at one of the other."""
        columns = list(SWEPT)
        found = (_sweep(self.last_networks, column, other) for column, other in (columns, columns[::-1]))
        return tuple(sweep for sweep in found if sweep)

    def of(self, sweep: Sweep, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows that belong to a sweep."""
        return rows[rows[sweep.other] == sweep.fixed]

    def at(self, sweep: Sweep, value: float, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows at one value of a sweep."""
        return rows[(rows[sweep.other] == sweep.fixed) & (rows[sweep.column] == value)]

    def told(self, sweep: Sweep, value: float, name: str) -> float | None:
        """The published number of a setting, where there is one of this very setting."""
        own = published()
        same = self.comparable and sweep.fixed == getattr(own, sweep.other)
        return own.of(sweep.column, value, name) if same else None


def evidence(tables: Tables) -> Evidence:
    """Join the tables, of the group with the most trainings; rows that are not there are missed by nobody.

    Args:
        tables: `networks` and `layers` of one experiment, or of several one after the other.
    """
    networks, layers = tables.networks.to_pandas(), tables.layers.to_pandas()
    networks["last"] = networks["last"].fillna(False).astype(bool)
    sizes = networks.groupby("group")["training"].nunique().sort_values(ascending=False, kind="stable")
    group = str(sizes.index[0]) if len(sizes) else None
    networks = networks[networks["group"] == group].drop_duplicates(_KEY)
    gone = set(networks.loc[networks["end"] == "diverged", "training"])
    networks = networks[~networks["training"].isin(gone)]
    layers = layers[layers["layer"].isin(LAYERS)].drop_duplicates([*_KEY, "layer"])
    joined = layers.merge(networks[_OF_NETWORKS], on=_KEY, how="inner")
    return Evidence(
        networks.sort_values(_KEY, kind="stable"),
        joined.sort_values([*_KEY, "layer"], kind="stable"),
        group,
        _comparable(networks),
        len(gone),
        tuple(map(str, sizes.index[1:])),
    )


def _comparable(networks: pd.DataFrame) -> bool:
    """Whether all were trained on the whole of MNIST, the network of the paper, as there."""
    same = (
        networks["data"].str.startswith("mnist")
        & (networks["architecture"] == "mlp")
        & (networks["widths"] == published().widths)
        & (networks["weight_decay"] == 0)
        & (networks["label_noise"] == 0)
        & (networks["data_share"] == 1)
    )
    return bool(len(same) and same.all())


def _sweep(rows: pd.DataFrame, column: str, other: str) -> Sweep | None:
    """The sweep at the value of `other` at which the most values of `column` were tried, or the most networks."""
    if rows.empty:
        return None
    counts = rows.groupby(other)[column].agg(["nunique", "size"])
    best = counts.sort_values(["nunique", "size"], ascending=False, kind="stable")
    if best["nunique"].iloc[0] < 2:
        return None
    fixed = best.index[0]
    values = sorted(set(rows.loc[rows[other] == fixed, column]), reverse=column == "batch_size")
    return Sweep(column, other, float(fixed), tuple(map(float, values)))

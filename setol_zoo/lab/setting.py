"""Everything that a trained network depends on, as one record: equal settings give equal weights, bit for bit."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from catalogs.names import unknown_name
from setol_zoo.lab.errors import SettingError

TRAINING_VERSION = 1
"""Raised by hand where the same setting may give other weights."""

ARCHITECTURES = ("mlp", "cnn")

TRAINED = ("all", "fc1", "fc2")
"""Which layers learn; the others keep their initial weights."""

KEPT = ("octaves", "last")
"""Which epochs' states are kept: eight an octave and the last, or the last alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How one network is trained: stochastic gradient descent without momentum at a constant learning rate.

    Attributes:
        data: Name of the data set.
        architecture: `mlp`: hidden layers fc1, fc2, ... and the layer out; `cnn`: kernels conv1, conv2, ... of 3 x 3,
            each followed by pooling of 2 x 2, then fc1 and out. ReLU throughout.
        widths: Of the hidden layers; for `cnn` the channels of the kernels, and last the width of fc1.
        batch_size: Examples of a step.
        learning_rate: Of the mean loss of a batch.
        weight_decay: Multiple of the weights that is added to their gradient, biases too.
        label_noise: Share of the training examples whose label is replaced by another class, each equally likely.
        data_share: Share of the training examples that is used.
        trained: Which layers learn.
        seed: Of initial weights, of the order of examples, of what is held out, of noise: a stream of its own for each.
            Networks of one seed share all of it, whatever else differs.
        max_epochs: Where training ends at the latest.
        patience: Training ends when the loss has not fallen by `min_drop` below its minimum in so many epochs; 0 for
            never.
        min_drop: See `patience`.
        held_out: Share of the training examples that is kept out of training, and not used otherwise.
        kept: Of which epochs the state is kept and its errors are measured: `octaves` or `last`.
    """

    data: str = "mnist"
    architecture: str = "mlp"
    widths: tuple[int, ...] = (300, 100)
    batch_size: int = 32
    learning_rate: float = 0.01
    weight_decay: float = 0.0
    label_noise: float = 0.0
    data_share: float = 1.0
    trained: str = "all"
    seed: int = 0
    max_epochs: int = 1000
    patience: int = 3
    min_drop: float = 1e-4
    held_out: float = 0.1
    kept: str = "octaves"

    def __post_init__(self) -> None:
        """Check what can be checked without the data.

        Raises:
            SettingError: A number is out of range, or a name unknown.
        """
        for kind, name, known in (
            ("architecture", self.architecture, ARCHITECTURES),
            ("choice of trained layers", self.trained, TRAINED),
            ("choice of kept epochs", self.kept, KEPT),
        ):
            if name not in known:
                raise SettingError(unknown_name(kind, name, known))
        fewest = 2 if self.architecture == "cnn" else 1
        _require(len(self.widths) >= fewest, f"widths: at least {fewest} for {self.architecture}", self.widths)
        _require(all(width >= 1 for width in self.widths), "widths of at least 1", self.widths)
        if self.trained != "all":
            hidden = len(self.widths) if self.architecture == "mlp" else 1
            _require(int(self.trained[2:]) <= hidden, f"a layer {self.trained}", f"{hidden} hidden layers")
        _require(self.batch_size >= 1, "batch_size of at least 1", self.batch_size)
        _require(0 < self.learning_rate < float("inf"), "a learning_rate above 0", self.learning_rate)
        _require(0 <= self.weight_decay < float("inf"), "a weight_decay of at least 0", self.weight_decay)
        _require(0 <= self.label_noise <= 1, "label_noise in 0 to 1", self.label_noise)
        _require(0 < self.data_share <= 1, "a data_share above 0, at most 1", self.data_share)
        _require(0 <= self.held_out < 1, "held_out of at least 0, below 1", self.held_out)
        _require(self.max_epochs >= 1, "max_epochs of at least 1", self.max_epochs)
        _require(self.patience >= 0, "patience of at least 0", self.patience)
        _require(0 <= self.min_drop < float("inf"), "a min_drop of at least 0", self.min_drop)
        _require(0 <= self.seed < 2**32, "a seed of 0 to 4294967295", self.seed)

    @property
    def content(self) -> dict[str, Any]:
        """All of it, as JSON knows it."""
        return {**asdict(self), "widths": list(self.widths)}

    @property
    def id(self) -> str:
        """16 hexadecimal digits that name it."""
        told = json.dumps({**self.content, "version": TRAINING_VERSION}, sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    @property
    def network(self) -> str:
        """The architecture with its widths: `mlp-300-100`."""
        return "-".join([self.architecture, *map(str, self.widths)])

    @property
    def group(self) -> str:
        """Networks of one group have the same parameters and the same task: `mnist mlp-300-100`."""
        return f"{self.data} {self.network}"

    @property
    def recipe(self) -> str:
        """How it was trained, in short words, without the seed."""
        told = [f"lr{self.learning_rate:g}", f"bs{self.batch_size}"]
        told += [f"wd{self.weight_decay:g}"] if self.weight_decay else []
        told += [f"noise{self.label_noise:g}"] if self.label_noise else []
        told += [f"data{self.data_share:g}"] if self.data_share < 1 else []
        told += [f"only-{self.trained}"] if self.trained != "all" else []
        return " ".join(told)

    @property
    def name(self) -> str:
        """Short words; two settings that differ in how training ends may share them."""
        return f"{self.network} {self.recipe} seed{self.seed}"


def _require(holds: bool, need: str, got: object) -> None:
    if not holds:
        raise SettingError(f"need {need}; got {got}.")

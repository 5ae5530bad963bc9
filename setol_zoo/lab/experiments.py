"""The experiments of the laboratory: named lists of settings, and the question that each answers."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from catalogs.names import unknown_name
from setol_zoo.lab.errors import SettingError
from setol_zoo.lab.setting import Setting

LEARNING_RATES = tuple(0.01 * factor for factor in (1, 2, 4, 8, 16, 32))
"""With batches of 32 (arXiv 2507.17912, section 6)."""

BATCH_SIZES = (32, 16, 8, 4, 2, 1)
"""With the learning rate 0.01."""

SEEDS = 3

_QUICK_EPOCHS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A list of networks and what they are trained for.

    Attributes:
        name: What it is asked for by.
        question: What it answers.
        data: The data set that it is meant for.
        settings_of: Makes the settings of one seed.
    """

    name: str
    question: str
    data: str
    settings_of: Callable[[int], tuple[Setting, ...]]

    def settings(self, *, data: str | None = None, seeds: int = SEEDS, quick: bool = False) -> tuple[Setting, ...]:
        """All networks of it, each once.

        Args:
            data: Another data set.
            seeds: How many seeds, from 0.
            quick: One seed, and 30 epochs at most.

        Raises:
            SettingError: Fewer than one seed.
        """
        if seeds < 1:
            raise SettingError(f"need at least one seed; got {seeds}.")
        found = [
            replace(setting, data=data or self.data)
            for seed in range(1 if quick else seeds)
            for setting in self.settings_of(seed)
        ]
        if quick:
            found = [replace(setting, max_epochs=min(setting.max_epochs, _QUICK_EPOCHS)) for setting in found]
        return tuple(dict.fromkeys(found))


def experiment(name: str) -> Experiment:
    """An experiment by its name.

    Raises:
        SettingError: There is none of that name; the message has the nearest.
    """
    if name not in EXPERIMENTS:
        raise SettingError(unknown_name("experiment", name, EXPERIMENTS))
    return EXPERIMENTS[name]


def _both_sweeps(seed: int) -> tuple[Setting, ...]:
    return tuple(
        [Setting(seed=seed, batch_size=32, learning_rate=rate) for rate in LEARNING_RATES]
        + [Setting(seed=seed, batch_size=size, learning_rate=0.01) for size in BATCH_SIZES]
    )


def _only(layer: str) -> Callable[[int], tuple[Setting, ...]]:
    """The learning rates with one layer that learns; the published runs have all of them."""

    def settings(seed: int) -> tuple[Setting, ...]:
        return tuple(Setting(seed=seed, learning_rate=rate, trained=layer) for rate in LEARNING_RATES)

    return settings


EXPERIMENTS = {
    each.name: each
    for each in (
        Experiment(
            name="mlp3",
            question="How do alpha, the ERG condition and test error move with learning rate and batch size?",
            data="mnist",
            settings_of=_both_sweeps,
        ),
        Experiment(
            name="fc1",
            question="What becomes of a layer that has to learn alone: FC1, the first?",
            data="mnist",
            settings_of=_only("fc1"),
        ),
        Experiment(
            name="fc2",
            question="What becomes of a layer that is too small for its task: FC2 alone?",
            data="mnist",
            settings_of=_only("fc2"),
        ),
    )
}

"""The experiments of the laboratory: named lists of settings, and the question that each answers."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from catalogs.names import unknown_name
from setol_zoo.lab.errors import SettingError
from setol_zoo.lab.setting import Setting
from setol_zoo.lab.zoo import zoo_settings

LEARNING_RATES = tuple(0.01 * factor for factor in (1, 2, 4, 8, 16, 32))
"""With batches of 32 (arXiv 2507.17912, section 6)."""

BATCH_SIZES = (32, 16, 8, 4, 2, 1)
"""With the learning rate 0.01."""

ALONE = LEARNING_RATES[-2:]
"""For a layer that learns alone: where the paper's seeds part. Smaller ones take a thousand epochs to that curve."""

CALLED = "lab run "
"""How the catalog of trained networks is named: by the words behind `setol` that train them."""

SEEDS = 3

_QUICK_EPOCHS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A list of networks and what they are trained for.

    Attributes:
        name: What it is asked for by.
        question: What it answers.
        settings_of: Makes the settings of one seed.
        seeds: How many seeds it takes.
        quick: Makes fewer networks of one seed, or smaller ones; None for the same with 30 epochs at most.
        core_minutes: Of one core of a machine of 2026, about, for all of it; None where nobody measured it.
    """

    name: str
    question: str
    settings_of: Callable[[int], tuple[Setting, ...]]
    seeds: int = SEEDS
    quick: Callable[[int], tuple[Setting, ...]] | None = None
    core_minutes: int | None = None

    def settings(
        self, *, data: str | None = None, seeds: int | None = None, quick: bool = False
    ) -> tuple[Setting, ...]:
        """All networks of it, each once.

        Args:
            data: Another data set for all of them.
            seeds: How many seeds, from 0; None for its own number, and for one where they are quick.
            quick: The quick ones.

        Raises:
            SettingError: Fewer than one seed.
        """
        wanted = (1 if quick else self.seeds) if seeds is None else seeds
        if wanted < 1:
            raise SettingError(f"need at least one seed; got {wanted}.")
        settings_of = (self.quick or self._shortened) if quick else self.settings_of
        found = tuple(setting for seed in range(wanted) for setting in settings_of(seed))
        if data is not None:
            found = tuple(replace(setting, data=data) for setting in found)
        return tuple(dict.fromkeys(found))

    def _shortened(self, seed: int) -> tuple[Setting, ...]:
        made = self.settings_of(seed)
        return tuple(replace(setting, max_epochs=min(setting.max_epochs, _QUICK_EPOCHS)) for setting in made)


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
    """The largest learning rates with one layer that learns."""

    def settings(seed: int) -> tuple[Setting, ...]:
        return tuple(Setting(seed=seed, learning_rate=rate, trained=layer) for rate in ALONE)

    return settings


EXPERIMENTS = {
    each.name: each
    for each in (
        Experiment(
            name="mlp3",
            question="How do alpha, the ERG condition and test error move with learning rate and batch size?",
            settings_of=_both_sweeps,
            core_minutes=42,
        ),
        Experiment(
            name="fc1",
            question="What becomes of a layer that has to learn alone: FC1, the first?",
            settings_of=_only("fc1"),
            core_minutes=17,
        ),
        Experiment(
            name="fc2",
            question="What becomes of a layer that is too small for its task: FC2 alone?",
            settings_of=_only("fc2"),
            core_minutes=13,
        ),
        Experiment(
            name="zoo",
            question="Do metrics of weights tell test errors beyond parameters, norms and training errors?",
            settings_of=lambda seed: zoo_settings(seed=seed),
            seeds=1,
            quick=lambda seed: zoo_settings(quick=True, seed=seed),
            core_minutes=45,
        ),
    )
}

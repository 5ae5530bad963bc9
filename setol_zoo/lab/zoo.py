"""The trained zoo: some 220 small networks in groups, so that what is asked of published models can be asked of it.

A group is a data set and an architecture, so parameters are the same for all of its networks; batch size, learning
rate, weight decay, label noise and the share of the data differ. Each of these five has as many levels as a group has
networks, and each level is used once in a group (a Latin hypercube: McKay, Beckman and Conover, Technometrics 21,
1979), in an order drawn for each group. A grid of as many networks would have two levels of each, so that ranks of its
networks were mostly ties, and an order common to all groups would make one accidental correlation of two factors
appear in every group. Half of the networks have no wrong labels, a third no weight decay: what holds without label
noise, the strongest of the five, is asked of those.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol_zoo.lab.setting import Setting

NETWORKS = 16
"""In each group."""

_NO_NOISE, _NO_DECAY = 1 / 2, 1 / 3


@dataclass(frozen=True, slots=True)
class Plan:
    """Groups, and what their networks differ by.

    Attributes:
        data: Data sets.
        networks: Architectures with widths; each with each data set is a group.
        size: Networks in a group.
        data_shares: Least and largest share of the training examples.
        max_epochs: By architecture; convolutions cost more.
    """

    data: tuple[str, ...]
    networks: tuple[tuple[str, tuple[int, ...]], ...]
    size: int
    data_shares: tuple[float, float]
    max_epochs: dict[str, int]


FULL = Plan(
    data=("mnist", "fashion-mnist-70k"),
    networks=(
        ("mlp", (128,)),
        ("mlp", (300, 100)),
        ("mlp", (100, 100, 100)),
        ("mlp", (512, 256)),
        ("cnn", (8, 16, 64)),
        ("cnn", (16, 32, 64)),
        ("cnn", (8, 16, 32, 64)),
    ),
    size=NETWORKS,
    data_shares=(0.02, 0.12),
    max_epochs={"mlp": 100, "cnn": 40},
)
"""224 networks in 14 groups."""

QUICK = Plan(
    data=("digits",),
    networks=(
        ("mlp", (64,)),
        ("mlp", (128,)),
        ("mlp", (64, 64)),
        ("mlp", (128, 64)),
        ("mlp", (100, 100)),
        ("mlp", (64, 64, 64)),
        ("cnn", (8, 16, 64)),
        ("cnn", (16, 32, 64)),
    ),
    size=8,
    data_shares=(0.2, 0.9),
    max_epochs={"mlp": 100, "cnn": 30},
)
"""64 networks in 8 groups, on scikit-learn's digits."""


def zoo_settings(quick: bool = False, seed: int = 0) -> tuple[Setting, ...]:
    """The networks of the zoo, group by group.

    Args:
        quick: Those of digits, which take a minute.
        seed: Another one gives the same settings with other weights and examples. Networks share no seed.
    """
    plan = QUICK if quick else FULL
    groups = [(data, architecture, widths) for data in plan.data for architecture, widths in plan.networks]
    found: list[Setting] = []
    first_seed = seed * plan.size * len(groups)
    for place, (data, architecture, widths) in enumerate(groups):
        for row in latin_hypercube(plan.size, 5, seed=place):
            found.append(_setting(plan, data, architecture, widths, row, seed=first_seed + len(found)))
    return tuple(found)


def latin_hypercube(size: int, factors: int, seed: int) -> NDArray[np.float64]:
    """Points of which each coordinate takes every level (k + 1/2) / size once.

    Args:
        size: How many points.
        factors: Coordinates.
        seed: Of the orders, one a factor. The generator's raw bits do not change between versions of numpy.

    Returns:
        Shape (size, factors).
    """
    bits = np.random.PCG64(seed).random_raw(size * factors).reshape(factors, size)
    return (np.argsort(bits, axis=1, kind="stable").T + 0.5) / size


def _setting(
    plan: Plan, data: str, architecture: str, widths: tuple[int, ...], row: Sequence[float], seed: int
) -> Setting:
    batch, rate, decay, noise, share = row
    least, most = plan.data_shares
    return Setting(
        data=data,
        architecture=architecture,
        widths=widths,
        batch_size=8 * 2 ** int(4 * batch),
        learning_rate=_digits(_between(0.02, 0.16, rate)),
        weight_decay=_digits(_between(1e-5, 3e-3, (decay - _NO_DECAY) / (1 - _NO_DECAY))) if decay > _NO_DECAY else 0.0,
        label_noise=round(0.05 + 0.3 * (noise - _NO_NOISE) / (1 - _NO_NOISE), 3) if noise > _NO_NOISE else 0.0,
        data_share=_digits(_between(least, most, share)),
        seed=seed,
        max_epochs=plan.max_epochs[architecture],
        held_out=0.0,
        kept="last",
    )


def _between(least: float, most: float, place: float) -> float:
    """The number at a place in 0 to 1 from the least to the most, evenly in the logarithm."""
    return float(least * (most / least) ** place)


def _digits(value: float) -> float:
    """Rounded to three digits, as names show it."""
    return float(f"{value:.3g}")

"""Small tables as an experiment leaves them, made by rules that a test can turn round."""

import math

import numpy as np
import pandas as pd
import pyarrow as pa

from setol_zoo.lab.lab_tables import Tables

STRENGTHS = (1, 2, 4, 8, 16, 32)
SHARED = {
    "data": "mnist",
    "architecture": "mlp",
    "widths": "300-100",
    "group": "mnist mlp-300-100",
    "weight_decay": 0.0,
    "label_noise": 0.0,
    "data_share": 1.0,
    "end": None,
    "held_out": 0.1,
    "n_train": 54000,
}
LAST = 20


def both_sweeps(strengths=STRENGTHS) -> list[tuple[float, int, int]]:
    """Learning rate, batch size and strength of each setting, each once."""
    rates = [(0.01 * strength, 32, strength) for strength in strengths]
    return list(dict.fromkeys([*rates, *((0.01, 32 // strength, strength) for strength in strengths)]))


def made_tables(
    *,
    seeds=3,
    settings=None,
    trained="all",
    last_alpha=lambda strength: 3.63 - 0.34 * math.log2(strength),
    zero_at=2.0,
    test_error=lambda alpha: 0.016 + 0.002 * abs(alpha - 2.3),
    tail_cost=lambda alpha: 0.004 * (alpha - 1.9),
    ecs_cost=0.0001,
    traps=lambda layer, strength: 1.0 if layer == "fc1" and strength == 32 else 0.0,
    quality=lambda strength: 0.2 * math.log2(strength),
    **changes,
) -> Tables:
    """Networks whose alpha falls along training to `last_alpha`, erg_delta with it to 0 at `zero_at`.

    Args:
        seeds: Of each setting.
        settings: Learning rate, batch size and strength of each.
        trained: Which layers learned.
        last_alpha: Of fc1, by strength.
        zero_at: Alpha at which erg_delta is 0.
        test_error: By alpha of fc1.
        tail_cost: What cutting to the tails adds to the errors, by alpha.
        ecs_cost: What cutting to the ECS adds.
        traps: By layer and strength.
        quality: log10 of its square, by strength.
        **changes: Of `SHARED`, for all networks.
    """
    rng = np.random.default_rng(7)
    networks, layers = [], []
    for rate, size, strength in both_sweeps() if settings is None else settings:
        for seed in range(seeds):
            name = f"{trained}-{rate:g}-{size}-{seed}"
            shift = rng.normal(0, 0.01)
            for epoch in (0, 1, 2, 5, 10, LAST):
                alpha = last_alpha(strength) + 2 * math.exp(-epoch / 3) * (epoch < LAST) + shift
                error = test_error(alpha) + rng.normal(0, 1e-5)
                networks.append(
                    {**SHARED, "training": name, "name": name, "trained": trained, "seed": seed, "epoch": epoch}
                    | {"learning_rate": rate, "batch_size": size, "last": epoch == LAST}
                    | {"test_error": error, "train_error": error / 4}
                    | {f"tail_{part}_error": base + tail_cost(alpha) for part, base in _parts(error)}
                    | {f"ecs_{part}_error": base + ecs_cost for part, base in _parts(error)}
                    | changes
                    | ({"end": changes.get("end", "converged")} if epoch == LAST else {"end": None})
                )
                for layer, own in (("fc1", alpha), ("fc2", 2 + (alpha - 2) / 3)):
                    layers.append(
                        {"training": name, "epoch": epoch, "layer": layer, "alpha": own}
                        | {"erg_delta": 0.6 * (own - zero_at), "trap_theta": 0.03 * strength + rng.normal(0, 1e-4)}
                        | {"n_traps": traps(layer, strength)}
                        | {"log_q2_discrete": quality(strength) + rng.normal(0, 1e-3)}
                    )
    return Tables(pa.Table.from_pandas(pd.DataFrame(networks)), pa.Table.from_pandas(pd.DataFrame(layers)))


def _parts(error):
    return ("train", error / 4), ("test", error)

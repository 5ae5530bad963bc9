"""Layers whose metrics are computed together have the bits of each alone."""

import numpy as np
import pytest

from pipeline.measurement import layer_metrics as module
from pipeline.measurement.layer import Layer
from pipeline.measurement.layer_metrics import layer_metrics
from pipeline.options import preset

OPTIONS = {name: preset(name) for name in ("default", "weightwatcher")}


def layer(seed: int, n_slices: int, n_rows: int, n_cols: int, n_zero: int) -> Layer:
    rng = np.random.default_rng(seed)
    evals = np.sort(rng.pareto(2.0, n_slices * n_cols)) * 10.0 ** rng.uniform(-6, 2)
    evals[:n_zero] = 0.0
    return Layer(
        evals=evals,
        factor=1.0,
        n_rows=n_rows,
        n_cols=n_cols,
        entry_mean=rng.normal(size=n_slices) * 0.1,
        entry_variance=rng.uniform(size=n_slices),
        permuted=None,
        windows=None,
        vectors=None,
        tap_evals=evals,
        seed=(seed,),
    )


def layers() -> list[Layer]:
    shapes = [(9, 16, 16, 0), (1, 200, 144, 0), (9, 16, 16, 5), (1, 300, 144, 144), (1, 64, 10, 0), (9, 16, 16, 140)]
    return [layer(seed, *shape) for seed, shape in enumerate(4 * shapes)]


@pytest.mark.parametrize("name", OPTIONS)
def test_together_as_alone(name):
    together = layer_metrics(layers(), OPTIONS[name])
    assert together == [columns for each in layers() for columns in layer_metrics([each], OPTIONS[name])]
    assert {"ok", "failed"} <= {columns["status"] for columns in together}


def test_the_room_for_them_changes_nothing(monkeypatch):
    plenty = layer_metrics(layers(), OPTIONS["default"])
    monkeypatch.setattr(module, "TOGETHER", 300)
    assert layer_metrics(layers(), OPTIONS["default"]) == plenty


def test_equal_entries_tell_no_strength_and_cost_the_others_nothing():
    whole = layers()[:2]
    whole[0].entry_variance[:] = 0.0
    first, second = layer_metrics(whole, OPTIONS["default"])
    assert "trap_theta" not in first
    assert second == layer_metrics(whole[1:], OPTIONS["default"])[0]


def test_none():
    assert layer_metrics([], OPTIONS["default"]) == []

"""The settings of the trained zoo: groups whose networks differ in five things, each level of each used once."""

from collections import Counter

import numpy as np
import pytest

from setol_zoo.lab.data import DATA
from setol_zoo.lab.zoo import FULL, QUICK, latin_hypercube, zoo_settings


def groups(quick):
    found = {}
    for setting in zoo_settings(quick):
        found.setdefault(setting.group, []).append(setting)
    return found


def test_there_are_more_than_200_networks_in_14_groups():
    settings = zoo_settings()
    assert len({setting.id for setting in settings}) == len(settings) == 224
    assert Counter(setting.group for setting in settings) == dict.fromkeys(groups(False), 16)
    assert len(groups(False)) == 14
    assert len({setting.seed for setting in settings}) == 224  # no two share initial weights or examples


def test_the_quick_ones_are_other_networks_of_data_that_need_no_download():
    settings = zoo_settings(quick=True)
    assert {setting.data for setting in settings} == {"digits"}
    assert len({setting.id for setting in settings}) == 64
    assert set(FULL.data) <= set(DATA)
    assert set(QUICK.data) <= set(DATA)


@pytest.mark.parametrize("quick", [False, True])
def test_each_group_has_every_level_once(quick):
    orders = []
    for settings in groups(quick).values():
        size = len(settings)
        assert len({setting.learning_rate for setting in settings}) == size
        assert len({setting.data_share for setting in settings}) == size
        assert Counter(setting.batch_size for setting in settings) == dict.fromkeys((8, 16, 32, 64), size // 4)
        noises = [setting.label_noise for setting in settings if setting.label_noise]
        decays = [setting.weight_decay for setting in settings if setting.weight_decay]
        assert len(set(noises)) == len(noises) == size // 2
        assert len(set(decays)) == len(decays) == size - round(size / 3)
        assert 0.05 <= min(noises) <= max(noises) <= 0.35
        orders.append(tuple(np.argsort([setting.learning_rate for setting in settings])))
    assert len(set(orders)) == len(orders)  # an accidental correlation of two factors is not that of all groups


def test_points_of_a_latin_hypercube_take_every_level_once_in_each_coordinate():
    points = latin_hypercube(7, 3, seed=1)
    assert points.shape == (7, 3)
    np.testing.assert_allclose(np.sort(points, axis=0), np.tile((np.arange(7) + 0.5)[:, None] / 7, 3))
    assert not np.array_equal(points, latin_hypercube(7, 3, seed=2))
    np.testing.assert_array_equal(points, latin_hypercube(7, 3, seed=1))


def test_orders_are_the_same_for_ever():
    """Ids of stored networks depend on them."""
    places = (latin_hypercube(5, 2, seed=0) * 5 - 0.5).round().astype(int)
    assert places.T.tolist() == [[3, 2, 1, 0, 4], [3, 1, 2, 0, 4]]
    assert zoo_settings()[0].name == "mlp-128 lr0.0359 bs32 noise0.181 data0.037 seed0"

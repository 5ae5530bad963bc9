"""Settings: what is refused, and what names them."""

from dataclasses import replace

import pytest

from setol_zoo.lab.errors import SettingError
from setol_zoo.lab.experiments import BATCH_SIZES, EXPERIMENTS, LEARNING_RATES, experiment
from setol_zoo.lab.setting import Setting


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"architecture": "mpl"}, "mlp"),
        ({"architecture": "cnn", "widths": (64,)}, "at least 2 for cnn"),
        ({"widths": ()}, "at least 1 for mlp"),
        ({"widths": (300, 0)}, "widths of at least 1"),
        ({"trained": "fc3"}, "fc"),
        ({"trained": "fc2", "widths": (300,)}, "need a layer fc2; got 1 hidden layers"),
        ({"batch_size": 0}, "batch_size of at least 1; got 0"),
        ({"learning_rate": 0.0}, "learning_rate above 0"),
        ({"learning_rate": float("nan")}, "learning_rate above 0; got nan"),
        ({"weight_decay": -1e-4}, "weight_decay of at least 0"),
        ({"label_noise": 1.5}, "label_noise in 0 to 1"),
        ({"data_share": 0.0}, "data_share above 0"),
        ({"held_out": 1.0}, "held_out"),
        ({"max_epochs": 0}, "max_epochs"),
        ({"patience": -1}, "patience"),
        ({"min_drop": float("nan")}, "min_drop of at least 0; got nan"),
        ({"seed": -1}, "seed"),
    ],
)
def test_impossible_settings(changed: dict[str, object], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        Setting(**changed)  # type: ignore[arg-type]


def test_id_tells_every_field_apart() -> None:
    first = Setting()
    others = [
        replace(first, **{name: value})
        for name, value in (
            *(("data", "digits"), ("widths", (300, 101)), ("batch_size", 16), ("learning_rate", 0.02)),
            *(("weight_decay", 1e-4), ("label_noise", 0.1), ("data_share", 0.5), ("trained", "fc1"), ("seed", 1)),
            *(("max_epochs", 10), ("patience", 4), ("min_drop", 1e-3), ("held_out", 0.0), ("architecture", "cnn")),
            ("kept", "last"),
        )
    ]
    assert len({setting.id for setting in (first, *others)}) == len(others) + 1
    assert Setting().id == first.id


def test_words() -> None:
    setting = Setting(learning_rate=0.08, label_noise=0.2, data_share=0.5, weight_decay=1e-4, trained="fc1", seed=3)
    assert setting.group == "mnist mlp-300-100"
    assert setting.name == "mlp-300-100 lr0.08 bs32 wd0.0001 noise0.2 data0.5 only-fc1 seed3"


def test_published_sweeps_share_one_network() -> None:
    settings = experiment("mlp3").settings(seeds=3)
    assert len(settings) == 3 * (len(LEARNING_RATES) + len(BATCH_SIZES) - 1)
    assert len({setting.id for setting in settings}) == len(settings)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_quick_is_less(name: str) -> None:
    whole, quick = experiment(name).settings(seeds=2), experiment(name).settings(data="digits", seeds=2, quick=True)
    assert sum(each.max_epochs for each in quick) < sum(each.max_epochs for each in whole)
    assert {setting.data for setting in quick} == {"digits"}
    assert all(setting.max_epochs <= (100 if name == "zoo" else 30) for setting in quick)


def test_unknown_experiment() -> None:
    with pytest.raises(SettingError, match="mlp3"):
        experiment("mlp4")
    with pytest.raises(SettingError, match="at least one seed; got 0"):
        experiment("mlp3").settings(seeds=0)

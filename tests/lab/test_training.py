"""Training: what each part of a setting does, and that the same setting gives the same bits."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from setol_zoo.lab.data import DataSet, Examples, load
from setol_zoo.lab.errors import SettingError
from setol_zoo.lab.networks import errors
from setol_zoo.lab.setting import Setting
from setol_zoo.lab.training import is_kept, tensors_of, train, training_examples

QUICK = Setting(data="digits", widths=(32,), learning_rate=0.1, max_epochs=3, patience=0)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def digits() -> DataSet:
    return load("digits")


@pytest.fixture(scope="module")
def tiny() -> DataSet:
    """Forty images of 4 x 4, four classes, each image saying its class and its place."""
    labels = np.arange(40) % 4
    images = np.zeros((40, 1, 4, 4), dtype=np.uint8)
    images[np.arange(40), 0, 0, labels] = 255
    images[:, 0, 3, 3] = np.arange(40)
    return DataSet("tiny", Examples(images, labels), Examples(images[:8].copy(), labels[:8].copy()), 4)


def weights(setting: Setting, data: DataSet) -> torch.Tensor:
    (*_, last) = train(setting, data)
    return torch.cat([value.flatten() for value in last.network.state_dict().values()])


@pytest.mark.parametrize("setting", [QUICK, replace(QUICK, architecture="cnn", widths=(4, 16), max_epochs=1)])
def test_same_setting_same_bits(setting: Setting, digits: DataSet) -> None:
    assert torch.equal(weights(setting, digits), weights(setting, digits))


@pytest.mark.parametrize("changed", [{"seed": 1}, {"learning_rate": 0.2}, {"batch_size": 16}, {"weight_decay": 0.01}])
def test_other_settings_other_weights(changed: dict[str, float], digits: DataSet) -> None:
    assert not torch.equal(weights(QUICK, digits), weights(replace(QUICK, **changed), digits))


def test_seeds_start_apart_and_settings_of_a_seed_together(digits: DataSet) -> None:
    def start(setting: Setting) -> torch.Tensor:
        return next(train(setting, digits)).network.fc1.weight.clone()

    assert not torch.equal(start(QUICK), start(replace(QUICK, seed=1)))
    assert torch.equal(start(QUICK), start(replace(QUICK, learning_rate=0.3)))


def test_learns(digits: DataSet) -> None:
    (untrained, *_, last) = train(replace(QUICK, max_epochs=30), digits)
    assert untrained.train_loss is None and untrained.epoch == 0
    assert last.test_error < 0.1 < untrained.test_error
    assert last.end == "max_epochs"


def test_errors_are_those_of_the_network(digits: DataSet) -> None:
    (*_, last) = train(QUICK, digits)
    learned = training_examples(QUICK, digits)
    assert last.train_error == errors(last.network, learned.inputs, learned.labels)[1]
    tested = tensors_of(digits.test)
    wrong = last.network(tested.inputs).argmax(1) != tested.labels
    assert last.test_error == float(wrong.sum()) / len(wrong)


def test_stops_when_the_loss_no_longer_falls(digits: DataSet) -> None:
    """A loss that falls by less than `min_drop` in every epoch ends training after the first and `patience` more."""
    found = list(train(replace(QUICK, max_epochs=50, patience=3, min_drop=10.0), digits))
    assert [found[-1].epoch, found[-1].end] == [4, "converged"]
    assert found[-1].kept and found[-1].test_error is not None


def test_patience_counts_from_the_minimum(digits: DataSet) -> None:
    losses = [state.train_loss for state in train(replace(QUICK, max_epochs=200, patience=2, min_drop=2e-3), digits)]
    least, waited = float("inf"), []
    for loss in losses[1:]:
        waited.append(0 if loss < least - 2e-3 else waited[-1] + 1)
        least = loss if waited[-1] == 0 else least
    assert waited[-1] == 2 and max(waited[:-1]) < 2


def test_diverging_ends_with_a_row(digits: DataSet) -> None:
    (*_, last) = train(replace(QUICK, learning_rate=1e30), digits)
    assert (last.end, last.kept, last.train_loss, last.test_error) == ("diverged", False, None, None)


def test_label_noise_replaces_labels_by_others(tiny: DataSet) -> None:
    setting = Setting(data="tiny", widths=(4,), batch_size=4, held_out=0.0)
    clean, noisy = training_examples(setting, tiny), training_examples(replace(setting, label_noise=0.5), tiny)
    assert torch.equal(clean.inputs, noisy.inputs)
    assert int((clean.labels != noisy.labels).sum()) == 20
    assert {int(label) for label in noisy.labels} == {0, 1, 2, 3}


def test_shares_of_the_examples(tiny: DataSet) -> None:
    setting = Setting(data="tiny", widths=(4,), batch_size=4, held_out=0.1)
    assert len(training_examples(setting, tiny).labels) == 36
    half = training_examples(replace(setting, data_share=0.5), tiny)
    places = {int(value) for value in (half.inputs[:, 0, 3, 3] * 255).round()}
    assert len(places) == 18


def test_too_few_examples(tiny: DataSet) -> None:
    with pytest.raises(SettingError, match="at least one batch of 32; 18 of 40 training examples of tiny"):
        next(train(Setting(data="tiny", data_share=0.5), tiny))


def test_other_data(tiny: DataSet) -> None:
    with pytest.raises(SettingError, match="need the data set mnist of the setting; got tiny"):
        next(train(Setting(), tiny))


def test_too_many_poolings(digits: DataSet) -> None:
    with pytest.raises(SettingError, match="at least 16 x 16 for 4 poolings by 2; got 8 x 8"):
        next(train(Setting(data="digits", architecture="cnn", widths=(2, 2, 2, 2, 9)), digits))


def test_eight_epochs_of_each_octave_are_kept() -> None:
    kept = [epoch for epoch in range(129) if is_kept(epoch)]
    assert kept[:17] == list(range(17))
    assert [sum(2**octave <= epoch < 2 ** (octave + 1) for epoch in kept) for octave in (4, 5, 6)] == [8, 8, 8]


def test_weights_that_are_not_finite_diverge_too(tiny: DataSet) -> None:
    """One batch an epoch: its loss is taken before the step that overflows."""
    setting = Setting(data="tiny", widths=(4,), batch_size=40, held_out=0.0, learning_rate=1e38, max_epochs=1)
    grown = replace(setting, weight_decay=1e38)  # multiplies the weights by -inf
    (*_, last) = train(grown, tiny)
    assert (last.end, last.kept, last.test_loss) == ("diverged", False, None)

"""Trainings in a results folder: whole or not at all."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from setol_zoo.lab import trained as store
from setol_zoo.lab.data import DataSet, load
from setol_zoo.lab.errors import SettingError
from setol_zoo.lab.setting import Setting
from setol_zoo.lab.trained import FOLDER, remove_leftovers, train_into, trained
from setol_zoo.lab.training import train

SETTING = Setting(data="digits", widths=(24,), learning_rate=0.1, max_epochs=18, patience=0)


@pytest.fixture(scope="module")
def digits() -> Iterator[DataSet]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield load("digits")
    torch.set_num_threads(before)


def test_stored_as_trained(tmp_path: Path, digits: DataSet) -> None:
    assert trained(tmp_path, SETTING) is None
    found = train_into(tmp_path, SETTING, digits)
    assert found == trained(tmp_path, SETTING)
    assert [row.epoch for row in found.epochs] == list(range(19))
    assert [row.epoch for row in found.epochs if row.kept] == [*range(17), 18]
    (*_, last) = train(SETTING, digits)
    kept = load_file(found.weights(18))
    assert {name: value.tolist() for name, value in kept.items()} == {
        name: value.tolist() for name, value in last.network.state_dict().items()
    }
    assert found.epochs[-1].params == 64 * 24 + 24 + 24 * 10 + 10


def test_done_is_not_done_again(tmp_path: Path, digits: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    first = train_into(tmp_path, SETTING, digits)
    monkeypatch.setattr(store, "train", lambda *_: pytest.fail("trained again"))
    assert train_into(tmp_path, SETTING, digits) == first


def test_what_breaks_off_leaves_nothing(tmp_path: Path, digits: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*given: object) -> Iterator[object]:
        for state in train(*given):  # type: ignore[arg-type]
            if state.epoch == 3:
                raise KeyboardInterrupt
            yield state

    monkeypatch.setattr(store, "train", breaks)
    with pytest.raises(KeyboardInterrupt):
        train_into(tmp_path, SETTING, digits)
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_leftovers_of_the_killed(tmp_path: Path, digits: DataSet) -> None:
    train_into(tmp_path, SETTING, digits)
    killed, running = (tmp_path / FOLDER / f".{SETTING.id}-{end}" for end in ("abc", "def"))
    for left in (killed, running):
        (left / SETTING.id).mkdir(parents=True)
    for path in (killed / SETTING.id, killed, running):  # another process wrote into the running one just now
        os.utime(path, (1e9, 1e9))
    remove_leftovers(tmp_path)
    assert {path.name for path in (tmp_path / FOLDER).iterdir()} == {SETTING.id, running.name}


def test_diverged_has_its_rows(tmp_path: Path, digits: DataSet) -> None:
    found = train_into(tmp_path, replace(SETTING, learning_rate=1e30), digits)
    assert found.epochs[-1].end == "diverged"
    assert found.epochs[-1].test_error is None and not found.epochs[-1].kept
    assert [path.name for path in sorted(found.folder.iterdir())] == ["epoch-0000.safetensors", "epochs.parquet"]


def test_part_of_a_training_is_told_before_it_is_trained(
    tmp_path: Path, digits: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = train_into(tmp_path, SETTING, digits).folder
    (folder / "epochs.parquet").unlink()
    monkeypatch.setattr(store, "train", lambda *_: pytest.fail("trained again"))
    with pytest.raises(SettingError, match=f"{folder} is part of a training, without epochs.parquet.*or remove it"):
        train_into(tmp_path, SETTING, digits)


def test_one_that_keeps_its_last_state_alone_is_not_silent(
    tmp_path: Path, digits: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def beside(*given: object) -> Iterator[object]:
        for state in train(*given):  # type: ignore[arg-type]
            if state.epoch == 2:  # in the first it was long ago that anything was written
                remove_leftovers(tmp_path)
            yield state
            if state.epoch == 0:
                for path in (tmp_path / FOLDER).rglob("*"):
                    os.utime(path, (1e9, 1e9))

    monkeypatch.setattr(store, "train", beside)
    assert train_into(tmp_path, replace(SETTING, kept="last", max_epochs=3), digits).epochs[-1].epoch == 3

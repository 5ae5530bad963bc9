"""A monitor in a folder that something is in already, and what is handed over by mistake."""

import warnings

import pytest
import torch
from torch import nn

import setol_zoo as zoo
from pipeline.errors import FolderError, OptionError
from pipeline.store.folder import ResultsFolder
from tests.storage.s3_server import MISSING, S3Server


def earlier(folder, epochs, **measured):
    monitor = zoo.Monitor(nn.Linear(64, 64), folder, permutations=0)
    for epoch in epochs:
        monitor.log(epoch, **measured)


@pytest.mark.parametrize(
    ("epochs", "epoch", "said"),
    [
        (range(6), 0, "epoch 0 of an earlier training is replaced; epochs 1 to 5 of the earlier training stay until"),
        (range(6), 2, "replaced; epochs 0 to 1 and 3 to 5 of the earlier training stay until logged again, and table"),
        ((0, 5, 10), 3, "epoch 3 is new; epochs 0 and 5 to 10 of the earlier training stay"),
        ((0, 1), 0, r"; epoch 1 of the earlier training stays until logged again, and table\(\) shows both"),
        ((4,), 4, "epoch 4 of an earlier training is replaced.$"),
    ],
)
def test_what_stays_of_an_earlier_training_is_said_once(tmp_path, epochs, epoch, said):
    earlier(tmp_path, epochs)
    monitor = zoo.Monitor(nn.Linear(64, 64), tmp_path, permutations=0)
    with pytest.warns(UserWarning, match=said) as told:
        monitor.log(epoch)
        monitor.log(epoch + 1)
    assert len(told) == 1
    assert len(epochs) == 1 or str(told[0].message).endswith("give another folder, or Monitor(..., fresh=True).")
    assert monitor.epochs == tuple(sorted({*epochs, epoch, epoch + 1}))


def test_going_on_after_the_last_epoch_says_nothing(tmp_path):
    earlier(tmp_path, range(3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        zoo.Monitor(nn.Linear(64, 64), tmp_path).log(3)


def test_a_fresh_monitor_removes_its_own_files_at_the_first_log(tmp_path):
    earlier(tmp_path, range(4), old=1.0)
    (tmp_path / "epoch-000003.parquet").write_bytes(b"damaged")
    others = [tmp_path / name for name in ("notes.txt", "my-epoch-000001.parquet", "below/epoch-000001.parquet")]
    (tmp_path / "below").mkdir()
    for path in others:
        path.write_text("mine")
    monitor = zoo.Monitor(nn.Linear(64, 64), tmp_path, every=2, fresh=True)
    assert monitor.epochs == ()
    assert len(monitor.table()) == 0
    monitor.log(1)  # which `every` leaves out
    assert len(list(tmp_path.glob("epoch-*.parquet"))) == 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for epoch in (2, 4):
            monitor.log(epoch)
    assert [path.name for path in sorted(tmp_path.glob("epoch-*"))] == ["epoch-000002.parquet", "epoch-000004.parquet"]
    assert "old" not in monitor.table()
    assert {path.read_text() for path in others} == {"mine"}


@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
def test_object_stores_too(tmp_path, monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    with S3Server(tmp_path) as server:
        earlier(server.url("run"), range(2))
        monitor = zoo.Monitor(nn.Linear(64, 64), server.url("run"), fresh=True)
        monitor.log(5)
        assert monitor.epochs == (5,)
        earlier(server.url("results/layers/v1"), (0,))  # a file where those of a results folder are
        with pytest.raises(FolderError, match="is a results folder of setol"):
            zoo.Monitor(nn.Linear(64, 64), server.url("results"))


def test_a_results_folder_is_refused(tmp_path):
    zoo.analyze(nn.Linear(64, 64), results=tmp_path / "results")
    ResultsFolder(tmp_path / "empty").prepare()
    for name in ("results", "empty"):
        before = sorted((tmp_path / name).rglob("*"))
        with pytest.raises(FolderError, match=rf"{name} is a results folder of setol \(it has .*/\): give a folder of"):
            zoo.Monitor(nn.Linear(64, 64), tmp_path / name, fresh=True)
        assert sorted((tmp_path / name).rglob("*")) == before


def test_a_damaged_file_is_named(tmp_path):
    model = nn.Linear(64, 64)
    zoo.Monitor(model, tmp_path).log(0)
    (tmp_path / "epoch-000000.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(FolderError, match=r"epoch-000000\.parquet in .* is damaged .*: delete it"):
        zoo.Monitor(model, tmp_path)


def test_a_folder_that_cannot_be_made_is_told_before_training(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match=r"cannot log to .*: .*\. Choose another folder"):
        zoo.Monitor(nn.Linear(8, 8), tmp_path / "file" / "below")


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "afile").touch()
    with pytest.raises(FolderError, match=r"afile is a file; need a folder\."):
        zoo.Monitor(nn.Linear(8, 8), tmp_path / "afile")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(nn.ReLU()), r"^Sequential has no weight matrix: nothing to log\. Was the right module handed"),
        (nn.BatchNorm2d(64), "^BatchNorm2d has no weight matrix"),
        ({"bias": torch.ones(8)}, "^state_dict has no weight matrix"),
        (
            nn.Linear(64, 64, dtype=torch.complex64),
            r"nothing to log\. weight: The number format is not one .* Was the right module",
        ),
    ],
)
def test_a_model_without_a_matrix_is_refused(tmp_path, model, message):
    with pytest.raises(ValueError, match=message):
        zoo.Monitor(model, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_small_matrices_are_rows(tmp_path):
    assert len(zoo.Monitor(nn.Linear(2, 2), tmp_path).log(0).layers) == 1


@pytest.mark.parametrize(
    ("model", "got"),
    [
        (None, r"NoneType\."),
        (torch.optim.SGD(nn.Linear(8, 8).parameters(), lr=0.1), r"torch\.optim\.sgd\.SGD\."),
        ({}, r"a mapping without tensors \(it holds nothing\)\."),
    ],
)
def test_what_is_no_module_is_told_what_is_needed(tmp_path, model, got):
    with pytest.raises(TypeError, match=f"need the torch module that is trained, or its state dict; got {got}"):
        zoo.Monitor(model, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every": 2.5}, r"every must be a whole number of 1 or more, got 2\.5"),
        ({"every": True}, "every must be a whole number of 1 or more, got True"),
        ({"permutations": 0.5}, r"permutations must be a whole number of 0 or more, got 0\.5"),
        ({"foo": 1}, "unknown option 'foo'; known: every, fresh, .*, bootstrap, .*, windows$"),
        ({"evry": 5}, "unknown option 'evry'; nearest: every; known: every, "),
        ({"base": nn.Linear(8, 8)}, "unknown option 'base'"),
    ],
)
def test_options_that_are_none(tmp_path, arguments, message):
    with pytest.raises(OptionError, match=message):
        zoo.Monitor(nn.Linear(8, 8), tmp_path, **arguments)


@pytest.mark.parametrize(
    ("epoch", "measured", "message"),
    [
        (True, {}, "epoch must be a whole number of 0 or more, got True"),
        (0, {"": 1.0}, r"each measured number needs a name, which its column gets; got '' for 1\.0"),
        (0, {3: 1.0}, "each measured number needs a name, which its column gets; got 3"),
    ],
)
def test_what_cannot_be_logged(tmp_path, epoch, measured, message):
    monitor = zoo.Monitor(nn.Linear(8, 8), tmp_path)
    with pytest.raises(OptionError, match=message):
        monitor.log_numbers(epoch, None, measured)
    assert monitor.epochs == ()


@pytest.mark.parametrize(("every", "told"), [(2, "2nd"), (3, "3rd"), (5, "5th"), (11, "11th"), (21, "21st")])
def test_left_out_says_which_are_logged(tmp_path, every, told):
    left_out = zoo.Monitor(nn.Linear(8, 8), tmp_path, every=every).log(1)
    assert str(left_out) == f"epoch 1 not logged: only every {told} epoch is"

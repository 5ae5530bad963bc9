"""A monitor in Lightning, and what it writes for TensorBoard; each is tested where it is installed."""

import sys
from contextlib import suppress

import duckdb
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import setol_zoo as zoo
from checkpoints.errors import CheckpointError
from checkpoints.torchvision_import import import_torchvision
from pipeline.errors import OptionError
from tests.api.models import convolutions, seeded


def test_without_tensorboard_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    with pytest.raises(OptionError, match=r"needs the package tensorboard, .*: pip install tensorboard"):
        zoo.Monitor(nn.Linear(8, 8), tmp_path, tensorboard=True)


def test_without_lightning_it_says_what_to_install(tmp_path, monkeypatch):
    for name in ("lightning", "pytorch_lightning"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "setol_zoo.lightning", raising=False)
    with pytest.raises(OptionError, match="a callback needs Lightning: pip install lightning"):
        zoo.Monitor(nn.Linear(8, 8), tmp_path).callback()


def events(folder):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = accumulator.EventAccumulator(str(folder))
    found.Reload()
    return found


def test_tensorboard_has_what_the_rows_have(tmp_path):
    pytest.importorskip("tensorboard")
    model = seeded(convolutions)
    monitor = zoo.Monitor(model, tmp_path, tensorboard=True)
    monitor.log(0)
    monitor.log(1, step=50, error=0.5)
    zoo.Monitor(model, tmp_path, tensorboard=True).log(2, step=100, error=0.25)
    written = events(tmp_path)
    layers = ("3", "6")
    assert set(written.Tags()["scalars"]) == {
        "measured/error",
        *(f"{metric}/{layer}" for metric in ("alpha", "erg_delta") for layer in layers),
        *(f"{metric}/{layer}" for metric in ("n_traps", "trap_theta") for layer in ("0", *layers)),
    }
    assert [(each.step, each.value) for each in written.Scalars("measured/error")] == [(50, 0.5), (100, 0.25)]
    table = monitor.table().set_index(["epoch", "layer"])["alpha"]
    for layer in layers:
        values = [each.value for each in written.Scalars(f"alpha/{layer}")]
        assert values == pytest.approx(table[:, layer].tolist(), rel=1e-6)
    (text,) = written.Tensors("phase/text_summary")[-1].tensor_proto.string_val
    assert text.decode().startswith("| layer | phase |\n|---|---|\n| 0 | ")
    assert len(duckdb.sql(f"FROM '{tmp_path}/*.parquet'").fetchall()) == 9


def test_a_writer_of_the_callers_own_is_used(tmp_path):
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path / "board")) as writer:
        zoo.Monitor(nn.Linear(64, 64), tmp_path / "rows", tensorboard=writer).log(3)
    assert [each.step for each in events(tmp_path / "board").Scalars("n_traps/weight")] == [3]
    assert [each.name for each in (tmp_path / "rows").iterdir()] == ["epoch-000003.parquet"]


@pytest.fixture(params=["lightning.pytorch", "pytorch_lightning"])
def lightning(request, monkeypatch):
    """Lightning by either name, as a user has one or the other."""
    with suppress(CheckpointError):
        import_torchvision()  # which Lightning's metrics import where it is, in the way that always works
    module = pytest.importorskip(request.param)
    if request.param == "pytorch_lightning":
        monkeypatch.setitem(sys.modules, "lightning.pytorch", None)
    monkeypatch.delitem(sys.modules, "setol_zoo.lightning", raising=False)
    yield module
    sys.modules.pop("setol_zoo.lightning", None)


@pytest.mark.filterwarnings("ignore")
def test_a_callback_of_lightning_logs_each_epoch(lightning, tmp_path):
    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.fc1 = nn.Linear(64, 80)

        def training_step(self, batch):
            loss = self.fc1(batch[0]).square().mean()
            self.log("train/loss", loss, on_step=False, on_epoch=True)
            return loss

        def validation_step(self, batch):
            self.log("entropy", self.fc1(batch[0]).mean().abs())

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    def fitted(module, folder, epochs, every=1, again=None):
        monitor = zoo.Monitor(module, folder, every=every)
        trainer = lightning.Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=tmp_path,
            callbacks=[monitor.callback(), lightning.callbacks.ModelCheckpoint(tmp_path / "kept", save_last=True)],
        )
        trainer.fit(module, loader, loader, ckpt_path=again)
        return monitor

    torch.manual_seed(0)
    loader = DataLoader(TensorDataset(torch.randn(32, 64)), batch_size=8)
    module = Module()
    monitor = fitted(module, tmp_path / "rows", 3, every=2)
    assert isinstance(monitor.callback(), lightning.Callback)
    assert monitor.epochs == (0, 2, 3)
    assert module.training
    rows = duckdb.sql(
        f"""SELECT epoch, step, layer, "train/loss" > 0, measured_entropy > 0 FROM '{tmp_path}/rows/*.parquet'
        ORDER BY epoch"""
    ).fetchall()
    assert rows == [(0, 0, "fc1", None, None), (2, 8, "fc1", True, True), (3, 12, "fc1", True, True)]
    again = fitted(Module(), tmp_path / "rows", 5, again=tmp_path / "kept" / "last.ckpt")
    assert again.epochs == (0, 2, 3, 4, 5)
    assert again.table()["step"].tolist() == [0, 8, 12, 16, 20]
    before = again.table()["logged"]
    with pytest.warns(UserWarning, match="epoch 0 of an earlier training is replaced; epochs 2 to 5 of the earlier"):
        anew = fitted(Module(), tmp_path / "rows", 4, every=3)
    assert anew.epochs == (0, 2, 3, 4, 5)
    assert (anew.table()["logged"] > before).tolist() == [True, False, True, True, False]

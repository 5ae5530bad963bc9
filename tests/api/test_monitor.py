"""A monitor logs what an analysis would find, epoch by epoch, and training does not know that it is there."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from threadpoolctl import threadpool_info
from torch import nn

import setol_zoo as zoo
from checkpoints.errors import CheckpointError
from pipeline.errors import OptionError
from tests.api.models import TiedLanguageModel, convolutions, seeded
from tests.api.test_live import assert_same, hook, parametrized, state
from tests.storage.s3_server import MISSING, SECRET, S3Server

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(64, 80), nn.ReLU(), nn.Dropout(0.2), nn.Linear(80, 60), nn.ReLU(), nn.Linear(60, 10))


def train(model: nn.Module, epochs: int, after=lambda epoch, loss: None) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(1, epochs + 1):
        for _ in range(5):
            loss = nn.functional.cross_entropy(model(torch.randn(32, 64)), torch.randint(10, (32,)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        after(epoch, loss)


def asked(folder: Path, columns: str = "*", rest: str = "") -> list[tuple]:
    """Rows of all files together, as a user asks for them."""
    return duckdb.sql(f"SELECT {columns} FROM '{folder}/*.parquet' {rest}").fetchall()


def test_rows_are_those_of_an_analysis(tmp_path):
    model = seeded(convolutions)
    logged = zoo.Monitor(model, tmp_path).log(7, step=350, test_error=0.25)
    rows = logged.to_arrow()
    expected = zoo.analyze(model, permutations=1).to_arrow()
    metrics = [name for name in expected.column_names if name not in ("model", "file", "weights_sha256")]
    assert rows.select(metrics).to_pylist() == expected.select(metrics).to_pylist()
    assert rows["n_traps"].null_count == 0
    assert pq.read_table(tmp_path / "epoch-000007.parquet").to_pylist()[0]["test_error"] == 0.25
    found = asked(tmp_path, "epoch, step, layer, alpha, test_error", "ORDER BY row")
    alphas = rows["alpha"].to_pylist()
    assert found == [(7, 350, layer, alpha, 0.25) for layer, alpha in zip("036", alphas, strict=True)]


def test_training_is_the_same_to_the_last_bit(tmp_path):
    alone, watched = network(), network()
    torch.manual_seed(5)
    train(alone, 4)
    monitor = zoo.Monitor(watched, tmp_path)
    monitor.log(0)
    torch.manual_seed(5)
    train(watched, 4, lambda epoch, loss: monitor.log(epoch, loss=loss))
    for name, tensor in alone.state_dict().items():
        assert torch.equal(tensor, watched.state_dict()[name]), name
    table = monitor.table()
    assert table["epoch"].tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3 + [4] * 3
    assert table.groupby("layer")["log_norm"].nunique().tolist() == [5, 5, 5]
    assert table["loss"].isna().sum() == 3


def process_state() -> tuple:
    """Everything outside the network that an analysis could change."""
    draws = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002 - it is the old one that is shared
    threads = torch.get_num_threads(), threadpool_info()
    return draws, threads, torch.is_grad_enabled(), torch.get_default_dtype(), torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize("make", [convolutions, parametrized, TiedLanguageModel])
@pytest.mark.parametrize("training", [True, False])
def test_nothing_of_a_network_is_changed(tmp_path, make, training):
    model = seeded(make).train(training)
    model.register_forward_hook(hook)
    sum(parameter.square().sum() for parameter in model.parameters()).backward()
    before = state(model)
    found = process_state()
    zoo.Monitor(model, tmp_path, threads=1).log(0, loss=torch.ones(1, requires_grad=True))
    assert_same(before, state(model))
    assert process_state() == found


def test_formats_and_devices_stay_and_autocast_rounds_nothing(tmp_path):
    half = seeded(convolutions).bfloat16()
    zoo.Monitor(half, tmp_path / "half").log(0)
    assert {(each.dtype, each.device.type) for each in half.parameters()} == {(torch.bfloat16, "cpu")}
    model = seeded(parametrized)
    plain = zoo.Monitor(model, tmp_path / "plain").log(0).to_arrow()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = zoo.Monitor(model, tmp_path / "cast").log(0).to_arrow()
        assert torch.is_autocast_enabled("cpu")
    assert plain["alpha"] == cast["alpha"]


def test_weights_that_became_nan_are_rows_with_a_reason(tmp_path):
    model = network()
    monitor = zoo.Monitor(model, tmp_path)
    monitor.log(0)
    with torch.no_grad():
        model[3].weight[0, 0] = float("nan")
    logged = monitor.log(1, loss=float("nan"))
    found = logged.to_arrow().select(["layer", "status", "reason"])
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        ("0", "ok", None),
        ("3", "failed", "non_finite"),
        ("5", "no_tail", "too_few_eigenvalues"),
    ]
    assert "non_finite" in str(logged)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(float("inf"))
    assert monitor.log(2).layers["reason"].tolist() == ["non_finite"] * 3
    assert len(asked(tmp_path)) == 9
    assert np.isnan(asked(tmp_path, "loss", "WHERE epoch = 1")[0][0])


def test_a_training_started_again_goes_on(tmp_path):
    model = network()
    first = zoo.Monitor(model, tmp_path)
    for epoch in range(4):
        first.log(epoch, error=1.0)
    train(model, 1)
    again = zoo.Monitor(model, tmp_path)
    assert str(again).endswith("4 epochs logged, the last is 3")
    with pytest.warns(UserWarning, match="epoch 2 of an earlier training is replaced"):
        again.log(2, error=0.5)
    for epoch in (3, 4):  # says so once
        again.log(epoch, error=0.5)
    assert again.epochs == (0, 1, 2, 3, 4)
    errors = "SELECT epoch, any_value(error), count(*) FROM '{}/*.parquet' GROUP BY ALL ORDER BY ALL"
    found = duckdb.sql(errors.format(tmp_path)).fetchall()
    assert found == [(0, 1.0, 3), (1, 1.0, 3), (2, 0.5, 3), (3, 0.5, 3), (4, 0.5, 3)]


def test_numbers_that_come_late_have_a_column_everywhere(tmp_path):
    model = nn.Linear(64, 64)
    monitor = zoo.Monitor(model, tmp_path)
    monitor.log(0)
    before = (tmp_path / "epoch-000000.parquet").read_bytes()
    monitor.log(1, train=1.0)
    monitor.log(2, test=2.0)
    expected = [(0, None, None), (1, 1.0, None), (2, None, 2.0)]
    assert asked(tmp_path, "epoch, train, test", "ORDER BY epoch") == expected
    assert monitor.table().columns[:6].tolist() == ["epoch", "step", "logged", "seconds", "train", "test"]
    (tmp_path / "epoch-000000.parquet").write_bytes(before)  # as a process leaves it that is killed in between
    zoo.Monitor(model, tmp_path).log(3)
    assert asked(tmp_path, "epoch, train, test", "ORDER BY epoch") == [*expected, (3, None, None)]


def test_names_that_are_ours_are_told_apart(tmp_path):
    logged = zoo.Monitor(nn.Linear(64, 64), tmp_path).log_numbers(0, None, {"entropy": 3.0, "Alpha": 1, "val/loss": 2})
    assert dict(logged.measured) == {"measured_entropy": 3.0, "measured_Alpha": 1.0, "val/loss": 2.0}
    assert asked(tmp_path, 'measured_entropy, "val/loss"') == [(3.0, 2.0)]


def test_every_and_what_is_left_out(tmp_path):
    monitor = zoo.Monitor(nn.Linear(64, 64), tmp_path, every=3)
    told = [str(monitor.log(epoch)) for epoch in range(5)]
    assert monitor.epochs == (0, 3)
    assert told[1] == "epoch 1 not logged: only every 3rd epoch is"
    assert len(monitor.log(1).layers) == 0
    assert len(monitor.log_numbers(4, None, {}, always=True).layers) == 1


def test_it_prints_as_a_small_table(tmp_path):
    logged = zoo.Monitor(seeded(convolutions), tmp_path, permutations=0).log(3, step=30, error=0.125)
    title, names, *rows = str(logged).splitlines()
    assert title == "epoch 3, step 30: error 0.125, 3 matrices, 2 with a fitted tail"
    assert names.split() == ["layer", "N", "M", "alpha", "±", "tail", "erg_delta", "phase", "trap_theta", "note"]
    assert rows[0].split()[-1] == "too_few_eigenvalues"
    assert logged._repr_html_().count("<tr>") == 4


def test_other_options_and_state_dicts(tmp_path):
    weights = seeded(convolutions).state_dict()
    slices = zoo.Monitor(weights, tmp_path, preset="natcomm2021", permutations=0).log(0).to_arrow()
    assert slices["tap"].to_pylist() == [*range(9), *range(9), None]
    assert slices["n_traps"].null_count == len(slices)


def test_nothing_logged_is_an_empty_table(tmp_path):
    monitor = zoo.Monitor(nn.Linear(8, 8), tmp_path / "made" / "here")
    assert str(monitor).endswith("made/here: nothing logged yet")
    assert len(monitor.table()) == 0
    assert "alpha" in monitor.table()


@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
def test_a_folder_may_lie_in_an_object_store(tmp_path, monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    with S3Server(tmp_path) as server:
        monitor = zoo.Monitor(nn.Linear(64, 64), server.url("run"))
        for epoch in (0, 1):
            monitor.log(epoch, error=0.5)
        assert zoo.Monitor(nn.Linear(64, 64), server.url("run")).table()["epoch"].tolist() == [0, 1]
        assert SECRET not in str(monitor)
        with pytest.raises(OptionError, match="tensorboard"):
            zoo.Monitor(nn.Linear(64, 64), server.url("run"), tensorboard=True)


CHILD = """
import sys, torch
import setol_zoo as zoo
folder, store = sys.argv[1:]
torch.set_num_threads(1)
model = torch.nn.Linear(64, 64)
torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=1, world_size=2)
print(zoo.Monitor(model, folder + "/second").log(0, error=0.5), flush=True)
torch.distributed.destroy_process_group()
monitor = zoo.Monitor(model, folder + "/killed")
for epoch in range(10**6):
    monitor.log(epoch, error=0.5)
"""


def test_the_first_process_logs_and_one_that_is_killed_leaves_what_it_logged(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, tmp_path, tmp_path / "store"], stdout=subprocess.PIPE, text=True
    )
    try:
        torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=2)
        try:
            first = zoo.Monitor(nn.Linear(64, 64), tmp_path / "first").log(0)
            assert child.stdout.readline() == "epoch 0 not logged: the first process logs\n"
        finally:
            torch.distributed.destroy_process_group()
        killed = tmp_path / "killed"
        while child.poll() is None and not (killed / "epoch-000005.parquet").exists():
            time.sleep(0.01)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
    assert len(first.layers) == 1
    assert not list((tmp_path / "second").iterdir())
    epochs = [epoch for (epoch,) in asked(killed, "epoch", "ORDER BY epoch")]
    assert epochs == list(range(len(epochs)))
    assert len(epochs) >= 6
    assert zoo.Monitor(nn.Linear(64, 64), killed).epochs == tuple(epochs)


@pytest.mark.parametrize(
    ("model", "arguments", "error", "message"),
    [
        ("resnet20", {}, TypeError, "need the torch module that is trained, or its state dict; got 'resnet20'"),
        (3, {}, TypeError, "need the torch module"),
        (nn.LazyLinear(8), {}, CheckpointError, "run the lazy module on one batch"),
        (nn.Linear(8, 8), {"every": 0}, OptionError, "every must be a whole number of 1 or more, got 0"),
        (nn.Linear(8, 8), {"threads": 0}, OptionError, "threads must be a whole number of 1 or more"),
        (nn.Linear(8, 8), {"device": "mps"}, OptionError, "need a device of auto"),
        (nn.Linear(8, 8), {"detial": "full"}, OptionError, "detail"),
        (nn.Linear(8, 8), {"preset": "weightwacher"}, OptionError, "weightwatcher"),
    ],
)
def test_what_cannot_be_monitored_is_told_before_training(tmp_path, model, arguments, error, message):
    with pytest.raises(error, match=message):
        zoo.Monitor(model, tmp_path / "none", **arguments)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epoch": -1}, "epoch must be a whole number of 0 or more, got -1"),
        ({"epoch": 1.5}, "epoch must be a whole number of 0 or more, got 1.5"),
        ({"epoch": 1, "step": "3"}, "step must be a whole number of 0 or more, got '3'"),
        ({"epoch": 1, "error": "0.5"}, "error must be one number, got str '0.5'"),
        ({"epoch": 1, "error": torch.ones(2)}, "error must be one number, got Tensor"),
        ({"epoch": 1, "error": {}}, "error must be one number, got dict"),
    ],
)
def test_what_is_no_number_is_refused(tmp_path, arguments, message):
    monitor = zoo.Monitor(nn.Linear(8, 8), tmp_path)
    with pytest.raises(OptionError, match=message):
        monitor.log(**arguments)
    assert monitor.epochs == ()

"""Shares of one run at the same time in one folder, as the tasks of a Slurm array are."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

COUNT = 3


def files_of(folder: Path) -> dict[str, bytes]:
    found = (path for part in ("spectra", "layers") for path in (folder / part).rglob("*.parquet"))
    return {path.name: path.read_bytes() for path in found}


def setol(*words: object, cache: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "setol_zoo.cli", *map(str, words)],
        env=os.environ | {"SETOL_CACHE": str(cache), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("models")
    for number in range(9):
        generator = torch.Generator().manual_seed(number)
        weights = {"layer.weight": torch.randn(90, 60, generator=generator)}
        save_file(weights, folder / f"model{number}.safetensors")
    (folder / "empty.safetensors").touch()  # fails, in one share
    return sorted(folder.iterdir())


def test_shares_at_once_do_what_one_run_does(models, tmp_path):
    together, alone = tmp_path / "together", tmp_path / "alone"
    words = ("run", *models, "--executor", "serial", "--results")
    shares = [f"{number}/{COUNT}" for number in range(1, COUNT + 1)]
    runs = [setol(*words, together, "--shard", share, cache=tmp_path) for share in shares]
    told = [run.communicate(timeout=200) for run in runs]
    assert sorted(run.returncode for run in runs) == [0, 0, 1], told
    for share, (_, errors) in zip(shares, told, strict=True):
        assert re.search(rf"share {share}: \d of 10 weight files", errors), errors
    computed = [int(re.search(r"(\d+) weight files? computed", output)[1]) for output, _ in told]
    assert sum(computed) == 9
    whole = setol(*words, alone, cache=tmp_path)
    whole.communicate(timeout=200)
    assert whole.returncode == 1
    assert files_of(together) == files_of(alone)
    assert len(files_of(alone)) == 18
    again = setol(*words, together, cache=tmp_path)
    output, errors = again.communicate(timeout=200)
    assert "0 weight files computed, 9 there already" in output, errors  # every share's files are in the one catalog


@pytest.mark.parametrize("share", ["0/3", "4/3", "a/b"])
def test_a_share_that_is_none_is_told(share, models, tmp_path):
    run = setol("run", models[1], "--shard", share, "--results", tmp_path / "r", cache=tmp_path)
    _, errors = run.communicate(timeout=100)
    assert run.returncode == 2
    assert "Error: need a share" in errors
    assert not (tmp_path / "r").exists()


def test_a_plan_has_the_share_too(models, tmp_path):
    plan = setol("plan", *models[1:], "--shard", "1/3", "--results", tmp_path / "r", "--json", cache=tmp_path)
    output, errors = plan.communicate(timeout=100)
    assert plan.returncode == 0, errors
    assert 0 < output.count('"model"') < 9

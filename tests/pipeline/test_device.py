"""A device that is not there is told before any work, and only where the work would be done."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import setol_zoo as zoo
from pipeline.decomposition.device import require_device
from pipeline.errors import OptionError
from pipeline.execution.cluster import run_on_ray
from pipeline.execution.job import Job
from pipeline.options import Options
from pipeline.store.folder import ResultsFolder
from tests.cli.test_commands import setol

ROOT = Path(__file__).parents[2]
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
NEEDED = r"need a GPU on this machine for the device cuda(:1)?; got none: .* Take auto, which is the GPU where there is"


@pytest.fixture
def net(tmp_path):
    save_file(
        {"fc.weight": torch.randn(70, 60, generator=torch.Generator().manual_seed(5))}, tmp_path / "net.safetensors"
    )
    return tmp_path / "net.safetensors"


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_what_every_machine_has(device):
    require_device(device)


@without_gpu
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_no_gpu(device):
    with pytest.raises(OptionError, match=NEEDED):
        require_device(device)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu():
    require_device("cuda")
    require_device("cuda:0")
    with pytest.raises(OptionError, match=r"need the GPU cuda:99 on this machine; got \d+, the last is cuda:\d+"):
        require_device("cuda:99")


@pytest.mark.parametrize("device", ["cdua", "gpu", "cuda:", "cuda:-1", "CPU", "", "mps", "meta"])
def test_no_device(device):
    with pytest.raises(OptionError, match=r"need a device of auto, cpu, cuda, or cuda:N .*; got '"):
        require_device(device)


@without_gpu
@pytest.mark.parametrize("command", [("run", "--executor", "serial"), ("run",), ("run", "--dry-run"), ("analyze",)])
def test_the_command_refuses_before_any_work(net, command):
    run = setol(*command, net, "--device", "cuda", "--results", net.parent / "r")
    assert run.exit_code == 2
    assert "Error: need a GPU on this machine for the device cuda; got none" in run.stderr
    assert not (net.parent / "r").exists()


@without_gpu
@pytest.mark.parametrize("of", ["a file", "tensors"])
def test_the_call_refuses_before_any_work(net, of):
    model = net if of == "a file" else {"fc.weight": torch.ones(3, 2)}
    with pytest.raises(OptionError, match=NEEDED):
        zoo.analyze(model, device="cuda", results=net.parent / "r")
    assert not (net.parent / "r").exists()


def test_ray_chooses_the_gpu(tmp_path):
    job = Job(ResultsFolder(tmp_path / "r"), tmp_path, "config", Options(), device="cuda:1")
    with pytest.raises(OptionError, match=r"need the device cuda with Ray, .*; got cuda:1\."):
        next(run_on_ray((), job))


CLUSTER = """
import sys
from pathlib import Path
from pipeline.execution.cluster import run_on_ray
from pipeline.errors import OptionError
from pipeline.store.folder import ResultsFolder
from pipeline.options import Options
from pipeline.execution.job import Job
job = Job(ResultsFolder(Path(sys.argv[1]) / "r"), Path(sys.argv[1]), "config", Options(), device="cuda")
try:
    next(run_on_ray((), job, cpus=1))
except OptionError as error:
    print(error)
"""


@without_gpu
def test_a_cluster_without_a_gpu_is_told_before_a_unit_is_started(tmp_path):
    pytest.importorskip("ray", reason="needs Ray")
    command = [sys.executable, "-c", CLUSTER, str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert run.stdout.startswith("need a GPU in the Ray cluster for --device cuda; its machines have none now.")

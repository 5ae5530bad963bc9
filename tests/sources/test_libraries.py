"""Weights by the names of timm and torchvision."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from catalogs import WeightFile
from checkpoints.errors import CheckpointError
from checkpoints.remote import identify_remote, repository_of
from checkpoints.timm_source import find_in_timm, timm_names
from checkpoints.torchvision_source import find_in_torchvision, torchvision_names
from checkpoints.url import published_prefix
from tests.sources.conftest import environment, probe, weights
from tests.sources.hub_standin import sha256

ROOT = Path(__file__).parents[2]


def test_a_bare_name_gets_timms_default_tag():
    bare, tagged = find_in_timm("resnet50"), find_in_timm("resnet50.a1_in1k")
    assert bare == tagged
    assert (bare.name, bare.repo, bare.url) == ("resnet50.a1_in1k", "timm/resnet50.a1_in1k", None)


def test_every_pretrained_model_of_timm_lies_somewhere():
    tagged = [name for name in timm_names() if "." in name]
    found = [find_in_timm(name) for name in tagged]
    assert len(found) > 1000
    assert {each.name for each in found} == set(tagged)
    assert all((each.repo is None) is (each.url is not None) for each in found)
    on_the_web = [each.url for each in found if each.url]
    assert 0 < len(on_the_web) < 50
    assert sum(bool(published_prefix(url)) for url in on_the_web) >= 15


def test_weights_of_torchvision():
    default, first = find_in_torchvision("resnet50", None), find_in_torchvision("resnet50", "IMAGENET1K_V1")
    assert (default.name, first.name) == ("IMAGENET1K_V2", "IMAGENET1K_V1")
    assert published_prefix(default.url) != published_prefix(first.url)
    assert len(published_prefix(default.url)) == 8


def test_every_weight_file_of_torchvision_carries_digits_of_its_hash():
    names = torchvision_names()
    with_weights = []
    for name in names:
        try:
            with_weights.append(find_in_torchvision(name, None))
        except CheckpointError as error:
            assert "publishes no weights" in str(error)
    assert len(with_weights) > 90
    assert [each.url for each in with_weights if len(published_prefix(each.url)) < 8] == []


@pytest.mark.parametrize(
    ("find", "arguments", "message"),
    [
        (find_in_timm, ("resnet5o",), r"timm \S+: unknown pretrained model 'resnet5o'; nearest: resnet50"),
        (find_in_timm, ("resnet50.a1_in2k",), "nearest: resnet50.a1_in1k"),
        (find_in_torchvision, ("resnet5o", None), r"torchvision \S+: unknown model 'resnet5o'; nearest: resnet50"),
        (find_in_torchvision, ("resnet50", "IMAGENET1K_V3"), "unknown weights 'IMAGENET1K_V3'; nearest: IMAGENET1K_V"),
    ],
)
def test_unknown_names(find, arguments, message):
    with pytest.raises(CheckpointError, match=message):
        find(*arguments)


def test_a_model_of_timm_comes_from_its_repository(hub, tmp_path):
    """The name is timm's, the repository that timm names is on the stand-in."""
    repository = hub.add("timm/resnet18.a1_in1k", {"model.safetensors": weights(40), "config.json": b"{}"})
    (found,) = probe(environment(hub, tmp_path), {"model": "timm:resnet18"})
    assert found["error"] is None
    assert found["key"] == f"timm:resnet18.a1_in1k@{repository.commit}"
    assert found["files"] == ["timm/resnet18.a1_in1k/model.safetensors"]
    assert found["sha256"] == [sha256(weights(40))]
    row = WeightFile(model=found["key"], name="x", file=found["files"][0])
    assert repository_of(row) == ("timm/resnet18.a1_in1k", "model.safetensors")


def test_a_pinned_model_of_torchvision_costs_no_download(tmp_path):
    row = WeightFile(model="torchvision:resnet50", name="x", file="", weights_sha256="11ad3fa6" + "0" * 56)
    (found,) = identify_remote(row, tmp_path)
    expected = dataclasses.replace(row, model="torchvision:resnet50@IMAGENET1K_V2", file=found.file)
    assert found == expected
    assert found.file == find_in_torchvision("resnet50", None).url
    assert list(tmp_path.iterdir()) == []


WITHOUT_OPERATORS = """
import torch
def refuse(path):
    raise OSError("undefined symbol")
torch.ops.load_library = refuse
"""
BROKEN = """
import sys
class Broken:
    def find_spec(self, name, path=None, target=None):
        if name == "torchvision.models":
            raise RuntimeError("something else is broken")
sys.meta_path.insert(0, Broken())
"""
OURS = """
from checkpoints.torchvision_import import import_timm, import_torchvision
assert import_torchvision().models.resnet18 is not None
assert import_timm().list_pretrained()
"""


def run(source: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_torchvision_is_imported_where_its_operators_do_not_load():
    plain = run(f"{WITHOUT_OPERATORS}import torchvision")
    assert "RuntimeError: operator torchvision::nms does not exist" in plain.stderr
    ours = run(WITHOUT_OPERATORS + OURS)
    assert ours.returncode == 0, ours.stderr


def test_several_threads_may_import_at_once():
    source = """
from concurrent.futures import ThreadPoolExecutor
from checkpoints.torchvision_import import import_timm, import_torchvision
with ThreadPoolExecutor(8) as pool:
    asked = [pool.submit(each) for each in [import_timm, import_torchvision] * 8]
    print(len({id(each.result()) for each in asked}))
"""
    process = run(WITHOUT_OPERATORS + source)
    assert (process.returncode, process.stdout.strip()) == (0, "2"), process.stderr


def test_another_failure_of_the_import_is_not_hidden():
    process = run(BROKEN + OURS)
    assert process.returncode == 1
    assert "RuntimeError: something else is broken" in process.stderr

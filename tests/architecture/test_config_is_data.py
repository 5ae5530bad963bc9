"""A config.json is data: nothing in it makes a library open or fetch anything."""

import json
from importlib.util import find_spec

import pytest

from catalogs import WeightFile
from checkpoints.libraries import architecture_facts, layout_of
from checkpoints.tensors import TensorHeader
from checkpoints.torchvision_import import import_timm

HEADERS = (TensorHeader("fc.weight", "float32", (1000, 512)),)


@pytest.mark.parametrize("argument", ["checkpoint_path", "pretrained_cfg", "cache_dir", "pretrained"])
def test_arguments_that_load_are_left_out(tmp_path, argument, monkeypatch):
    if find_spec("timm") is None:
        pytest.skip("needs timm")
    timm = import_timm()  # which mends a torchvision that does not fit torch
    given = []
    real = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda name, **options: (given.append(options), real(name, **options))[1])
    arguments = {argument: str(tmp_path / "evil.pth"), "in_chans": 3}
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "resnet18", "model_args": arguments}))
    file = WeightFile(model="path:m", name="m", file=str(tmp_path / "m.safetensors"), weights_sha256="0" * 64)
    file = WeightFile(**{**{f: getattr(file, f) for f in file.__slots__}, "layout": layout_of(file)})
    assert architecture_facts(file, HEADERS)
    (options,) = given
    assert options == {"pretrained": False, "in_chans": 3}


@pytest.mark.parametrize("name", ["hf-hub:someone/else", "local-dir:/x", "a/b"])
def test_an_architecture_that_would_be_fetched_is_none(tmp_path, name):
    (tmp_path / "config.json").write_text(json.dumps({"architecture": name}))
    file = WeightFile(model="path:m", name="m", file=str(tmp_path / "m.safetensors"), weights_sha256="0" * 64)
    assert layout_of(file) is None

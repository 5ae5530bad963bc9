"""Weight files opened as data: what is in them comes out, damage and code are refused."""

import argparse
import json
import os
import pickle
import resource
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from checkpoints.errors import CheckpointError
from checkpoints.open import PICKLES, WRAPPERS, open_checkpoint


def tensors():
    generator = torch.Generator().manual_seed(0)
    return {
        "layers.2.weight": torch.randn(4, 3, generator=generator),
        "layers.10.weight": torch.randn(5, 4, generator=generator),
        "half": torch.randn(2, 3, generator=generator).half(),
        "brain": torch.randn(2, 3, generator=generator).bfloat16(),
        "double": torch.randn(2, 2, generator=generator).double(),
        "scalar": torch.tensor(3.5),
        "counts": torch.arange(4),
        "mask": torch.tensor([True, False]),
        "void": torch.zeros(0, 3),
    }


def assert_holds(checkpoint, expected):
    assert {header.name for header in checkpoint.headers} == set(expected)
    for header in checkpoint.headers:
        tensor = expected[header.name]
        assert header.shape == tuple(tensor.shape)
        assert f"torch.{header.dtype}" == str(tensor.dtype)
        assert header.n_params == tensor.numel()
        read = checkpoint.read(header.name)
        assert read.dtype == tensor.dtype and read.device.type == "cpu" and not read.requires_grad
        assert torch.equal(read, tensor)


def test_safetensors(tmp_path):
    save_file(tensors(), tmp_path / "m.safetensors")
    assert_holds(open_checkpoint(tmp_path / "m.safetensors"), tensors())


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "uint16", "uint32", "uint64", "complex64"])
@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_formats_that_are_no_weights(tmp_path, dtype, suffix):
    path = tmp_path / f"m.{suffix}"
    expected = {"x": torch.ones(2, 3).to(getattr(torch, dtype))}
    save_file(expected, path) if suffix == "safetensors" else torch.save(expected, path)
    assert_holds(open_checkpoint(path), expected)


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2"])
@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_eight_bit_floats_have_their_names(tmp_path, dtype, suffix):
    path = tmp_path / f"m.{suffix}"
    weights = {"x": torch.ones(2, 3).to(getattr(torch, dtype))}
    save_file(weights, path) if suffix == "safetensors" else torch.save(weights, path)
    (header,) = open_checkpoint(path).headers
    assert (header.dtype, header.shape) == (dtype, (2, 3))


def test_safetensors_come_in_the_order_of_their_numbers(tmp_path):
    save_file({f"layers.{i}.weight": torch.zeros(1) for i in range(12)}, tmp_path / "m.safetensors")
    names = [header.name for header in open_checkpoint(tmp_path / "m.safetensors").headers]
    assert names == [f"layers.{i}.weight" for i in range(12)]


def test_safetensors_without_tensors(tmp_path):
    save_file({}, tmp_path / "m.safetensors", metadata={"format": "pt"})
    assert open_checkpoint(tmp_path / "m.safetensors").headers == ()


def test_reading_one_tensor_does_not_read_the_others(tmp_path):
    """A file of 2 GiB, nearly all of it a hole: the process grows by less than an eighth of it."""
    size = 2 * 2**30
    header = json.dumps(
        {
            "big": {"dtype": "F32", "shape": [2**29], "data_offsets": [0, size]},
            "small": {"dtype": "F32", "shape": [2, 2], "data_offsets": [size, size + 16]},
        }
    ).encode()
    path = tmp_path / "m.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.seek(size, os.SEEK_CUR)
        file.write(np.arange(4, dtype="<f4").tobytes())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    checkpoint = open_checkpoint(path)
    assert [entry.n_params for entry in checkpoint.headers] == [2**29, 4]
    assert checkpoint.read("small").tolist() == [[0, 1], [2, 3]]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**18  # kilobytes


@pytest.mark.parametrize("suffix", PICKLES)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_pickles(tmp_path, suffix, zipped):
    path = tmp_path / f"m{suffix}"
    torch.save(tensors(), path, _use_new_zipfile_serialization=zipped)
    checkpoint = open_checkpoint(path)
    assert_holds(checkpoint, tensors())
    assert [header.name for header in checkpoint.headers] == list(tensors())


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_state_dict_under_a_key_of_the_training_script(tmp_path, wrapper, zipped):
    content = {"epoch": 3, "optimizer": {"state": {0: {"exp_avg": torch.ones(4, 3)}}}, wrapper: tensors()}
    torch.save(content, tmp_path / "m.pth", _use_new_zipfile_serialization=zipped)
    assert_holds(open_checkpoint(tmp_path / "m.pth"), tensors())


def test_tensors_beside_the_state_dict_do_not_hide_it(tmp_path):
    """The accuracy is a tensor in the checkpoints of torch's own ImageNet example."""
    content = {"epoch": 3, "arch": "resnet18", "best_acc1": torch.tensor(69.8), "state_dict": tensors()}
    torch.save(content, tmp_path / "m.tar")
    assert_holds(open_checkpoint(tmp_path / "m.tar"), tensors())


def test_wrappers_within_wrappers_and_wrappers_without_tensors(tmp_path):
    content = {"state_dict": {"step": 4}, "model": {"config": {"depth": 2}, "module": tensors()}}
    torch.save(content, tmp_path / "m.pt")
    assert_holds(open_checkpoint(tmp_path / "m.pt"), tensors())


def test_a_layer_called_model_is_no_wrapper(tmp_path):
    torch.save({"model": torch.ones(3, 2), "net.0.weight": torch.ones(2, 2)}, tmp_path / "m.pt")
    assert [header.name for header in open_checkpoint(tmp_path / "m.pt").headers] == ["model", "net.0.weight"]


def test_parameters_and_names_of_data_parallel(tmp_path):
    module = torch.nn.DataParallel(torch.nn.Linear(3, 2))
    torch.save({"state_dict": dict(module.named_parameters()), "names": ["a"]}, tmp_path / "m.pt")
    weight = module.module.weight.detach()
    assert_holds(
        open_checkpoint(tmp_path / "m.pt"), {"module.weight": weight, "module.bias": module.module.bias.detach()}
    )


class Intruder:
    """What a hostile checkpoint would do to whoever unpickles it."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("suffix", PICKLES)
def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(tmp_path, suffix, zipped):
    mark, path = tmp_path / "mark", tmp_path / f"m{suffix}"
    torch.save({**tensors(), "extra": Intruder(mark)}, path, _use_new_zipfile_serialization=zipped)
    told = rf"refused m\{suffix}: unpickling it would run (posix|nt)\.system, and weights are data\. .* as safetensors"
    with pytest.raises(CheckpointError, match=told) as caught:
        open_checkpoint(path)
    assert not mark.exists()
    assert not caught.value.transient
    torch.load(path, weights_only=False)
    assert mark.exists()


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_plain_pickle_runs_nothing(tmp_path, protocol):
    mark, path = tmp_path / "mark", tmp_path / "m.bin"
    path.write_bytes(pickle.dumps(Intruder(mark), protocol=protocol))
    with pytest.raises(CheckpointError, match=r"(refused|damaged checkpoint) m.bin"):
        open_checkpoint(path)
    assert not mark.exists()
    pickle.loads(path.read_bytes())
    assert mark.exists()


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"args": argparse.Namespace(lr=0.1)}, r"argparse\.Namespace"),
        ({"best_prec1": np.float64(91.7)}, r"numpy\._?core\.multiarray\.scalar"),
        ({"model": torch.nn.Linear(2, 2)}, r"torch\.nn\.modules\.linear\.Linear"),
    ],
    ids=["namespace", "numpy scalar", "module"],
)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_objects_beside_the_tensors_are_refused_by_name(tmp_path, content, named, zipped):
    torch.save({"state_dict": tensors(), **content}, tmp_path / "m.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=rf"refused m.pt: unpickling it would run {named}, and weights are data"):
        open_checkpoint(tmp_path / "m.pt")


@pytest.mark.parametrize(
    ("content", "came"),
    [
        ({"epoch": 3, "lr": 0.1}, r"got keys \['epoch', 'lr'\]"),
        ({"state_dict": {"epoch": 3}}, r"got keys \['state_dict'\]"),
        ([torch.ones(2)], r"got list"),
        (torch.ones(2, 2), r"got Tensor"),
        (None, r"got NoneType"),
    ],
)
def test_no_tensors_inside(tmp_path, content, came):
    torch.save(content, tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match=rf"no tensors in m.pt: need a state dict, .* under one of .*; {came}"):
        open_checkpoint(tmp_path / "m.pt")


@pytest.mark.parametrize(
    ("content", "empty"),
    [
        (torch.nn.ReLU().state_dict(), "its state dict is empty"),
        ({}, "its state dict is empty"),
        ({"epoch": 3, "model": {}}, "the state dict under 'model' is empty"),
    ],
)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_an_empty_state_dict_is_called_empty(tmp_path, content, empty, zipped):
    torch.save(content, tmp_path / "m.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=rf"no tensors in m.pt: {empty}, .* so there is nothing to analyze"):
        open_checkpoint(tmp_path / "m.pt")


@pytest.mark.parametrize("name", ["m.onnx", "m.npz", "m.h5", "m.safetensors.bak", "m", "m.gguf"])
def test_other_suffixes(tmp_path, name):
    (tmp_path / name).write_bytes(b"weights")
    suffixes = ".safetensors, .pt, .pth, .pyth, .bin, .th, .tar"
    told = rf"cannot read {name}: need one of {suffixes}. Save the model's state_dict"
    with pytest.raises(CheckpointError, match=told):
        open_checkpoint(tmp_path / name)


@pytest.mark.parametrize("name", ["gone.pt", "gone.safetensors"])
def test_missing_files(tmp_path, name):
    with pytest.raises(CheckpointError, match=rf"no such file: .*{name}. Check the path"):
        open_checkpoint(tmp_path / name)


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "m.pt").mkdir()
    with pytest.raises(CheckpointError, match=r"no such file: .*m.pt"):
        open_checkpoint(tmp_path / "m.pt")


FORMATS = ["safetensors", "zip", "legacy"]


def saved(folder, kind):
    path = folder / ("m.safetensors" if kind == "safetensors" else "m.pt")
    if kind == "safetensors":
        save_file(tensors(), path)
    else:
        torch.save(tensors(), path, _use_new_zipfile_serialization=kind == "zip")
    return path


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_cut_short(tmp_path, kind, share):
    path = saved(tmp_path, kind)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(CheckpointError, match=r"damaged (checkpoint|safetensors file) m\.|refused m\.pt") as caught:
        open_checkpoint(path)
    assert not caught.value.transient
    assert str(caught.value).endswith(("etch it again.", "as safetensors."))


@pytest.mark.parametrize("kind", FORMATS)
def test_no_damage_gets_out_as_another_error(tmp_path, kind):
    """Bytes overwritten anywhere: the file opens, or it is a CheckpointError that names it."""
    path = saved(tmp_path, kind)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for place in rng.integers(0, min(len(whole), 2000), rng.integers(1, 6)):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            open_checkpoint(path)
        except CheckpointError as error:
            assert path.name in str(error)
            refused += 1
    assert refused > 50


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 100,
        b"<!DOCTYPE html><html>Not found</html>",
        b"version 1\noid sha256:0\nsize 1\n",
        struct.pack("<Q", 2**40) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 10) + b"{}",
        b"PK\x03\x04 no zip",
        b"PK\x05\x06" + b"\x00" * 18,
    ],
)
@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".bin", ".tar"])
def test_garbage(tmp_path, content, suffix):
    (tmp_path / f"m{suffix}").write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"damaged (checkpoint|safetensors file) m{suffix}: .*etch it again"):
        open_checkpoint(tmp_path / f"m{suffix}")


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 999]}, "damaged safetensors file"),
        ({"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 16]}, "damaged safetensors file"),
        ({"dtype": "X32", "shape": [2, 2], "data_offsets": [0, 16]}, "damaged safetensors file"),
        ({"dtype": "F32", "shape": [-2, 2], "data_offsets": [0, 16]}, "damaged safetensors file"),
        ({"shape": [2, 2]}, "damaged safetensors file"),
    ],
)
def test_safetensors_whose_header_lies(tmp_path, entry, told):
    header = json.dumps({"x": entry}).encode()
    (tmp_path / "m.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"\x00" * 16)
    with pytest.raises(CheckpointError, match=rf"{told} m.safetensors: .* fetch it again"):
        open_checkpoint(tmp_path / "m.safetensors")


def test_a_checkpoint_that_holds_itself_ends(tmp_path):
    content = {"epoch": 1}
    content["model"] = content
    torch.save(content, tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match=r"no tensors in m.pt"):
        open_checkpoint(tmp_path / "m.pt")


def test_of_several_state_dicts_the_models_is_taken_and_the_others_are_named(tmp_path):
    content = {"ema": tensors(), "model": {**tensors(), "extra": torch.ones(2)}, "queue": torch.ones(3, 2), "epoch": 3}
    torch.save(content, tmp_path / "m.pt")
    checkpoint = open_checkpoint(tmp_path / "m.pt")
    assert_holds(checkpoint, content["model"])
    assert checkpoint.remarks == ("the tensors under 'model' are analyzed; left out: ema, queue",)


def test_the_only_key_with_matrices_is_the_model(tmp_path):
    content = {"ema": tensors(), "acc": torch.tensor(0.5), "step": torch.arange(3), "names": {"a": 1}}
    torch.save(content, tmp_path / "m.pt")
    checkpoint = open_checkpoint(tmp_path / "m.pt")
    assert_holds(checkpoint, tensors())
    assert checkpoint.remarks == ()


def test_matrices_at_the_top_are_the_model(tmp_path):
    torch.save({**tensors(), "ema": tensors()}, tmp_path / "m.pt")
    checkpoint = open_checkpoint(tmp_path / "m.pt")
    assert_holds(checkpoint, tensors())
    assert checkpoint.remarks == ("the tensors at the top are analyzed; left out: ema",)


@pytest.mark.parametrize(
    "content",
    [
        {"gen": tensors(), "disc": tensors(), "acc": torch.tensor(0.5)},
        {"model": {"gen": tensors(), "disc": tensors()}, "acc": torch.tensor(0.5)},
    ],
    ids=["top", "under a wrapper"],
)
def test_one_of_several_state_dicts_is_not_guessed(tmp_path, content):
    torch.save(content, tmp_path / "m.pt")
    with pytest.raises(
        CheckpointError, match=r"m\.pt holds several state dicts, .*the model: gen, disc\. Save the one"
    ):
        open_checkpoint(tmp_path / "m.pt")


def test_moments_of_an_optimizer_do_not_hide_the_model(tmp_path):
    content = {"optimizer": {"exp_avg": tensors(), "exp_avg_sq": tensors()}, "model": tensors()}
    torch.save(content, tmp_path / "m.pt")
    checkpoint = open_checkpoint(tmp_path / "m.pt")
    assert_holds(checkpoint, tensors())
    assert checkpoint.remarks == ("the tensors under 'model' are analyzed; left out: optimizer",)


@pytest.mark.parametrize("name", ["M.SAFETENSORS", "m.Pt"])
def test_suffixes_in_capitals(tmp_path, name):
    if name.endswith("S"):
        save_file(tensors(), tmp_path / name)
    else:
        torch.save(tensors(), tmp_path / name)
    assert_holds(open_checkpoint(tmp_path / name), tensors())


@pytest.mark.parametrize("name", ["m.safetensors", "m.pt"])
def test_a_web_page_in_the_place_of_a_file(tmp_path, name):
    (tmp_path / name).write_text("\n<!DOCTYPE html>\n<html>Not found</html>")
    with pytest.raises(CheckpointError, match=rf"damaged .* {name}: it starts with '<!DOCTYPE html>', so it is a web"):
        open_checkpoint(tmp_path / name)

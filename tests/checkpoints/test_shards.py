"""Which files a path stands for."""

import json

import pytest

from checkpoints.errors import CheckpointError
from checkpoints.shards import weight_files_at

SHARDS = ["model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors"]


def touch(folder, *names):
    for name in names:
        (folder / name).write_bytes(b"weights")


def index(folder, names, name="model.safetensors.index.json"):
    path = folder / name
    # Several tensors a shard, the shards not in order: as indexes are.
    weight_map = {f"layers.{i}.{part}": shard for part in "ab" for i, shard in enumerate(reversed(names))}
    path.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))
    return path


def names_at(path):
    return [file.name for file in weight_files_at(path)]


@pytest.mark.parametrize("name", ["m.safetensors", "m.pt", "m.pth", "m.bin", "m.th", "m.pth.tar"])
def test_a_file_stands_for_itself(tmp_path, name):
    touch(tmp_path, name)
    assert weight_files_at(tmp_path / name) == (tmp_path / name,)


def test_an_index_stands_for_its_shards(tmp_path):
    touch(tmp_path, *SHARDS, "other.safetensors")
    assert weight_files_at(index(tmp_path, SHARDS)) == tuple(tmp_path / name for name in SHARDS)


def test_a_folder_with_an_index(tmp_path):
    touch(tmp_path, *SHARDS, "config.json", "tokenizer.json", "README.md")
    index(tmp_path, SHARDS)
    assert names_at(tmp_path) == SHARDS


def test_a_folder_with_one_file(tmp_path):
    touch(tmp_path, "model.safetensors", "config.json")
    (tmp_path / "onnx.bin").mkdir()
    assert names_at(tmp_path) == ["model.safetensors"]


def test_safetensors_before_pickles(tmp_path):
    touch(tmp_path, "model.safetensors", "pytorch_model.bin", "training_args.bin")
    assert names_at(tmp_path) == ["model.safetensors"]


def test_shards_of_safetensors_before_shards_of_pickles(tmp_path):
    pickles = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]
    touch(tmp_path, *pickles, *SHARDS)
    index(tmp_path, pickles, "pytorch_model.bin.index.json")
    assert names_at(tmp_path / "pytorch_model.bin.index.json") == pickles
    index(tmp_path, SHARDS)
    assert names_at(tmp_path) == SHARDS


def test_shards_of_pickles_alone(tmp_path):
    pickles = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]
    touch(tmp_path, *pickles)
    index(tmp_path, pickles, "pytorch_model.bin.index.json")
    assert names_at(tmp_path) == pickles


def test_two_checkpoints_in_a_folder(tmp_path):
    touch(tmp_path, "a.safetensors", "b.safetensors")
    with pytest.raises(CheckpointError, match=r"holds 2 checkpoints \(a.safetensors, b.safetensors\): name one"):
        weight_files_at(tmp_path)


def test_many_checkpoints_in_a_folder_are_not_all_listed(tmp_path):
    touch(tmp_path, *[f"{i}.pt" for i in range(9)])
    with pytest.raises(CheckpointError, match=r"holds 9 checkpoints \(0.pt, 1.pt, 2.pt, 3.pt, 4.pt, ...\)"):
        weight_files_at(tmp_path)


def test_a_folder_without_weights(tmp_path):
    touch(tmp_path, "config.json")
    with pytest.raises(CheckpointError, match=r"holds no weight file: need one of .safetensors, .pt"):
        weight_files_at(tmp_path)


def test_nothing_there(tmp_path):
    with pytest.raises(CheckpointError, match=r"no such file: .*gone.pt. Check the path; relative ones start at"):
        weight_files_at(tmp_path / "gone.pt")


def test_another_format(tmp_path):
    touch(tmp_path, "model.onnx")
    with pytest.raises(CheckpointError, match=r"cannot read model.onnx: need one of .* or an index"):
        weight_files_at(tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        (SHARDS[1:2], r"needs 3 files, and model-00002-of-00003.safetensors is not beside it. Download the rest"),
        (SHARDS[1:], r"model-00002-of-00003.safetensors, model-00003-of-00003.safetensors are not beside it"),
    ],
)
def test_missing_shards(tmp_path, missing, told):
    touch(tmp_path, *[name for name in SHARDS if name not in missing])
    index(tmp_path, SHARDS)
    with pytest.raises(CheckpointError, match=told):
        weight_files_at(tmp_path)


@pytest.mark.parametrize("outside", ["../secret.safetensors", "/etc/passwd", "sub/model.safetensors", 5])
def test_an_index_cannot_point_elsewhere(tmp_path, outside):
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    touch(tmp_path, "secret.safetensors")
    touch(folder / "sub", "model.safetensors")
    index(folder, [outside])
    with pytest.raises(CheckpointError, match=r"names .*: shards must lie beside their index"):
        weight_files_at(folder)


@pytest.mark.parametrize("outside", ["..", ".", ""])
def test_a_folder_is_no_shard(tmp_path, outside):
    with pytest.raises(CheckpointError, match=r"missing shard|shards must lie beside"):
        weight_files_at(index(tmp_path, [outside]))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", '{"weight_map": []}', '{"weight_map": {"a": []}}', '{"weight_map": {}}', "\udcff"],
)
def test_a_damaged_index(tmp_path, text):
    path = tmp_path / "model.safetensors.index.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(CheckpointError, match=r"model.safetensors.index.json is no index of shards"):
        weight_files_at(path)

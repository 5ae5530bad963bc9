"""Weight files written tensor by tensor: as the library of the format reads them, whole or not at all."""

import weakref

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from checkpoints.errors import CheckpointError
from checkpoints.open import open_checkpoint
from checkpoints.tensors import TensorHeader
from checkpoints.write import DestinationError, check_destination, metadata_of, write_safetensors

GENERATOR = torch.Generator().manual_seed(0)
TENSORS = {
    "h.weight": torch.randn(5, 7, generator=GENERATOR).half(),
    "b.weight": torch.randn(5, 7, generator=GENERATOR).bfloat16(),
    "d.weight": torch.randn(3, 2, generator=GENERATOR, dtype=torch.float64),
    "f8": torch.randn(3, generator=GENERATOR).to(torch.float8_e4m3fn),
    "mask": torch.tensor([True, False, True]),
    "count": torch.tensor(7),
    "turned": torch.randn(4, 6, generator=GENERATOR).T,
    "void": torch.zeros(0, 3),
    "wave": torch.randn(3, generator=GENERATOR, dtype=torch.complex64),
    "bytes": torch.arange(5, dtype=torch.uint8),
}


def headers_of(tensors):
    return [TensorHeader(name, str(t.dtype).removeprefix("torch."), tuple(t.shape)) for name, t in tensors.items()]


def write(path, tensors=TENSORS, metadata=None, **options):
    write_safetensors(path, headers_of(tensors), tensors.__getitem__, metadata, **options)


def test_the_library_reads_what_was_written(tmp_path):
    write(tmp_path / "new" / "m.safetensors", metadata={"format": "pt", "über": "ß"})
    read = load_file(tmp_path / "new" / "m.safetensors")
    assert set(read) == set(TENSORS)
    for name, tensor in TENSORS.items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name].reshape(-1).view(torch.uint8), tensor.reshape(-1).view(torch.uint8)), name
    assert metadata_of(tmp_path / "new" / "m.safetensors") == {"format": "pt", "über": "ß"}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["m.safetensors"]


def test_every_tensor_begins_at_a_multiple_of_its_entries(tmp_path):
    write(tmp_path / "m.safetensors")
    content = (tmp_path / "m.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    assert (8 + length) % 8 == 0
    with safe_open(tmp_path / "m.safetensors", framework="pt") as file:
        for name, tensor in TENSORS.items():
            assert file.get_tensor(name).data_ptr() % tensor.element_size() == 0, name


def test_the_same_tensors_make_the_same_file_as_the_library_without_metadata(tmp_path):
    tensors = {name: TENSORS[name] for name in ("h.weight", "d.weight", "count")}
    write(tmp_path / "ours.safetensors", tensors)
    save_file(tensors, tmp_path / "theirs.safetensors")
    assert load_file(tmp_path / "ours.safetensors").keys() == load_file(tmp_path / "theirs.safetensors").keys()
    assert (tmp_path / "ours.safetensors").stat().st_size == (tmp_path / "theirs.safetensors").stat().st_size
    assert metadata_of(tmp_path / "ours.safetensors") == {}


def test_only_one_tensor_is_held_at_a_time(tmp_path):
    living = []

    def read(name):
        assert all(reference() is None for reference in living), "the tensor before is still there"
        memory = np.full((50, 50), float(name), dtype=np.float32)
        living.append(weakref.ref(memory))
        return torch.from_numpy(memory)

    headers = [TensorHeader(str(number), "float32", (50, 50)) for number in range(4)]
    write_safetensors(tmp_path / "m.safetensors", headers, read)
    assert load_file(tmp_path / "m.safetensors")["3"][0, 0] == 3


def test_a_read_that_fails_leaves_nothing_and_what_was_there(tmp_path):
    path = tmp_path / "m.safetensors"
    write(path, {"a": torch.ones(2)})
    before = path.read_bytes()

    def read(name):
        if name == "b":
            raise CheckpointError("b is damaged")
        return torch.zeros(2)

    headers = headers_of({"a": torch.zeros(2), "b": torch.zeros(2)})
    with pytest.raises(CheckpointError, match="b is damaged"):
        write_safetensors(path, headers, read, force=True)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["m.safetensors"]


@pytest.mark.parametrize("other", [torch.zeros(3), torch.zeros(2).double()], ids=["shape", "format"])
def test_a_tensor_that_is_not_as_announced_is_refused(tmp_path, other):
    with pytest.raises(CheckpointError, match=r"a must be float32 \[2\], as announced; got"):
        write_safetensors(tmp_path / "m.safetensors", headers_of({"a": torch.zeros(2)}), lambda _: other)
    assert not list(tmp_path.iterdir())


def test_what_is_there_stays_unless_told_otherwise(tmp_path):
    path = tmp_path / "m.safetensors"
    write(path, {"a": torch.ones(2)})
    with pytest.raises(DestinationError, match=r"m.safetensors: it is there already. Name another file, or give --fo"):
        write(path, {"a": torch.zeros(2)})
    assert load_file(path)["a"].sum() == 2
    write(path, {"a": torch.zeros(2)}, force=True)
    assert load_file(path)["a"].sum() == 0


def test_the_file_that_is_read_is_never_replaced(tmp_path):
    path = tmp_path / "m.safetensors"
    write(path, {"a": torch.ones(2)})
    link = tmp_path / "link.safetensors"
    link.symlink_to(path)
    for name in (path, link):
        with pytest.raises(DestinationError, match=r"it is the file that is read. Name another; the original stays"):
            check_destination(name, [path], force=True)


def test_only_safetensors_files_are_written(tmp_path):
    with pytest.raises(DestinationError, match=r"m.pt: need a name that ends in .safetensors"):
        check_destination(tmp_path / "m.pt")
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(DestinationError, match="a folder is there"):
        check_destination(tmp_path / "folder.safetensors", force=True)


def test_a_format_that_safetensors_does_not_have(tmp_path):
    with pytest.raises(CheckpointError, match="cannot write z: safetensors has no number format complex128"):
        write(tmp_path / "m.safetensors", {"z": torch.zeros(2, dtype=torch.complex128)})
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be(tmp_path):
    (tmp_path / "full").write_text("a file, not a folder")
    with pytest.raises(CheckpointError, match=r"cannot write .*m.safetensors: .*Choose another place"):
        write(tmp_path / "full" / "m.safetensors")


def test_metadata_of_other_files(tmp_path):
    assert metadata_of(tmp_path / "m.pt") == {"format": "pt"}
    (tmp_path / "bad.safetensors").write_bytes(b"no header")
    with pytest.raises(CheckpointError, match=r"damaged safetensors file bad.safetensors"):
        metadata_of(tmp_path / "bad.safetensors")


def test_a_pickled_checkpoint_written_anew_holds_the_same(tmp_path):
    torch.save(TENSORS, tmp_path / "m.pt")
    checkpoint = open_checkpoint(tmp_path / "m.pt")
    write_safetensors(tmp_path / "m.safetensors", checkpoint.headers, checkpoint.read)
    again = open_checkpoint(tmp_path / "m.safetensors")
    assert {header.name: header for header in again.headers} == {header.name: header for header in checkpoint.headers}
    assert torch.equal(again.read("turned"), TENSORS["turned"])

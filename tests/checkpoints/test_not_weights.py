"""Programs of torch and files of others: refused as what they are, by a healthy file of each kind."""

import pickle

import pytest
import torch
from torch.package import PackageExporter

from checkpoints.errors import CheckpointError
from checkpoints.open import open_checkpoint

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


def model():
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU())


def scripted(path):
    torch.jit.script(model()).save(path)


def traced(path):
    torch.jit.trace(model(), torch.ones(2, 4)).save(path)


def exported(path):
    torch.export.save(torch.export.export(model(), (torch.ones(2, 4),)), path)


def packaged(path):
    with PackageExporter(path) as exporter:
        exporter.extern("**")
        exporter.save_pickle("m", "m.pkl", model())


@pytest.mark.parametrize("suffix", [".pt", ".bin"])
@pytest.mark.parametrize(
    ("write", "what", "load"),
    [
        (scripted, "a TorchScript archive", r"torch\.jit\.load"),
        (traced, "a TorchScript archive", r"torch\.jit\.load"),
        (exported, r"an archive of torch\.export", r"torch\.export\.load"),
        (packaged, r"an archive of torch\.package", r"torch\.package\.PackageImporter"),
    ],
)
def test_a_program_is_refused_as_what_it_is(tmp_path, write, what, load, suffix):
    path = tmp_path / f"m{suffix}"
    write(path)
    told = rf"refused m\{suffix}: it is {what}, .* weights are data.* with {load} and save its state_dict\(\)"
    with pytest.raises(CheckpointError, match=told) as caught:
        open_checkpoint(path)
    assert not caught.value.transient
    assert "weights_only" not in str(caught.value)  # torch's own message recommends to turn it off


def test_what_is_advised_for_torchscript_opens(tmp_path):
    scripted(tmp_path / "m.pt")
    weights = torch.jit.load(tmp_path / "m.pt").state_dict()
    torch.save(weights, tmp_path / "weights.pt")
    assert [header.name for header in open_checkpoint(tmp_path / "weights.pt").headers] == ["0.weight", "0.bias"]


def test_state_dict_keys_are_not_entries(tmp_path):
    """Tensors may be called as the entries of a program are."""
    content = {"constants.pkl": torch.ones(2, 2), "archive_format": torch.ones(2, 2)}
    torch.save(content, tmp_path / "m.pt")
    assert {header.name for header in open_checkpoint(tmp_path / "m.pt").headers} == set(content)


@pytest.mark.parametrize(
    "content",
    [b"hello, this is a text", b"config of\nmine\n", b'{"a": 1}', b"\x1f\x8b\x08 gzip", b"\x89PNG\r\n", b"1"],
)
@pytest.mark.parametrize("suffix", [".pt", ".th"])
def test_what_torch_did_not_write_is_no_torch_file(tmp_path, content, suffix):
    (tmp_path / f"text{suffix}").write_bytes(content)
    told = rf"damaged checkpoint text\{suffix}: it starts with b.*, so it is no torch file: .* or fetch it again\."
    with pytest.raises(CheckpointError, match=told):
        open_checkpoint(tmp_path / f"text{suffix}")


@pytest.mark.parametrize("name", ["m.safetensors", "pytorch_model.bin", "m.pt"])
def test_a_pointer_of_git_lfs_is_told_as_one(tmp_path, name):
    """Three lines, as the specification of Git LFS gives them."""
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'4d' * 32}\nsize 12345\n"
    (tmp_path / name).write_text(pointer)
    with pytest.raises(CheckpointError, match=rf"^{name} is a pointer of Git LFS: .*`git lfs pull`"):
        open_checkpoint(tmp_path / name)


def test_a_pickle_that_misses_an_entry_is_told_in_words(tmp_path):
    """BINGET of a memo entry that was never put: a KeyError of the number."""
    content = b"\x80\x02h\x65."
    with pytest.raises(pickle.UnpicklingError, match="Memo value not found at index 101"):
        pickle.loads(content)
    (tmp_path / "m.pt").write_bytes(content)
    with pytest.raises(
        CheckpointError, match=r"damaged checkpoint m.pt: its pickle names what is not in it\. It is cut"
    ):
        open_checkpoint(tmp_path / "m.pt")

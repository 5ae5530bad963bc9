"""Published data sets: where they are looked for, and that nothing is used before its hash is right."""

import gzip
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from checkpoints.errors import CheckpointError
from setol_zoo.lab.data.idx import idx_bytes
from setol_zoo.lab.data.idx_files import idx_files
from setol_zoo.lab.data.published import Published, read_published
from setol_zoo.lab.errors import DataError

RANDOM = np.random.default_rng(5)
CONTENTS = [
    idx_bytes(RANDOM.integers(0, 256, (30, 4, 5), dtype=np.uint8)),
    idx_bytes(RANDOM.integers(0, 10, 30, dtype=np.uint8)),
    idx_bytes(RANDOM.integers(0, 256, (6, 4, 5), dtype=np.uint8)),
    idx_bytes(RANDOM.integers(0, 10, 6, dtype=np.uint8)),
]


def digests(contents: list[bytes]) -> list[str]:
    return [hashlib.sha256(content).hexdigest() for content in contents]


FILES = idx_files((4, 5), 30, 6, digests(CONTENTS))


class Source:
    """Makes what it is told to, and counts."""

    def __init__(self, outcome):
        self.outcome, self.calls = outcome, 0

    def __call__(self, cache, say):
        self.calls += 1
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def small(*sources: Source) -> Published:
    return Published("small", FILES, sources, torchvision="Small", instead=", or take another")


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """The user's folder of data sets."""
    monkeypatch.setenv("SETOL_DATA", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(autouse=True)
def no_home(monkeypatch):
    monkeypatch.delenv("SETOL_DATA", raising=False)


def put(folder: Path, contents=CONTENTS, suffix: str = "") -> Path:
    folder.mkdir(parents=True)
    for file, content in zip(FILES, contents, strict=True):
        (folder / f"{file.name}{suffix}").write_bytes(gzip.compress(content) if suffix else content)
    return folder


def is_right(found) -> bool:
    written = [
        *(idx_bytes(found.train.images[:, 0]), idx_bytes(found.train.labels.astype(np.uint8))),
        *(idx_bytes(found.test.images[:, 0]), idx_bytes(found.test.labels.astype(np.uint8))),
    ]
    return written == CONTENTS and found.train.images.shape == (30, 1, 4, 5) and found.train.labels.dtype == np.int64


def test_what_a_source_makes_is_kept_and_not_made_again(tmp_path):
    source, said = Source(CONTENTS), []
    for _ in range(2):
        assert is_right(read_published(small(source), tmp_path, said.append))
    assert (source.calls, said) == (1, [])
    kept = sorted(path.name for path in (tmp_path / "data" / "small").iterdir())
    assert kept == sorted(file.name for file in FILES)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("folder", ["small", "Small/raw"])
def test_the_users_folder_comes_first(tmp_path, home, folder, suffix):
    put(home / folder, suffix=suffix)
    source = Source(CONTENTS)
    assert is_right(read_published(small(source), tmp_path, print))
    assert source.calls == 0
    assert not (tmp_path / "data").exists()


def test_a_users_folder_without_this_data_set_is_passed_by(tmp_path, home):
    put(home / "other")
    source = Source(CONTENTS)
    assert is_right(read_published(small(source), tmp_path, print))
    assert source.calls == 1


def test_files_laid_into_the_cache_are_found(tmp_path):
    put(tmp_path / "data" / "small", suffix=".gz")
    source = Source(CONTENTS)
    assert is_right(read_published(small(source), tmp_path, print))
    assert source.calls == 0


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-1] + bytes([content[-1] ^ 1]), "wrong hash: .*train-images-idx3-ubyte must have"),
        (lambda content: content[:-1], "train-images-idx3-ubyte is cut short: 615 bytes, and 616 make"),
        (lambda content: content + b"\0" * 9, "train-images-idx3-ubyte is too long"),
        (lambda content: b"<html>", "train-images-idx3-ubyte is no IDX file of bytes: it begins with 3c68746d"),
    ],
)
def test_a_wrong_file_of_the_user_is_refused_and_nothing_else_taken(tmp_path, home, damage, message):
    put(home / "small", [damage(CONTENTS[0]), *CONTENTS[1:]])
    source = Source(CONTENTS)
    with pytest.raises(DataError, match=message):
        read_published(small(source), tmp_path, print)
    assert source.calls == 0


def test_a_file_that_is_not_there_is_named(tmp_path, home):
    (put(home / "small") / FILES[3].name).unlink()
    with pytest.raises(DataError, match=r"need t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte\.gz in .*small"):
        read_published(small(), tmp_path, print)


@pytest.mark.parametrize("cut", [5, 60, 400])
def test_a_packed_file_that_ends_too_early_is_refused(tmp_path, home, cut):
    packed = put(home / "small", suffix=".gz") / f"{FILES[0].name}.gz"
    packed.write_bytes(packed.read_bytes()[:cut])
    with pytest.raises(DataError, match=r"cannot read .*train-images-idx3-ubyte\.gz: .*Get it again"):
        read_published(small(), tmp_path, print)


def test_a_packed_file_is_unpacked_no_further_than_it_may_be_long(tmp_path, home):
    folder = put(home / "small", suffix=".gz")
    with gzip.open(folder / f"{FILES[0].name}.gz", "wb", compresslevel=1) as file:
        file.write(CONTENTS[0] + bytes(50_000_000))
    with pytest.raises(DataError, match="is too long: more than 616 bytes"):
        read_published(small(), tmp_path, print)


@pytest.mark.parametrize("damaged", [b"", CONTENTS[0][:-1], CONTENTS[0][:-2] + b"ab"])
def test_what_was_damaged_in_the_cache_is_fetched_again_and_that_is_said(tmp_path, damaged):
    source, said = Source(CONTENTS), []
    put(tmp_path / "data" / "small", [damaged, *CONTENTS[1:]])
    assert is_right(read_published(small(source), tmp_path, said.append))
    assert is_right(read_published(small(source), tmp_path, said.append))
    assert source.calls == 1
    (line,) = said
    assert line.startswith("small is damaged in the cache, and is fetched again: ")


def test_the_next_source_is_asked_where_one_fails(tmp_path):
    first, second, third = Source(DataError("no npm")), Source(CheckpointError("no pip")), Source(CONTENTS)
    assert is_right(read_published(small(first, second, third), tmp_path, print))
    assert (first.calls, second.calls, third.calls) == (1, 1, 1)


def test_where_none_has_it_the_reasons_the_folder_and_what_to_take_instead_are_told(tmp_path):
    data = small(Source(DataError("no npm.")), Source(CheckpointError("no torchvision")))
    message = (
        r"small cannot be had: no npm; no torchvision\. .*train-images-idx3-ubyte.* into .*data/small.*take another"
    )
    with pytest.raises(DataError, match=message):
        read_published(data, tmp_path, print)


def test_what_a_source_makes_wrongly_is_neither_used_nor_kept(tmp_path):
    wrong = Source([CONTENTS[0], CONTENTS[1][:-1] + b"\x0b", *CONTENTS[2:]])
    with pytest.raises(DataError, match="cannot be had: wrong hash: train-labels-idx1-ubyte of small must have"):
        read_published(small(wrong), tmp_path, print)
    assert list((tmp_path / "data" / "small").iterdir()) == []


def test_a_label_that_is_no_class_is_refused(tmp_path):
    contents = [*CONTENTS[:3], CONTENTS[3][:-1] + b"\x0a"]
    data = replace(small(Source(contents)), files=idx_files((4, 5), 30, 6, digests(contents)))
    with pytest.raises(DataError, match=r"small, test part: need labels from 0 to 9, got . to 10"):
        read_published(data, tmp_path, print)


def test_files_known_by_their_packed_bytes_are_kept_packed(tmp_path, home):
    packed = [gzip.compress(content, mtime=0) for content in CONTENTS]
    source = Source(packed)
    data = replace(small(source), files=idx_files((4, 5), 30, 6, digests(packed), packed=True))
    for _ in range(2):
        assert is_right(read_published(data, tmp_path, print))
    assert source.calls == 1
    assert sorted(path.suffix for path in (tmp_path / "data" / "small").iterdir()) == [".gz"] * 4
    put(home / "small")  # unpacked they have no hash
    assert is_right(read_published(data, tmp_path, print))
    (home / "small" / f"{FILES[0].name}.gz").write_bytes(gzip.compress(CONTENTS[1], mtime=0))
    with pytest.raises(DataError, match=r"wrong hash: .*train-images-idx3-ubyte\.gz must have"):
        read_published(data, tmp_path, print)


def test_colours_are_a_dimension_of_the_file(tmp_path):
    colours = RANDOM.integers(0, 256, (30, 3, 4, 5), dtype=np.uint8)
    contents = [idx_bytes(colours), CONTENTS[1], idx_bytes(colours[:6]), CONTENTS[3]]
    data = replace(small(Source(contents)), files=idx_files((3, 4, 5), 30, 6, digests(contents)))
    assert data.files[0].name == "train-images-idx4-ubyte"
    assert (read_published(data, tmp_path, print).train.images == colours).all()


def test_several_who_ask_at_once_fetch_once(tmp_path):
    source = Source(CONTENTS)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: read_published(small(source), tmp_path, print), range(8)))
    assert all(map(is_right, found))
    assert source.calls == 1

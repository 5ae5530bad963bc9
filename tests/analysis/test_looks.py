import json
from dataclasses import replace

import pytest

from analysis.opening.mirror import mirror_of
from analysis.opening.results import open_results
from analysis.studies import looks
from analysis.studies.looks import Look, Selections, note, selections
from catalogs.places import place_of
from pipeline.store.folder import ResultsFolder

LOOK = Look(command="correlate", metrics=("alpha_mean", "entropy_mean"), options={"config": "3f"}, tests=30)


def test_the_same_look_counts_once(tmp_path):
    assert note([tmp_path], LOOK) == Selections(1, 30, noted=True)
    again = replace(LOOK, metrics=("entropy_mean", "alpha_mean", "alpha_mean"))
    assert note([tmp_path], again) == Selections(1, 30, noted=True)
    assert len(list((tmp_path / "looks").iterdir())) == 1
    others = [
        replace(LOOK, command="report"),
        replace(LOOK, metrics=("alpha_mean",)),
        replace(LOOK, dataset="imagenet-1k"),
        replace(LOOK, family="imagenet-1k"),
        replace(LOOK, options={"config": "40"}),
    ]
    counts = [note([tmp_path], other) for other in others]
    assert [(each.looks, each.tests) for each in counts] == [(2, 60), (3, 90), (4, 120), (5, 150), (6, 180)]
    assert selections([tmp_path]) == Selections(6, 180, noted=True)


def test_more_results_make_more_tests_of_one_look(tmp_path):
    note([tmp_path], LOOK)
    assert note([tmp_path], replace(LOOK, tests=50)).tests == 50
    assert note([tmp_path], replace(LOOK, tests=10)).tests == 50
    assert note([tmp_path], replace(LOOK, dataset="a", tests=0)) == Selections(2, 50, noted=True)


def test_a_note_says_what_was_chosen_and_nothing_of_whom(tmp_path):
    note([tmp_path], LOOK)
    path = tmp_path / "looks" / f"{LOOK.name}.json"
    assert json.loads(path.read_text()) == {
        "command": "correlate",
        "metrics": ["alpha_mean", "entropy_mean"],
        "dataset": None,
        "family": None,
        "options": {"config": "3f"},
        "tests": 30,
    }


def test_several_folders_are_counted_together(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    note([first], LOOK)
    note([second], replace(LOOK, dataset="b"))
    assert note([first, second], LOOK) == Selections(2, 60, noted=True)


def test_what_cannot_be_noted_is_counted_alone(tmp_path):
    alone = Selections(1, 30, noted=False)
    assert note([place_of("s3://bucket/results")], LOOK) == alone
    assert note([tmp_path / "nowhere"], LOOK) == alone
    (tmp_path / "looks").write_text("a file")
    assert note([tmp_path], LOOK) == alone
    assert selections([tmp_path]) == Selections(0, 0, noted=True)


def test_earlier_looks_of_a_folder_that_can_no_longer_be_written_to_are_not_this_look(tmp_path, monkeypatch):
    note([tmp_path], replace(LOOK, dataset="a"))

    def read_only(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(looks.os, "replace", read_only)
    counts = note([tmp_path], LOOK)
    assert counts == Selections(2, 60, noted=False)
    assert str(counts).startswith("60 tests in the 2 looks that are known of; other")


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(looks.os, "replace", full)
    assert note([tmp_path], LOOK) == Selections(1, 30, noted=False)
    assert list((tmp_path / "looks").iterdir()) == []


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"tests": -1}', '{"tests": "9"}', "[" * 100_000, "\0"])
def test_a_broken_note_is_a_look_all_the_same(tmp_path, content):
    note([tmp_path], replace(LOOK, dataset="a"))
    broken = tmp_path / "looks" / f"{LOOK.name}.json"
    broken.write_text(content)
    (tmp_path / "looks" / "notes.txt").write_text("mine")
    assert selections([tmp_path]) == Selections(2, 30, noted=True)
    assert note([tmp_path], LOOK) == Selections(2, 60, noted=True)


def test_results_are_the_same_with_looks(rich):
    folder = ResultsFolder(rich)
    before = (folder.damaged(), folder.finished(), set(mirror_of(rich).files), open_results([rich]).rows("FROM models"))
    assert note([rich], LOOK).noted
    after = (folder.damaged(), folder.finished(), set(mirror_of(rich).files), open_results([rich]).rows("FROM models"))
    assert after == before
    folder.prepare()
    assert selections([rich]).looks == 1


def test_sentences():
    assert str(Selections(1, 3, noted=True)) == "3 tests in 1 look at these results."
    assert str(Selections(2, 140, noted=True)) == (
        "140 tests in 2 looks at these results; about 7 of them would have p below .05 by chance alone."
    )
    assert str(Selections(1, 1, noted=False)) == (
        "1 test in this look; other looks are not counted, as only those at results that can be written to are noted."
    )

"""Models that come to a results folder which knows others: keys and names that are theirs alone."""

from pathlib import Path

import pytest
import torch

import setol_zoo as zoo
from catalogs import WeightFile
from catalogs.apart import ToldApart, tell_apart

KNOWN = WeightFile(model="path:net.pt", name="net", file="/a/net.pt", weights_sha256="aa")


def told(
    place: str, sha256: str | None = "bb", name: str = "net", known: tuple[WeightFile, ...] = (KNOWN,)
) -> ToldApart:
    file = WeightFile(model="path:net.pt", name=name, file=place, weights_sha256=sha256)
    return tell_apart([file], {"path:net.pt": place}, known)


def test_a_folder_that_knows_nothing_changes_nothing():
    assert told("/b/net.pt", known=()).renamed == {}
    assert told("/b/net.pt", known=()).files[0].name == "net"


def test_the_same_file_again():
    assert told("/a/net.pt", "aa") == ToldApart((KNOWN,), {}, ())


def test_the_same_file_with_other_content():
    found = told("/a/net.pt")
    assert (found.renamed, found.files[0].model, found.files[0].name) == ({}, "path:net.pt", "net")
    assert found.notes == ("net.pt has changed since: its earlier results are no longer shown",)
    assert told("/a/net.pt", None).notes == ()  # it cannot be read now


@pytest.mark.parametrize("sha256", ["bb", None])
def test_another_file_under_the_same_key(sha256):
    found = told("/b/net.pt", sha256)
    assert found.renamed == {"path:net.pt": "path:/b/net.pt"}
    assert [(file.model, file.name, file.file) for file in found.files] == [("path:/b/net.pt", "b/net", "/b/net.pt")]
    assert found.notes == ("path:net.pt is /a/net.pt in these results: /b/net.pt is known by its whole path here",)
    again = told("/b/net.pt", sha256, known=(KNOWN, *found.files))
    assert (again.files, again.renamed, again.notes) == (found.files, found.renamed, ())


def test_a_file_that_has_moved_is_the_same_and_a_copy_is_not(tmp_path):
    here = tmp_path / "net.pt"
    known = WeightFile(model="path:net.pt", name="net", file=str(here), weights_sha256="aa")
    assert told("/b/net.pt", "aa", known=(known,)).renamed == {}
    here.touch()
    assert told("/b/net.pt", "aa", known=(known,)).renamed == {"path:net.pt": "path:/b/net.pt"}


def test_shards_of_a_folder_are_one_model():
    known = tuple(
        WeightFile(model="path:m", name="m", file=f"/a/m/{n}.safetensors", weights_sha256=str(n)) for n in range(2)
    )
    assert tell_apart(known, {"path:m": "/a/m"}, known) == ToldApart(known, {}, ())
    others = [WeightFile(model="path:m", name="m", file=f"/b/m/{n}.safetensors", weights_sha256="x") for n in range(2)]
    found = tell_apart(others, {"path:m": "/b/m"}, known)
    assert {(file.model, file.name) for file in found.files} == {("path:/b/m", "b/m")}
    index = "/a/m/model.safetensors.index.json"
    shards = [WeightFile(model=f"path:{index}", name="i", file=file.file, weights_sha256="x") for file in known]
    assert tell_apart(shards, {f"path:{index}": index}, shards).renamed == {}


def test_a_known_model_keeps_its_name_unless_a_catalog_gives_it_another():
    known = WeightFile(model="path:net.pt", name="a/net", file="/a/net.pt", weights_sha256="aa")
    assert told("/a/net.pt", "aa", known=(known,)).files[0].name == "a/net"
    assert told("/a/net.pt", "aa", name="best", known=(known,)).files[0].name == "best"


def test_a_name_that_another_model_has_is_not_given_twice():
    for model, name in (("hub:org/net", "org/net"), ("timm:net", "timm:net"), ("path:/c/net.pt", "c/net")):
        place = {model: "/c/net.pt"} if model.startswith("path:") else {}
        file = WeightFile(model=model, name="net", file="", weights_sha256="cc")
        assert tell_apart([file], place, [KNOWN]).files[0].name == name
    file = WeightFile(model="path:net.safetensors", name="net", file="/a/net.safetensors")
    (found,) = tell_apart([file], {file.model: file.file}, [KNOWN]).files
    assert found.name == "net.safetensors"


def test_models_in_memory_of_one_class_have_two_names(tmp_path: Path):
    states = [{"fc.weight": torch.eye(3) * n} for n in (1, 2)]
    names = [zoo.analyze(state, results=tmp_path / "r").name for state in (*states, states[0])]
    assert names[0] == names[2] == "state_dict"
    assert names[1].startswith("state_dict@")

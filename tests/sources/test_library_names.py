"""Names of other libraries' models: asked once a version, and then known without importing the library."""

import json
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec

import pytest

from checkpoints.errors import CheckpointError
from setol_zoo.library_names import _remembered, library_names

pytestmark = pytest.mark.skipif(find_spec("timm") is None, reason="needs timm")


def not_again():
    raise AssertionError("asked again")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SETOL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_names_are_those_of_the_library(cache):
    from checkpoints.timm_source import timm_names

    assert library_names()["timm"] == timm_names()
    kept = json.loads((cache / "names" / f"timm-{version('timm')}.json").read_text())
    assert set(kept) == timm_names()
    assert [path.name for path in (cache / "names").iterdir() if path.suffix == ".tmp"] == []


def test_a_bare_name_of_a_catalog_does_not_import_the_libraries_again(cache):
    library_names()
    code = (
        "import sys; from setol_zoo.targets import catalog_of_targets;"
        "print(catalog_of_targets(['resnet20']).models); assert not {'timm', 'torchvision'} & set(sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout == "('wheel:gnnrl/resnet20@1.0.9',)\n"


@pytest.mark.parametrize("damage", ["", "[", "{}", "[]"])
def test_a_damaged_list_is_asked_for_again(cache, damage):
    assert _remembered("lib", "1", lambda: ["b", "a"]) == {"a", "b"}
    assert _remembered("lib", "1", not_again) == {"a", "b"}
    assert _remembered("lib", "2", lambda: ["c"]) == {"c"}  # another version knows others
    (cache / "names" / "lib-1.json").write_text(damage)
    assert _remembered("lib", "1", lambda: ["d"]) == {"d"}


def test_a_cache_that_cannot_be_written_to_costs_nothing_but_time(cache):
    cache.write_text("in the way")
    assert _remembered("lib", "1", lambda: ["a"]) == {"a"}


def test_what_cannot_be_asked_is_not_remembered(cache):
    def fails():
        raise CheckpointError("it lacks something")

    with pytest.raises(CheckpointError, match="it lacks something"):
        _remembered("lib", "1", fails)
    assert not (cache / "names").exists()

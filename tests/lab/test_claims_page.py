"""docs/laboratory.md is what its script makes of the stored tables: no number by hand."""

import importlib.util
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_laboratory", DOCS / "make_laboratory.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def found(script):
    return script.stored_report()


def test_the_page_is_what_the_stored_tables_say(script, found):
    assert (DOCS / "laboratory.md").read_text(encoding="utf-8") == script.page(found)


def test_its_pictures_are_there_and_small(found):
    named = set(re.findall(r"\]\(figures/(\w+\.png)\)", (DOCS / "laboratory.md").read_text(encoding="utf-8")))
    assert named == {f"{picture.name}.png" for claim in found.judged for picture in claim.pictures}
    for name in named:
        written = (DOCS / "figures" / name).read_bytes()
        assert written.startswith(b"\x89PNG") and len(written) < 80_000


def test_the_claims_are_judged_by_the_network_that_was_published(found):
    assert {claim.name for claim in found.open} <= {"overloading"}  # which needs networks of which one layer learns
    assert "mnist mlp-300-100" in found.facts[0]

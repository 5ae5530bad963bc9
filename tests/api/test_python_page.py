"""The code of docs/python.md runs as it stands, and prints what it says."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text()
FENCED = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
BLOCKS = [text for language, text in FENCED if language == "python"]


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What the page's code prints, all of it run in one namespace in an empty folder."""
    lines: list[str] = []
    namespace = {"print": lambda *values: lines.extend(" ".join(map(str, values)).splitlines())}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("page"))
        for block in BLOCKS:
            exec(compile(block, "docs/python.md", "exec"), namespace)
    return lines


def test_its_code_runs(printed):
    assert len(BLOCKS) >= 6
    assert printed


def test_it_prints_what_it_says(printed):
    (shown,) = (text for language, text in FENCED if not language)
    for line, real in zip(shown.splitlines(), printed, strict=False):
        if line == "...":
            return
        assert real.startswith(line.removesuffix("...").rstrip()), real
    raise AssertionError("the page shows more lines than there are")


def test_its_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert (Path(__file__).parents[2] / "docs" / link).exists(), link


def test_it_names_every_public_name():
    import setol_zoo

    for name in ("analyze", "open"):
        assert f"zoo.{name}(" in PAGE
    public = [name for name in vars(setol_zoo.Analysis) if not name.startswith("_") and name not in ("name", "model")]
    shown = [name for name in public if re.search(rf"\ba\.{name}\b", PAGE)]
    assert set(public) - set(shown) <= {"config", "to_pandas", "overview", "notes"}

"""docs/estimators.md is what its script makes: the same tables with the same rows, and no number by hand."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = (DOCS / "estimators.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def quick(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("estimators") / "quick.md"
    subprocess.run(
        [sys.executable, str(DOCS / "make_estimators.py"), "--quick", "--output", str(path)], check=True, timeout=250
    )
    return path.read_text(encoding="utf-8")


def tables(page: str) -> list[list[list[str]]]:
    """Cells of every row of every table, the line under the header left out."""
    blocks = re.findall(r"(?:^\|.*\|\n)+", page, flags=re.MULTILINE)
    rows = [[re.split(r" \| ", line.strip("| ")) for line in block.splitlines()] for block in blocks]
    return [[row for row in table if set(row) != {"---"}] for table in rows]


def labels(table: list[list[str]]) -> list[list[str]]:
    """The header, and of each row what stands before its first measured number."""
    header, *rows = table
    measured = {"tail", "width", "holds the truth"} | {name for name in header if "alpha_sigma" in name}
    n_labels = min(header.index(name) for name in measured if name in header)
    return [header, *(row[:n_labels] for row in rows)]


def test_every_table_has_the_rows_that_the_script_makes(quick):
    made, kept = tables(quick), tables(PAGE)
    assert len(made) == 5
    assert [labels(table) for table in kept] == [labels(table) for table in made]
    assert [len(table) for table in made] == [31, 5, 13, 12, 12]


def test_the_text_is_the_script_s_but_for_its_numbers(quick):
    """A sentence changed by hand, here or there, shows."""
    number = r"[-+]?\d[\d,.]*"
    without = [re.sub(rf"{number}( to {number})?", "", " ".join(page.split())) for page in (quick, PAGE)]
    assert without[0].split() == without[1].split()


def test_the_page_is_that_of_the_full_setting(quick):
    """Shares of 300 spectra and errors of 1,000 samples, which the quick one does not have."""
    assert "over 1,000 samples" in PAGE and "over 300 spectra" in " ".join(PAGE.split())
    assert "over 5 samples" in quick and "over 5 spectra" in " ".join(quick.split())


def test_every_number_is_finite():
    assert not re.search(r"\b(nan|inf)\b", PAGE)

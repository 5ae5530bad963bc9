"""docs/metrics.md against the code: every stored metric, every reason, no others, and its example runs."""

import doctest
import re
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from pipeline.records import LayerRow, SpectrumRow
from setol import EffectiveCorrelationSpace, PowerLawFit, Reason, ScaleMetrics

PAGE = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"
TEXT = PAGE.read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", TEXT, flags=re.MULTILINE | re.DOTALL))
ITEMS = ("Formula", "Scale and range", "Meaning", "Trap", "WeightWatcher")


def optional_columns(row: type) -> set[str]:
    """Columns that may be NULL: those that a matrix gives, less what places it."""
    return {field.name for field in fields(row) if field.default is not MISSING} - {
        *("reason", "tied_to", "part", "kind", "layout", "n_rows", "n_cols", "n_slices")
    }


STORED = optional_columns(LayerRow) | optional_columns(SpectrumRow) | {"aspect_ratio", "evals_factor"}


def test_the_page_describes_what_is_stored_and_nothing_else():
    assert set(SECTIONS) == STORED
    assert len(re.findall(r"^### ", TEXT, flags=re.MULTILINE)) == len(SECTIONS)  # none twice


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_every_metric_has_all_its_items(name):
    assert tuple(re.findall(r"^- ([\w ]+): \S", SECTIONS[name], flags=re.MULTILINE)) == ITEMS


def test_every_number_that_the_numerics_return_is_described():
    returned = {field.name for record in (PowerLawFit, ScaleMetrics) for field in fields(record)}
    returned |= {f"erg_{field.name}" for field in fields(EffectiveCorrelationSpace)}
    assert returned <= set(SECTIONS)


def test_every_reason_is_listed_with_its_sentence():
    listed = dict(re.findall(r"^\| `(\w+)` \| (.*?) \| (?:tensor|layer) \|$", TEXT, flags=re.MULTILINE))
    assert listed == {reason.value: reason.sentence for reason in Reason}


def test_the_example_runs():
    results = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    assert results.attempted > 5
    assert results.failed == 0

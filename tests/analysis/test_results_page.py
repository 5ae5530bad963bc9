"""docs/results.md against the code: every view, every column, and its example queries are answered."""

import re
from pathlib import Path

import pytest

from analysis import open_results
from analysis.opening.results import METRICS, VIEWS
from analysis.studies.correlation_records import Verdict

TEXT = (Path(__file__).parents[2] / "docs" / "results.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", TEXT, flags=re.MULTILINE | re.DOTALL))
EXAMPLES = re.findall(r"```sql\n(.*?)```\n\n```text\n(.*?)\n", TEXT, flags=re.DOTALL)


def test_every_view_has_a_section() -> None:
    assert sorted(SECTIONS) == sorted(VIEWS)


@pytest.mark.parametrize("view", VIEWS)
def test_every_column_is_described(view: str, rich_unchanged: Path) -> None:
    described: list[str] = []
    for cell in re.findall(r"^\| (`.*?) \|", SECTIONS[view], flags=re.MULTILINE):
        for name in re.findall(r"`([^`]+)`", cell):
            described += [name.replace("<metric>", metric) for metric in METRICS] if "<metric>" in name else [name]
    assert sorted(described) == sorted(open_results(rich_unchanged).sql(f"FROM {view} LIMIT 0").column_names)


@pytest.mark.parametrize(("query", "header"), EXAMPLES)
def test_example_queries_are_answered_with_the_columns_shown(query: str, header: str, rich_unchanged: Path) -> None:
    assert open_results(rich_unchanged).sql(query).column_names == header.split()


def test_there_are_examples_and_all_verdicts() -> None:
    assert len(EXAMPLES) >= 5
    for verdict in Verdict:
        assert f"\n| {verdict.value} |" in TEXT

"""docs/scale.md: its queries are answered, its steps are those of the program, its sums add up."""

import re
from pathlib import Path

import pytest

from analysis import open_results
from pipeline.planning.estimate import MatrixWork

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("query", re.findall(r"```sql\n(.*?)```", TEXT, flags=re.DOTALL))
def test_queries_are_answered(query: str, rich_unchanged: Path) -> None:
    (row,) = open_results(rich_unchanged).rows(query)
    assert all(isinstance(count, int) and count > 0 for count in row.values())


def test_the_large_model_costs_what_the_estimate_says() -> None:
    shapes = [(4096, 4096)] * 4 * 32 + [(11_008, 4096)] * 3 * 32 + [(32_000, 4096)] * 2
    seconds = sum(MatrixWork("", "linear", 1, *shape).seconds for shape in shapes)
    (told,) = re.findall(r"core-seconds of such a one \| ([\d,]+) \|", TEXT)
    assert float(told.replace(",", "")) == pytest.approx(seconds, rel=0.1)
    assert f"{len(shapes)} matrices" in TEXT


def test_the_program_is_there() -> None:
    assert "python benchmarks/driver.py" in TEXT and (ROOT / "benchmarks" / "driver.py").is_file()

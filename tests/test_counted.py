"""The words for what is counted, and that nothing printed says `1 models`."""

import re

import pytest

from catalogs import counted
from tests.cli.test_commands import model, results, setol  # noqa: F401 - fixtures


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (counted(0, "model"), "0 models"),
        (counted(1, "model"), "1 model"),
        (counted(2, "model"), "2 models"),
        (counted(1, "matrix", "matrices"), "1 matrix"),
        (counted(1202, "matrix", "matrices"), "1,202 matrices"),
    ],
)
def test_one_is_singular(told, expected):
    assert told == expected


def test_nothing_printed_about_one_model_is_in_the_plural(model, results, tmp_path):  # noqa: F811
    (tmp_path / "one.csv").write_text(f"model\npath:{model}\n")
    commands = (
        ("analyze", model, "--rows", 1),
        ("run", model, "--results", results, "--executor", "serial"),
        ("status", "--results", results),
        ("correlate", "--results", results),
        ("report", "--results", results, "--output", tmp_path / "report.html"),
        ("catalog", "check", tmp_path / "one.csv"),
        ("sql", "FROM layers LIMIT 1", "--results", results),
    )
    shown = [setol(*command).output for command in commands] + [(tmp_path / "report.html").read_text()]
    things = "models|layers|tensors|matrices|files|weight files|rows|data sets|scores|entries|kernels"
    plural = re.compile(rf"(?<![\d.,])1 (?:more )?(?:{things})\b")
    assert [plural.findall(text) for text in shown] == [[]] * len(shown)

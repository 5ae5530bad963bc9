"""What a run shows: a line a file where they are few, one now and then where they are many, failures always."""

import io

import pytest
from rich.console import Console

from catalogs import WeightFile
from pipeline.display import progress
from pipeline.display.progress import MOST_LINES, ProgressReporter
from pipeline.execution.events import event
from pipeline.execution.job import Outcome
from pipeline.planning.plan import Plan, Unit


def units(count: int) -> tuple[Unit, ...]:
    files = [WeightFile(model=f"hub:o/m{i}", name=f"m{i}", file="f", size=10**6) for i in range(count)]
    return tuple(Unit(file, "0" * 64, f"s{i}", f"f{i}") for i, file in enumerate(files))


def shown(count: int, failing: set[int], *, terminal: bool = False, width: int = 200) -> str:
    """All that is printed about so many files, some of which fail."""
    made, screen = units(count), io.StringIO()
    console = Console(file=screen, width=width, force_terminal=terminal, color_system=None, legacy_windows=False)
    with ProgressReporter(console) as reporter:
        reporter.planned(Plan(tuple(unit.file for unit in made), made, (), ()), ())
        for number, unit in enumerate(made):
            done = number not in failing
            reporter.finished(Outcome(unit, done, 1.0, 3, None if done else f"broken {number}"))
    return screen.getvalue()


def test_few_files_have_a_line_each():
    lines = shown(MOST_LINES, {7}).splitlines()
    assert len(lines) == 1 + MOST_LINES
    assert lines[0] == "200 weight files: 0 there already, 200 to do (200 MB)"
    assert lines[1].split() == ["[", "1/200]", "m0", "3", "matrices", "1.0", "s"]
    assert lines[8] == "[  8/200] m7 FAILED: broken 7"


def test_of_many_only_failures_and_a_line_at_the_end():
    lines = shown(5_000, {7, 4_000}).splitlines()
    assert [line for line in lines if "FAILED" in line] == [
        "[   8/5000] m7 FAILED: broken 7",
        "[4001/5000] m4000 FAILED: broken 4000",
    ]
    assert len(lines) == 4
    assert lines[-1].startswith("[5000/5000] 2 failed, ") and lines[-1].endswith(" left")


def test_of_many_a_line_now_and_then(monkeypatch):
    now = [0.0]

    def monotonic() -> float:
        now[0] += 0.01
        return now[0]

    monkeypatch.setattr(progress.time, "monotonic", monotonic)
    lines = shown(10_000, set()).splitlines()
    assert 5 <= len(lines) <= 2 + now[0] / progress.LINE_SECONDS
    assert lines[1].endswith(" left") and " 0 failed, " in lines[1]


@pytest.mark.parametrize("width", [60, 120])
def test_on_a_terminal_many_files_are_told_by_the_bar_alone(width):
    text = shown(300, {7}, terminal=True, width=width)
    assert text.count("FAILED") == 1
    assert "matrices" not in text
    assert "1 failed" in text


def test_what_executors_tell():
    (unit,), screen = units(1), io.StringIO()
    with ProgressReporter(Console(file=screen, width=200)) as reporter:
        reporter.planned(Plan((unit.file,), (unit,), (), ()), ())
        told = {"unit": unit.fit_id, "model": unit.file.model, "file": unit.file.file}
        event("capacity", nodes=2, slots=8)
        event("node_joined", node="n", host="h")
        event("unit_submitted", **told, try_number=1)
        assert reporter.details() == "8 slots on 2 nodes · m0"
        event("node_lost", node="n", host="worker-3")
        event("unit_retried", **told, try_number=2, error="killed")
        reporter.finished(Outcome(unit, True, 1.0, 3))
    event("unit_retried", **told, try_number=3, error="after the end")
    assert screen.getvalue().splitlines()[1:3] == [
        "node lost: worker-3; its files are tried again",
        "m0 is tried again: killed",
    ]
    assert "after the end" not in screen.getvalue()

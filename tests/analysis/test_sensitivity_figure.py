"""The figure of choices: well-formed, the same each time, with every end named and nothing where nothing is known."""

import xml.etree.ElementTree as ET
from pathlib import Path

from analysis import open_results
from analysis.drawing.sensitivity_figure import sensitivity_figure
from analysis.studies.sensitivity import sensitivity
from tests.analysis.test_sensitivity import one, write


def texts(svg: str) -> list[str]:
    return [
        "".join(element.itertext()).strip() for element in ET.fromstring(svg).iter() if element.tag.endswith("text")
    ]


MODELS = [[one("a", 1), one("b", 100)], *([one("a", n), one("b", n)] for n in (2, 3, 4, 5))]


def test_both_panels_name_the_ends_of_each_strip(tmp_path: Path) -> None:
    write(tmp_path, MODELS, [1, 2, 3, 4, 5], dataset="<d>")
    found = sensitivity(open_results(tmp_path), metrics=["alpha", "log_norm"])
    svg = sensitivity_figure(found, "choices")
    assert svg == sensitivity_figure(found, "choices")
    shown = texts(svg)
    assert {"tau with err@1, <d>", "tau of the ranking with that by default", "alpha", "log_norm"} <= set(shown)
    assert shown.count("alpha up to 8") == 2  # the largest tau, and the ranking least like the default
    assert shown.count("too few models") == 2  # log_norm is missing
    assert "other options" not in shown
    assert 'id="choices-' in svg


def test_without_scores_there_is_one_panel(tmp_path: Path) -> None:
    write(tmp_path, MODELS)
    shown = texts(sensitivity_figure(sensitivity(open_results(tmp_path), metrics=["alpha"]), "choices"))
    assert "tau of the ranking with that by default" in shown
    assert not any(text.startswith("tau with") for text in shown)

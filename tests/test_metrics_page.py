"""docs/metrics.md against the code: every stored metric, what makes it, every reason, no others; its example runs."""

import doctest
import re
from dataclasses import MISSING, fields
from pathlib import Path

import pyarrow as pa
import pytest
import torch

from catalogs import WeightFile
from checkpoints.open import StateDict
from pipeline.decomposition.spectra import spectra_table
from pipeline.measurement.metrics import layers_table
from pipeline.options import PRESETS, MetricOptions, SpectrumOptions
from pipeline.store.records import LayerRow, SpectrumRow
from setol import EffectiveCorrelationSpace, PowerLawFit, Reason, ScaleMetrics

PAGE = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"
TEXT = PAGE.read_text(encoding="utf-8")
ITEMS = ("Formula", "Scale and range", "Meaning", "Trap", "WeightWatcher", "Made by")

HEADINGS = re.findall(r"^### (.*)\n((?:(?!^##).*\n)*)", TEXT, flags=re.MULTILINE)
SECTIONS = {name: body for heading, body in HEADINGS for name in re.findall(r"`(\w+)`", heading)}
GROUPS = {
    heading: re.findall(r"`(\w+)`", " ".join(re.findall(r"^### (.*)$", body, flags=re.MULTILINE)))
    for heading, body in re.findall(r"^## (.*)\n((?:(?!^## ).*\n)*)", TEXT, flags=re.MULTILINE)
}

BASIC = MetricOptions(detail="basic")
REFIT = "; `setol refit` makes it from stored spectra."
STORED_SO = "; `setol refit` makes it from spectra stored so."
LAYER_MAKERS = {
    "any `--detail`" + REFIT: (SpectrumOptions(), BASIC),
    "`--detail standard` or `full`" + REFIT: (SpectrumOptions(), MetricOptions(detail="standard")),
    "`--detail full`" + REFIT: (SpectrumOptions(), MetricOptions(detail="full")),
    "`--bootstrap`" + REFIT: (SpectrumOptions(), MetricOptions(detail="basic", bootstrap=5)),
    "`--fingers clip` or `clip_weightwatcher`" + REFIT: (
        SpectrumOptions(),
        MetricOptions(detail="basic", fingers="clip"),
    ),
    "`--preset natcomm2021`" + REFIT: (SpectrumOptions(), PRESETS["natcomm2021"]),
    "`setol run --permutations`" + STORED_SO: (SpectrumOptions(permutations=1), BASIC),
    "`setol run --vectors`" + STORED_SO: (SpectrumOptions(vectors=True), BASIC),
    "`setol run --windows`" + STORED_SO: (SpectrumOptions(windows=True), BASIC),
}
SPECTRA_MAKERS = {
    "`setol run`; not `setol refit`.": SpectrumOptions(),
    "`setol run --permutations`; not `setol refit`.": SpectrumOptions(permutations=1),
    "`setol run --vectors`; not `setol refit`.": SpectrumOptions(vectors=True),
    "`setol run --windows`; not `setol refit`.": SpectrumOptions(windows=True),
}


def optional_columns(row: type) -> set[str]:
    """Columns that may be NULL: those that a matrix gives, less what places it."""
    return {field.name for field in fields(row) if field.default is not MISSING} - {
        *("reason", "tied_to", "part", "kind", "layout", "n_rows", "n_cols", "n_slices")
    }


IN_LAYERS = optional_columns(LayerRow) | {"aspect_ratio", "evals_factor"}
IN_SPECTRA = optional_columns(SpectrumRow)


def item(name: str, which: str) -> str:
    """What stands under an item of a metric, as one line."""
    (found,) = re.findall(rf"^- {which}: (.*?)(?=^- |\Z)", SECTIONS[name], flags=re.MULTILINE | re.DOTALL)
    return " ".join(found.split())


@pytest.fixture(scope="module")
def spectra() -> dict[SpectrumOptions, pa.Table]:
    """A heavy-tailed matrix and a kernel, with what each of the options stores beside their spectra."""
    generator = torch.Generator().manual_seed(0)
    heavy = torch.randn(150, 120, generator=generator) / torch.rand(150, 120, generator=generator) ** 0.8
    tensors = {"fc.weight": heavy, "conv.weight": torch.randn(80, 70, 2, 2, generator=generator)}
    file = WeightFile(model="path:m", name="m", file="m", weights_sha256="0" * 64)
    return {
        options: spectra_table(file, StateDict(tensors), "cpu", options=options) for options in SPECTRA_MAKERS.values()
    }


def filled(table: pa.Table) -> set[str]:
    """Columns with a value in some row."""
    return {name for name in table.column_names if table[name].null_count < len(table)}


def test_the_page_describes_what_is_stored_and_nothing_else() -> None:
    assert set(SECTIONS) == IN_LAYERS | IN_SPECTRA
    named = [name for heading, _ in HEADINGS for name in re.findall(r"`(\w+)`", heading)]
    assert len(named) == len(set(named))  # none twice


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_every_metric_has_all_its_items(name: str) -> None:
    assert tuple(re.findall(r"^- ([\w ]+): \S", SECTIONS[name], flags=re.MULTILINE)) == ITEMS


def test_the_contents_list_every_metric_in_its_group() -> None:
    rows = re.findall(r"^\| \[(.*?)\]\(#(.*?)\) \| (.*?) \|", TEXT, flags=re.MULTILINE)
    headings = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-"): heading for heading in GROUPS}
    contents = {headings[anchor]: re.findall(r"`(\w+)`", names) for _, anchor, names in rows}
    assert contents == {heading: names for heading, names in GROUPS.items() if names}


def test_every_metric_says_what_makes_it(spectra: dict[SpectrumOptions, pa.Table]) -> None:
    """The columns that each choice of options fills, and those before it in the table of makers do not."""
    seen: set[str] = set()
    for maker, (stored, options) in LAYER_MAKERS.items():
        made = filled(layers_table(spectra[stored], options, "c")) & IN_LAYERS
        assert {name for name in IN_LAYERS if item(name, "Made by") == maker} == made - seen, maker
        seen |= made
    assert seen == IN_LAYERS


def test_every_stored_list_says_what_makes_it(spectra: dict[SpectrumOptions, pa.Table]) -> None:
    seen: set[str] = set()
    for maker, options in SPECTRA_MAKERS.items():
        made = filled(spectra[options]) & IN_SPECTRA
        assert {name for name in IN_SPECTRA if item(name, "Made by") == maker} == made - seen, maker
        seen |= made
    assert seen == IN_SPECTRA


def test_every_preset_has_a_column() -> None:
    (header,) = re.findall(r"^\| option \| (.*) \|$", TEXT, flags=re.MULTILINE)
    assert [name.strip("`") for name in header.split(" | ")] == list(PRESETS)


def test_every_number_that_the_numerics_return_is_described() -> None:
    returned = {field.name for record in (PowerLawFit, ScaleMetrics) for field in fields(record)}
    returned |= {f"erg_{field.name}" for field in fields(EffectiveCorrelationSpace)}
    assert returned <= set(SECTIONS)


def test_every_reason_is_listed_with_its_sentence() -> None:
    listed = dict(re.findall(r"^\| `(\w+)` \| (.*?) \| (?:tensor|layer|number|edit) \|$", TEXT, flags=re.MULTILINE))
    assert listed == {reason.value: reason.sentence for reason in Reason}


def test_the_example_runs() -> None:
    results = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    assert results.attempted > 5
    assert results.failed == 0

"""What docs/findings.md says of the trained zoo is what the tables of the package give."""

import re
from pathlib import Path

import pytest

from setol_zoo.lab.stored import read_tables
from setol_zoo.lab.zoo import zoo_settings
from setol_zoo.lab.zoo_sample import true_labels, zoo_sample
from setol_zoo.lab.zoo_study import study

PAGE = Path(__file__).parents[2] / "docs" / "findings.md"

NAMES = {
    "alpha": "alpha_mean",
    "alpha_hat": "alpha_hat_mean",
    "erg_delta": "erg_delta_mean",
    "log norm": "log_norm_mean",
    "log spectral norm": "log_spectral_norm_mean",
    "stable rank": "stable_rank_mean",
    "entropy": "entropy_mean",
    "training error": "train_error",
    "training loss": "train_loss",
    "label noise, as set": "label_noise",
    "share of the data, as set": "log10_data_share",
}


@pytest.fixture(scope="module")
def stored():
    return read_tables("zoo")


def cell(tau):
    """As the page writes it: `.25 [.11, .37]`."""
    if tau.tau is None:
        return ""
    texts = [f"{value:.2f}" for value in (tau.tau, tau.interval.low, tau.interval.high)]
    mean, low, high = (re.sub(r"^(-?)0\.", r"\1.", "0.00" if text == "-0.00" else text) for text in texts)
    return f"{mean} [{low}, {high}]"


def test_the_table_of_the_page(stored):
    sample = zoo_sample(stored)
    found = [study(sample), study(sample.where(true_labels(sample)))]
    shown = {}
    for line in PAGE.read_text(encoding="utf-8").partition("## 224 networks")[2].splitlines():
        cells = [text.strip() for text in line.split("|")[1:-1]]
        if cells and cells[0] in NAMES:
            shown[cells[0]] = cells[1:]
    assert set(shown) == set(NAMES)
    for name, column in NAMES.items():
        within = [cell(each.within[column].tau) for each in found]
        given = [each.beyond["training"].get(column) for each in found]
        assert shown[name] == [*within, *("" if row is None else cell(row.partial) for row in given)], name


def test_the_tables_are_those_of_the_settings(stored):
    assert set(stored.networks["training"].to_pylist()) == {setting.id for setting in zoo_settings()}
    assert stored.networks.num_rows == 224
    assert set(stored.layers["training"].to_pylist()) == {setting.id for setting in zoo_settings()}
    assert stored.networks["tail_test_error"].null_count == stored.networks["ecs_test_error"].null_count == 0

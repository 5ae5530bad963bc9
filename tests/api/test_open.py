"""Results opened from Python."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import setol_zoo as zoo
from analysis import AnalysisError
from tests.api.models import TiedLanguageModel, convolutions, seeded


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zoo") / "results"
    for make in (convolutions, TiedLanguageModel):
        zoo.analyze(seeded(make), results=folder, threads=1)
    return folder


def test_views_are_frames(folder):
    opened = zoo.open(folder)
    assert opened.models["name"].tolist() == ["Sequential", "TiedLanguageModel"]
    assert opened.models["n_tied"].tolist() == [0, 1]
    assert len(opened.layers) == 5
    assert opened.models["alpha_median"].notna().all()


def test_it_says_what_it_is(folder):
    opened = zoo.open(folder)
    assert repr(opened) == f"2 models in {folder}, configuration {opened.results.config}"


def test_questions_in_sql(folder):
    opened = zoo.open([folder])
    frame = opened.sql("SELECT name, count(*) AS n FROM layers GROUP BY name ORDER BY name")
    assert isinstance(frame, pd.DataFrame)
    assert frame["n"].tolist() == [3, 2]
    assert isinstance(opened.to_arrow("SELECT 1 AS one"), pa.Table)
    with pytest.raises(AnalysisError, match="need exactly one SELECT"):
        opened.sql("DROP VIEW layers")


def test_spectra_are_those_of_the_analysis(folder):
    analysis = zoo.analyze(seeded(convolutions), threads=1)
    assert np.array_equal(zoo.open(folder).spectrum("Sequential", "3"), analysis.spectrum("3"))
    with pytest.raises(AnalysisError, match="unknown model 'Sequentia'; nearest: Sequential"):
        zoo.open(folder).spectrum("Sequentia", "3")


def test_configurations_are_chosen_by_name(folder):
    other = zoo.analyze(seeded(convolutions), preset="weightwatcher", results=folder, threads=1)
    assert zoo.open(folder, other.config).results.config == other.config
    with pytest.raises(AnalysisError, match="unknown configuration"):
        zoo.open(folder, "zzz")


def test_a_missing_folder_is_explained(tmp_path):
    with pytest.raises(AnalysisError, match="there is no folder"):
        zoo.open(tmp_path / "absent")

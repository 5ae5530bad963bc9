"""A model in memory and the file saved from it give the same rows, to the last bit."""

import importlib.util
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from safetensors.torch import save_file

import setol_zoo as zoo
from tests.api.models import LIBRARY, MODELS, seeded, weight_normed


def sorted_rows(analysis: zoo.Analysis) -> list[dict]:
    """Rows of `layers` in an order that does not depend on that of the tensors."""
    rows = analysis.to_arrow().to_pylist()
    return sorted(rows, key=lambda row: (row["tensor"], row["part"] or ""))


@pytest.mark.parametrize("name", MODELS)
def test_a_module_and_its_saved_state_dict(name, tmp_path):
    if name in LIBRARY and importlib.util.find_spec(LIBRARY[name]) is None:
        pytest.skip(f"{LIBRARY[name]} is not installed")
    model = seeded(MODELS[name])
    torch.save(model.state_dict(), tmp_path / "model.pt")
    live, saved = zoo.analyze(model, threads=1), zoo.analyze(tmp_path / "model.pt", threads=1)
    assert sorted_rows(live) == sorted_rows(saved)
    assert live.summary["n_ok"] > 0
    assert live.summary["coverage"] == saved.summary["coverage"]
    assert sorted(live.tensors["tensor"]) == sorted(saved.tensors["tensor"])


def test_a_module_and_its_safetensors_and_its_state_dict(tmp_path):
    model = seeded(MODELS["convolutions"])
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    analyses = [
        zoo.analyze(given, threads=1)
        for given in (model, model.state_dict(), tmp_path / "model.safetensors", str(tmp_path / "model.safetensors"))
    ]
    first, *others = map(sorted_rows, analyses)
    assert all(rows == first for rows in others)


def test_a_weight_that_is_normalized_counts_as_it_is_used(tmp_path):
    model = seeded(weight_normed)
    live = zoo.analyze(model, threads=1)
    torch.nn.utils.parametrize.remove_parametrizations(model[0], "weight")
    torch.save(model.state_dict(), tmp_path / "model.pt")
    assert sorted_rows(live) == sorted_rows(zoo.analyze(tmp_path / "model.pt", threads=1))


def test_a_file_with_direction_and_length_comes_near(tmp_path):
    model = seeded(weight_normed)
    torch.save(model.state_dict(), tmp_path / "model.pt")
    live, saved = zoo.analyze(model), zoo.analyze(tmp_path / "model.pt")
    assert live.layers["layer"].tolist() == ["0", "2"]
    for layer in ("0", "2"):
        assert live.spectrum(layer) == pytest.approx(saved.spectrum(layer), rel=1e-5, abs=1e-6)


def test_the_weightwatcher_preset_and_fewer_eigenvalues(tmp_path):
    model = seeded(MODELS["convolutions"])
    torch.save(model.state_dict(), tmp_path / "model.pt")
    options = {"preset": "weightwatcher", "min_evals": 20, "threads": 1}
    rows = sorted_rows(zoo.analyze(model, **options))
    assert rows == sorted_rows(zoo.analyze(tmp_path / "model.pt", **options))
    assert [row["tensor"] for row in rows if row["status"] == "ok"] == ["0.weight", "3.weight", "6.weight"]
    assert [row["tensor"] for row in sorted_rows(zoo.analyze(model)) if row["status"] == "ok"] == [
        "3.weight",
        "6.weight",
    ]


def test_bfloat16_is_widened_not_rounded(tmp_path):
    model = seeded(MODELS["convolutions"]).to(torch.bfloat16)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    live = zoo.analyze(model, threads=1)
    assert sorted_rows(live) == sorted_rows(zoo.analyze(tmp_path / "model.safetensors", threads=1))
    assert set(live.tensors["dtype"]) == {"bfloat16", "int64"}


def test_results_are_kept_where_asked(tmp_path):
    model = seeded(MODELS["convolutions"])
    first = zoo.analyze(model, results=tmp_path / "r")
    again = zoo.analyze(model, results=tmp_path / "r")
    assert first.to_arrow() == again.to_arrow()
    opened = zoo.open(tmp_path / "r")
    assert opened.models["name"].tolist() == ["Sequential"]
    assert opened.models["status"].tolist() == ["done"]
    assert opened.to_arrow("SELECT alpha FROM layers ORDER BY row")["alpha"] == first.to_arrow()["alpha"]
    assert len(list(Path(tmp_path / "r" / "spectra" / "v1").iterdir())) == 1
    assert isinstance(first.to_arrow(), pa.Table)

"""What is left when one model is subtracted from another: its spectra, and how far the two are apart."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import setol_zoo as zoo
from checkpoints.errors import CheckpointError
from tests.api.models import TiedLanguageModel, convolutions, seeded, weight_normed


def moved(model: nn.Module, seed: int = 1) -> nn.Module:
    """A copy with other weights."""
    import copy

    other = copy.deepcopy(model)
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(torch.randn_like(parameter) * torch.rand(parameter.shape[-1:]).add(0.1))
    return other


def test_spectra_are_those_of_the_difference(tmp_path):
    base = seeded(convolutions)
    model = moved(base)
    difference = {
        name: tensor.double() - base.state_dict()[name].double()
        for name, tensor in model.state_dict().items()
        if tensor.is_floating_point()
    }
    found, dense = zoo.analyze(model, base=base), zoo.analyze(difference)
    assert found.layers["layer"].tolist() == dense.layers["layer"].tolist() == ["0", "3", "6"]
    for layer in found.layers["layer"]:
        np.testing.assert_allclose(found.spectrum(layer), dense.spectrum(layer), rtol=1e-10, atol=1e-13)
    assert found.layers["alpha"].dropna().tolist() == pytest.approx(dense.layers["alpha"].dropna().tolist(), rel=1e-8)
    assert found.name == "Sequential-minus-Sequential"


def test_files_and_modules_give_the_same_and_results_keep_both(tmp_path):
    base = nn.Linear(80, 70)
    model = moved(base)
    for name, each in (("base", base), ("model", model)):
        save_file(each.state_dict(), tmp_path / f"{name}.safetensors")
    live = zoo.analyze(model, base=base)
    folder = tmp_path / "r"
    filed = zoo.analyze(tmp_path / "model.safetensors", base=str(tmp_path / "base.safetensors"), results=folder)
    np.testing.assert_array_equal(filed.spectrum("weight"), live.spectrum("weight"))
    zoo.analyze(tmp_path / "model.safetensors", results=folder)
    names = zoo.open(folder).sql("SELECT name, content FROM models ORDER BY name")
    assert names["name"].tolist() == ["model", "model-minus-base"]
    assert names["content"].nunique() == 2
    other = zoo.analyze(tmp_path / "base.safetensors", base=tmp_path / "model.safetensors", results=folder)
    assert other.model != filed.model
    assert filed.order == other.order == "in the order of the names"


def test_a_model_minus_itself_is_nothing():
    model = seeded(convolutions)
    a = zoo.analyze(model, base=model)
    assert set(a.layers["status"]) == {"failed"}
    assert set(a.layers["reason"]) == {"zero_matrix"}


def test_number_formats_may_differ():
    base = nn.Linear(80, 70)
    model = moved(base)
    rough = {name: tensor.bfloat16() for name, tensor in base.state_dict().items()}
    expected = torch.linalg.svdvals(model.weight.detach().double() - base.weight.detach().bfloat16().double()).square()
    found = zoo.analyze(model, base=rough).spectrum("weight")
    np.testing.assert_allclose(found, expected.flip(0).numpy(), rtol=1e-9, atol=1e-12)


def test_what_the_base_has_not_or_in_another_shape_is_skipped_and_named():
    base = {"a.weight": torch.randn(60, 50), "b.weight": torch.randn(60, 50), "codes.weight": torch.ones(60, 50).int()}
    model = {"module.a.weight": torch.randn(60, 50), "b.weight": torch.randn(60, 40), "c.weight": torch.randn(9, 5)}
    a = zoo.analyze(model | {"codes.weight": torch.randn(60, 50)}, base=base)
    assert a.layers["layer"].tolist() == ["a"]
    assert dict(zip(a.skipped["layer"], a.skipped["reason"], strict=True)) == {
        "b": "other_shape",
        "c": "not_in_base",
        "codes": "dtype",
    }
    assert "not_in_base: The base has no tensor of that name." in str(a)


def test_another_architecture_is_refused():
    with pytest.raises(CheckpointError, match=r"no matrix in common: a.weight \[60, 50\] is of another shape there"):
        zoo.analyze({"a.weight": torch.randn(60, 50)}, base={"a.weight": torch.randn(50, 60)})
    with pytest.raises(CheckpointError, match=r"no matrix in common: a.weight \[60, 50\] is not in the base"):
        zoo.analyze({"a.weight": torch.randn(60, 50)}, base={"b.weight": torch.randn(60, 50)})


def test_only_what_is_tied_in_both_is_tied():
    tied = seeded(TiedLanguageModel)
    both = zoo.analyze(moved(tied), base=tied)
    assert both.summary["n_tied"] == 1
    untied = tied.state_dict() | {"lm_head.weight": torch.randn(96, 64)}
    one = zoo.analyze(tied, base=untied)
    assert one.summary["n_tied"] == 0
    assert one.layers.set_index("layer")["status"].to_dict() == {
        "embed_tokens": "failed",
        "fc": "failed",
        "lm_head": "ok",
    }


def test_weight_normalization_is_subtracted_as_it_is_applied(tmp_path):
    base = seeded(weight_normed)
    model = moved(base)
    torch.save(base.state_dict(), tmp_path / "base.pt")
    torch.save(model.state_dict(), tmp_path / "model.pt")
    found = zoo.analyze(tmp_path / "model.pt", base=tmp_path / "base.pt")
    change = model[0].weight.detach().double() - base[0].weight.detach().double()
    expected = torch.linalg.svdvals(change).square().flip(0).numpy()
    np.testing.assert_allclose(found.spectrum("0"), expected, rtol=1e-4, atol=1e-5)


def test_a_model_is_no_distance_from_itself():
    model = seeded(convolutions)
    found = zoo.distance(model, model)
    assert [row.layer for row in found.matrices] == ["0", "3", "6"]
    for row in found.matrices:
        assert (row.distance, row.relative) == (0.0, 0.0)
        assert row.cka == pytest.approx(1.0, abs=1e-12)
    assert found.only_in_base == ()


def test_distances_are_those_of_the_entries():
    base = seeded(convolutions)
    model = moved(base)
    for row in zoo.distance(model, base).matrices:
        one, other = model.state_dict()[row.tensor].double(), base.state_dict()[row.tensor].double()
        assert row.distance == pytest.approx(float((one - other).norm()), rel=1e-12)
        assert row.relative == pytest.approx(float((one - other).norm() / other.norm()), rel=1e-12)
        assert 0 < row.cka < 1
    doubled = {name: 2 * tensor for name, tensor in base.state_dict().items()}
    for row in zoo.distance(doubled, base).matrices:
        assert row.relative == pytest.approx(1.0, abs=1e-12)
        assert row.cka == pytest.approx(1.0, abs=1e-12)


def test_distance_names_what_cannot_be_compared():
    base = {"a.weight": torch.zeros(6, 5), "b.weight": torch.ones(6, 5), "d.weight": torch.ones(6, 5)}
    model = {"a.weight": torch.ones(6, 5), "b.weight": torch.ones(6, 4), "c.weight": torch.full((6, 5), torch.nan)}
    found = zoo.distance(model | {"d.weight": model["c.weight"]}, base | {"e.weight": torch.ones(3, 4)})
    assert {row.layer: row.reason for row in found.matrices} == {
        "a": None,
        "b": "other_shape",
        "c": "not_in_base",
        "d": "non_finite",
    }
    first = found.matrices[0]
    assert (first.distance, first.relative, first.cka) == (pytest.approx(30**0.5), None, None)
    assert found.only_in_base == ("e.weight",)
    assert found.to_pandas()["layer"].tolist() == ["a", "b", "c", "d"]

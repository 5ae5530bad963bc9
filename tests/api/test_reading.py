"""The one-line reading: what it may say of trained, random, short and broken models."""

import re
from collections import Counter

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import setol_zoo as zoo
from setol_zoo.reading import FittedLayer, like_random, no_fit, reading

GOOD = FittedLayer(alpha=3.0, d_ks=0.03, n_tail=200, like_random=False)
METRICS = {"alpha_median": 3.0, "alpha_mean": 3.0, "alpha_se": None}


def random_transformer(scale: float) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    shapes = {"query": (192, 192), "value": (192, 192), "up": (768, 192), "down": (192, 768)}
    return {
        f"layer.{i}.{name}.weight": scale * torch.randn(*shape, generator=generator)
        for i in range(3)
        for name, shape in shapes.items()
    }


@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_random_matrices_are_not_called_well_trained_without_a_but(scale):
    told = zoo.analyze(random_transformer(scale)).reading
    found = re.search(r"But (\d+) of 12 have no eigenvalue beyond the edge of a random matrix", told)
    assert found and int(found[1]) >= 11, told
    assert "no sign of training" in told


def test_random_kernels_are_seen_too():
    generator = torch.Generator().manual_seed(2)
    told = zoo.analyze({"conv.weight": torch.randn(64, 32, 3, 3, generator=generator)}).reading
    assert "1 of 1 has no eigenvalue beyond the edge of a random matrix" in told


def test_one_spike_is_enough_to_be_unlike_a_random_matrix():
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 0.1, (300, 200))
    u, v = rng.normal(size=300), rng.normal(size=200)
    spiked = noise + 10 * np.outer(u / np.linalg.norm(u), v / np.linalg.norm(v))
    largest = [np.linalg.norm(matrix, 2) ** 2 for matrix in (noise, spiked)]
    assert like_random(300, 200, 1, noise.var(), largest[0])
    assert not like_random(300, 200, 1, spiked.var(), largest[1])


def test_one_in_a_hundred_random_matrices_lies_beyond_the_edge():
    rng = np.random.default_rng(4)
    matrices = rng.normal(size=(400, 60, 40))
    largest = np.linalg.svd(matrices, compute_uv=False)[:, 0] ** 2
    beyond = sum(not like_random(60, 40, 1, 1.0, value) for value in largest)
    assert 0 <= beyond <= 12  # 4 expected; more than 12 would have probability 2e-4


def test_a_good_model_has_no_but():
    assert reading("m", METRICS, [GOOD] * 4) == (
        "m: median alpha 3.00 over 4 layers: all of them in 2 to 6, the range reported for well-trained networks"
    )


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        (FittedLayer(3.0, 0.03, 49, False), "2 of 8 tails have fewer than 50 eigenvalues, too few"),
        (FittedLayer(3.0, 0.11, 200, False), "2 of 8 have D above 0.1, a poor fit"),
        (FittedLayer(3.0, 0.03, 200, True), "2 of 8 have no eigenvalue beyond the edge"),
    ],
)
def test_a_quarter_of_the_layers_is_worth_a_but(odd, told):
    assert f". But {told}" in reading("m", METRICS, [GOOD] * 6 + [odd] * 2)
    assert "But" not in reading("m", METRICS, [GOOD] * 7 + [odd])


def test_what_lies_outside_is_counted():
    low, high = FittedLayer(1.5, 0.03, 200, False), FittedLayer(7.0, 0.03, 200, False)
    assert reading("m", METRICS, [GOOD, low, low, high]).endswith(
        "over 4 layers: 1 in 2 to 6, the range reported for well-trained networks; "
        "2 below 2 (over-trained, or a trap); 1 above 6 (under-trained, or no power law)"
    )
    assert "well-trained" not in reading("m", METRICS, [low])


def test_without_a_fit_the_most_frequent_reason_is_told():
    assert no_fit("m", Counter({("empty", "An axis."): 1, ("non_finite", "Some NaN."): 3}), 5) == (
        "m: no layer has a fitted power law, so alpha says nothing here. 3 of 4 matrices, non_finite: Some NaN."
    )


def test_ranks_are_told_where_they_are_the_reason():
    few = Counter({("too_few_eigenvalues", "Too few."): 3})
    told = no_fit("m", few, 6, [8, 4])
    assert told.endswith(
        "too_few_eigenvalues: Too few. The rank of 2 matrices is 4 to 8, and all other eigenvalues are zero."
    )
    assert no_fit("m", Counter({("empty", "An axis."): 4}) + few, 7, [8]).endswith("4 of 7 matrices, empty: An axis.")


def test_a_model_of_nan_is_not_called_a_model_of_vectors():
    nan = torch.full((70, 60), float("nan"))
    told = zoo.analyze({"a.weight": nan, "b.weight": nan + 1, "c.bias": torch.ones(3)}).reading
    assert "2 of 2 matrices, non_finite: Some entries are NaN, infinite, or too large" in told


def test_a_model_without_tensors_is_not_called_a_model_of_vectors(tmp_path):
    save_file({}, tmp_path / "nothing.safetensors")
    told = zoo.analyze(tmp_path / "nothing.safetensors").reading
    assert told == "nothing: it holds no tensors, so there is nothing to analyze"
    assert zoo.analyze(torch.nn.ReLU()).reading == "ReLU: it holds no tensors, so there is nothing to analyze"
    vectors = zoo.analyze({"norm.weight": torch.ones(3)}).reading
    assert "no weight matrices: every tensor is a vector, a buffer or a table of positions (see skipped)" in vectors

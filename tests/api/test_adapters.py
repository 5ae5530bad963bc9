"""Adapters (LoRA): each pair of factors is analyzed as its product, with the scale that is known."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import setol_zoo as zoo
from checkpoints.errors import CheckpointError

GENERATOR = torch.Generator().manual_seed(0)


def randn(*shape):
    return torch.randn(shape, generator=GENERATOR)


PAIRS = {
    "base_model.model.model.q_proj.lora_A.weight": randn(60, 128),
    "base_model.model.model.q_proj.lora_B.weight": randn(96, 60),
    "base_model.model.model.v_proj.lora_A.weight": randn(4, 70),
    "base_model.model.model.v_proj.lora_B.weight": randn(60, 4),
    "base_model.model.conv.lora_A.weight": randn(8, 16, 3, 3),
    "base_model.model.conv.lora_B.weight": randn(32, 8, 1, 1),
    "base_model.model.emb.lora_embedding_A": randn(8, 100),
    "base_model.model.emb.lora_embedding_B": randn(70, 8),
}


def adapter(folder: Path, tensors=PAIRS, **config) -> Path:
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors")
    if config:
        (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", **config}))
    return folder


def largest(analysis, layer):
    """Largest raw eigenvalue."""
    factor = analysis.layers.set_index("layer").loc[layer, "evals_factor"]
    return analysis.spectrum(layer)[-1] / factor


def test_spectra_are_those_of_the_products(tmp_path):
    a = zoo.analyze(adapter(tmp_path / "a", lora_alpha=32, r=8), min_evals=5)
    kinds = a.layers.set_index("layer")["kind"].to_dict()
    assert kinds == {"conv": "conv2d", "emb": "embedding", "model.q_proj": "linear", "model.v_proj": "linear"}
    for layer, name, rank in (("model.q_proj", "model.q_proj", 60), ("model.v_proj", "model.v_proj", 4)):
        left, right = (PAIRS[f"base_model.model.{name}.lora_{side}.weight"].double() for side in "BA")
        expected = torch.linalg.svdvals(left @ right * (32 / rank)).square().flip(0).numpy()
        np.testing.assert_allclose(a.spectrum(layer), expected, rtol=1e-9, atol=1e-9 * expected[-1])
    left, right = (PAIRS[f"base_model.model.conv.lora_{side}.weight"].double() for side in "BA")
    kernel = torch.einsum("or,rikl->oikl", left[:, :, 0, 0], right) * (32 / 8)
    dense = zoo.analyze({"conv.weight": kernel})
    np.testing.assert_allclose(
        a.spectrum("conv"), dense.spectrum("conv"), rtol=1e-9, atol=1e-9 * dense.spectrum("conv")[-1]
    )
    assert a.layers["n_params"].sum() == sum(tensor.numel() for tensor in PAIRS.values())
    assert a.summary["coverage"] == 1.0
    assert set(a.skipped["reason"]) == {"factor"}
    assert a.layers.set_index("layer").loc["model.q_proj", "status"] == "ok"


def test_scales_of_peft(tmp_path):
    plain = zoo.analyze(adapter(tmp_path / "plain", lora_alpha=16, r=4))
    root = zoo.analyze(adapter(tmp_path / "root", lora_alpha=16, r=4, use_rslora=True))
    other = zoo.analyze(adapter(tmp_path / "other", lora_alpha=16, r=4, alpha_pattern={"v_proj": 32, "proj": 99}))
    assert largest(root, "model.v_proj") == pytest.approx(largest(plain, "model.v_proj") * 4, rel=1e-12)
    assert largest(other, "model.v_proj") == pytest.approx(largest(plain, "model.v_proj") * 4, rel=1e-12)
    assert largest(other, "model.q_proj") == pytest.approx(largest(plain, "model.q_proj"), rel=1e-12)


def test_an_unknown_scale_is_one_and_that_is_said(tmp_path):
    unknown = zoo.analyze(adapter(tmp_path / "a"))
    known = zoo.analyze(adapter(tmp_path / "b", lora_alpha=4, r=4))
    assert set(unknown.skipped["reason"]) == {"factor_unscaled"}
    assert "with scale 1: neither an adapter_config.json beside the file" in str(unknown)
    assert largest(unknown, "model.v_proj") == pytest.approx(largest(known, "model.v_proj"), rel=1e-12)
    state_dict = zoo.analyze(dict(PAIRS))
    assert largest(state_dict, "model.q_proj") == pytest.approx(largest(unknown, "model.q_proj"), rel=1e-12)
    alphas = sorted(known.layers["alpha"].dropna())
    assert alphas == pytest.approx(sorted(state_dict.layers["alpha"].dropna()))  # alpha is free of scale


def test_another_scale_is_another_result(tmp_path):
    results = tmp_path / "r"
    folder = adapter(tmp_path / "a", lora_alpha=4, r=4)
    first = zoo.analyze(folder, results=results)
    adapter(folder, lora_alpha=8, r=4)
    second = zoo.analyze(folder, results=results)
    assert largest(second, "model.v_proj") == pytest.approx(4 * largest(first, "model.v_proj"), rel=1e-12)
    assert len(list((results / "spectra" / "v1").glob("*.parquet"))) == 2


def test_an_alpha_beside_its_pair_counts_first(tmp_path):
    tensors = {
        "lora_unet_mid_to_q.lora_down.weight": randn(4, 70),
        "lora_unet_mid_to_q.lora_up.weight": randn(60, 4),
        "lora_unet_mid_to_q.alpha": torch.tensor(8.0),
    }
    a = zoo.analyze(adapter(tmp_path / "a", tensors, lora_alpha=400, r=4))
    product = tensors["lora_unet_mid_to_q.lora_up.weight"] @ tensors["lora_unet_mid_to_q.lora_down.weight"]
    expected = float(torch.linalg.matrix_norm(2 * product.double(), 2)) ** 2
    assert largest(a, "lora_unet_mid_to_q") == pytest.approx(expected, rel=1e-5)


def test_factors_that_form_no_product_are_named(tmp_path):
    tensors = dict(PAIRS) | {
        "x.lora_A.weight": randn(4, 9),
        "y.lora_A.weight": randn(4, 9),
        "y.lora_B.weight": randn(9, 5),
        "z.lora_A.weight": randn(4, 9),
        "z.lora_B.weight": torch.ones(9, 4).to(torch.complex64),
        "z.lora_magnitude_vector": randn(9),
    }
    a = zoo.analyze(adapter(tmp_path / "a", tensors, lora_alpha=4, r=4))
    reasons = dict(zip(a.skipped["tensor"], a.skipped["reason"], strict=True))
    assert {name: reason for name, reason in reasons.items() if not name.startswith("base_model")} == {
        "x.lora_A.weight": "factor_alone",
        "y.lora_A.weight": "factor_mismatch",
        "y.lora_B.weight": "factor_mismatch",
        "z.lora_A.weight": "factor",
        "z.lora_B.weight": "dtype",
        "z.lora_magnitude_vector": "adapter",
    }
    assert len(a.layers) == 4


def test_beside_weights_factors_are_left_alone():
    a = zoo.analyze(dict(PAIRS) | {"fc.weight": randn(60, 50)})
    assert a.layers["layer"].tolist() == ["fc"]
    assert set(a.skipped["reason"]) == {"adapter"}


def test_ranks_of_one_and_factors_of_zero(tmp_path):
    tensors = {"q.lora_A.weight": randn(1, 9), "q.lora_B.weight": randn(7, 1)}
    tensors |= {"k.lora_A.weight": randn(2, 9), "k.lora_B.weight": torch.zeros(7, 2)}
    a = zoo.analyze(adapter(tmp_path / "a", tensors, lora_alpha=4, r=1))
    rows = a.layers.set_index("layer")
    assert rows.loc["q", "matrix_rank"] == 1
    assert (rows.loc["k", "status"], rows.loc["k", "reason"]) == ("failed", "zero_matrix")


def test_permutations_are_those_of_the_product(tmp_path):
    from pipeline.decomposition.spectra import spectra_table
    from pipeline.options import SpectrumOptions
    from setol_zoo.opened_model import open_model

    opened = open_model(adapter(tmp_path / "a", lora_alpha=8, r=4))
    table = spectra_table(opened.file, opened.checkpoint, "cpu", options=SpectrumOptions(permutations=2))
    for row in table.to_pylist():
        if row["role"] == "analyzed":
            assert len(row["permuted_evals"]) == 2 * len(row["evals"])
            assert sum(row["permuted_evals"]) == pytest.approx(2 * sum(row["evals"]), rel=1e-9)


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"r": 4}', '{"lora_alpha": "much"}', '{"lora_alpha": 4, "alpha_pattern": {"(": 1}}']
)
def test_a_configuration_that_tells_no_scale(tmp_path, content):
    folder = adapter(tmp_path / "a")
    (folder / "adapter_config.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"adapter_config.json does not tell the scale of the adapter: need JSON"):
        zoo.analyze(folder)


def test_a_base_makes_no_sense_for_an_adapter(tmp_path):
    with pytest.raises(
        CheckpointError, match=r"^lora is an adapter, a difference by itself: analyze it without a base"
    ):
        zoo.analyze(adapter(tmp_path / "lora"), base={"fc.weight": randn(60, 50)})


@pytest.mark.parametrize(("config", "reason"), [({"lora_alpha": 16, "r": 8}, "factor"), ({}, "factor_unscaled")])
def test_a_factor_is_no_matrix_beside_the_product(tmp_path, config, reason):
    pair = {"q.lora_A.weight": randn(8, 256), "q.lora_B.weight": randn(256, 8)}
    a = zoo.analyze(adapter(tmp_path / "lora", pair, **config))
    assert a.reading == (
        "lora: no layer has a fitted power law, so alpha says nothing here. 1 of 1 matrix, too_few_eigenvalues: Fewer "
        "eigenvalues above the threshold than a tail fit needs. The rank of 1 matrix is 8, and all other eigenvalues "
        "are zero."
    )
    assert f"\nskipped: 1 tensor, entries counted with the product, {reason}: Its product" in str(a)
    assert "rank" not in zoo.analyze({"q.weight": randn(20, 20)}).reading

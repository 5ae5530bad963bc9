"""Quantized weights through every command: analyzed as what they stand for, compared so, and never written anew."""

import json

import pytest
import torch
from pandas.testing import assert_frame_equal
from safetensors.torch import load_file, save_file

import setol_zoo as zoo
from checkpoints.dequantize import dequantize
from checkpoints.quantized import Scaled
from setol.weights.batches import decompose_batched
from setol.weights.decomposition import decompose


@pytest.fixture(scope="module")
def tensors():
    generator = torch.Generator().manual_seed(0)
    return {
        "fc.weight": (torch.randn(300, 200, generator=generator) * 30).to(torch.float8_e4m3fn),
        "fc.weight_scale_inv": torch.rand(3, 2, generator=generator) * 1e-3 + 1e-4,
        "other.weight": torch.randn(120, 100, generator=generator),
    }


@pytest.fixture(scope="module")
def files(tensors, tmp_path_factory):
    """The model, and the same with the weight that its codes stand for."""
    folder = tmp_path_factory.mktemp("quantized")
    weight = dequantize(tensors["fc.weight"], tensors["fc.weight_scale_inv"], Scaled("w", (300, 200), "s", (128, 128)))
    save_file(tensors, folder / "codes.safetensors")
    save_file({"fc.weight": weight, "other.weight": tensors["other.weight"]}, folder / "plain.safetensors")
    return folder / "codes.safetensors", folder / "plain.safetensors"


def test_in_memory_and_from_a_file_as_the_weights_that_they_stand_for(tensors, files):
    codes, plain = files
    expected = zoo.analyze(plain).layers
    for model in (tensors, codes):
        found = zoo.analyze(model)
        assert found.layers[["layer", "alpha", "log_norm"]].equals(expected[["layer", "alpha", "log_norm"]])
        assert list(found.skipped["reason"]) == ["scales"]


def test_a_remark_tells_of_8_bit_floats_without_scales(tensors, files):
    codes = {name: tensors[name] for name in ("fc.weight", "other.weight")}
    (remark,) = zoo.analyze(codes).remarks
    assert remark.startswith("1 tensor of 8-bit floats without scales (fc.weight first), taken as the weights.")
    assert not any(zoo.analyze(model).remarks for model in (tensors, *files))


def test_compared_with_the_weights_that_they_stand_for_nothing_differs(files):
    for one, other in (files, files[::-1]):
        found = zoo.distance(one, base=other)
        assert [(matrix.layer, matrix.distance) for matrix in found.matrices] == [("fc", 0.0), ("other", 0.0)]
        changed = zoo.analyze(one, base=other).layers
        assert list(changed["reason"]) == ["zero_matrix", "zero_matrix"]


def test_codes_and_scales_are_left_as_they_are(tensors, files, tmp_path):
    edited = zoo.truncate(files[0], tmp_path / "out.safetensors")
    assert [(change.layer, change.reason) for change in edited.changes] == [("fc", "scaled"), ("other", None)]
    written = load_file(tmp_path / "out.safetensors")
    same = {name: torch.equal(tensor, written[name]) for name, tensor in tensors.items()}
    assert same == {"fc.weight": True, "fc.weight_scale_inv": True, "other.weight": False}


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_8_bit_floats_in_batches(dtype):
    stacks = [torch.randn(1, 40, 20, generator=torch.Generator().manual_seed(seed)).to(dtype) for seed in range(3)]
    for stack, found in zip(stacks, decompose_batched(stacks), strict=True):
        assert found.evals == pytest.approx(decompose(stack).evals, rel=1e-12)


def test_gpt_oss_in_mxfp4_is_laid_out_as_the_architecture_lays_out_its_unpacked_weights(tmp_path):
    unpack = pytest.importorskip("transformers.integrations.mxfp4").convert_moe_packed_tensors
    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_local_experts": 4, "num_experts_per_tok": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "num_hidden_layers": 1}
    config = {"model_type": "gpt_oss", "architectures": ["GptOssForCausalLM"], "vocab_size": 100, **sizes, **heads}
    generator = torch.Generator().manual_seed(1)
    packed, plain = {}, {}
    for name, rows, blocks in (("gate_up_proj", 192, 2), ("down_proj", 64, 3)):
        codes = torch.randint(0, 256, (4, rows, blocks, 16), dtype=torch.uint8, generator=generator)
        scales = torch.randint(118, 128, (4, rows, blocks), dtype=torch.uint8, generator=generator)
        stem = f"model.layers.0.mlp.experts.{name}"
        packed |= {f"{stem}_blocks": codes, f"{stem}_scales": scales}
        plain[stem] = unpack(codes, scales)
    layers = []
    for name, tensors in (("packed", packed), ("plain", plain)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(config))
        save_file(tensors, folder / "model.safetensors")
        found = zoo.analyze(folder).layers.sort_values(["layer", "part"], ignore_index=True)
        layers.append(found[["layer", "part", "kind", "n_rows", "n_cols", "log_norm", "log_spectral_norm"]])
    assert len(layers[0]) == 4 * 3
    assert_frame_equal(*layers, rtol=1e-12)

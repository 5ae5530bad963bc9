"""8-bit floats and quantized weights: spectra of the values that the codes stand for, or a reason."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from catalogs import WeightFile
from checkpoints import dequantize as dequantizing
from checkpoints.dequantize import dequantize
from checkpoints.layout import lay_out
from checkpoints.open import open_checkpoint
from checkpoints.quantized import FLOAT8, Scaled, find_quantized
from checkpoints.tensors import TensorHeader
from pipeline.decomposition.spectra import spectra_table
from setol.reasons import Reason

MEASURED = (
    "n_rows",
    "n_cols",
    "n_slices",
    "evals",
    "rank",
    "frobenius_sq",
    "entry_mean",
    "entry_var",
    "entry_kurtosis",
)
NARROW = (*FLOAT8, "float16", "bfloat16")


def rows_of(tensors, path):
    save_file(tensors, path)
    file = WeightFile(model=f"path:{path}", name="m", file=str(path), weights_sha256="0" * 64)
    return spectra_table(file, open_checkpoint(path), "cpu").to_pylist()


def measured(rows):
    return [{name: row[name] for name in MEASURED} for row in rows if row["role"] == "analyzed"]


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def scale_tensor(*shape, seed=1):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 1e-3 + 1e-4


@pytest.mark.parametrize("dtype", NARROW)
def test_narrow_formats_have_the_spectra_of_the_same_values_in_float32(dtype, tmp_path):
    narrow = {
        "embed_tokens.weight": randn(120, 40).to(getattr(torch, dtype)),
        "wide.weight": randn(40, 120, seed=1).to(getattr(torch, dtype)),
        "conv.weight": randn(16, 8, 3, 3, seed=2).to(getattr(torch, dtype)),
        "qkv.weight": randn(96, 32, seed=3).to(getattr(torch, dtype)),
        "mlp.experts.down_proj": randn(3, 20, 30, seed=4).to(getattr(torch, dtype)),
    }
    rows = rows_of(narrow, tmp_path / "narrow.safetensors")
    wide = rows_of({name: tensor.float() for name, tensor in narrow.items()}, tmp_path / "wide.safetensors")
    assert len(measured(rows)) == 1 + 1 + 1 + 3 + 3
    assert measured(rows) == measured(wide)
    assert {row["dtype"] for row in rows} == {dtype}


SCHEMES = {
    "blocks of 128": ("weight_scale_inv", (3, 2), (300, 200), torch.float8_e4m3fn),
    "blocks that fit": ("weight_scale_inv", (2, 3), (256, 384), torch.float8_e4m3fn),
    "tensor": ("weight_scale", (), (60, 40), torch.float8_e4m3fn),
    "tensor, one entry": ("weight_scale", (1,), (60, 40), torch.float8_e5m2),
    "channel": ("weight_scale", (60, 1), (60, 40), torch.float8_e4m3fn),
    "groups of 16": ("weight_scale", (60, 3), (60, 48), torch.float8_e4m3fn),
    "comfy": ("scale_weight", (), (60, 40), torch.float8_e4m3fn),
    "integers by row": ("weight_scale", (60, 1), (60, 40), torch.int8),
    "integers": ("weight_scale", (1,), (60, 40), torch.int8),
    "bitsandbytes": ("SCB", (60,), (60, 40), torch.int8),
}


def codes_of(shape, dtype):
    values = randn(*shape) * 30
    return values.round().clamp(-127, 127).to(dtype) if dtype is torch.int8 else values.to(dtype)


def spread(scales, shape):
    """The scale of every entry, one by one."""
    full = torch.empty(shape, dtype=torch.float64)
    if scales.numel() == 1:
        return full.fill_(float(scales))
    scales = scales.double().reshape(len(scales), -1)
    blocks = []
    for length, count in zip(shape, scales.shape, strict=True):
        fits = length // count if length % count == 0 and (length // count) in (1, 16, 128) else 128
        blocks.append(length if count == 1 else fits)
    for i in range(shape[0]):
        for j in range(shape[1]):
            full[i, j] = scales[i // blocks[0], j // blocks[1]]
    return full


@pytest.mark.parametrize("scheme", SCHEMES)
def test_scaled_codes_have_the_spectra_of_their_products(scheme, tmp_path):
    name, scale_shape, shape, dtype = SCHEMES[scheme]
    codes, scales = codes_of(shape, dtype), scale_tensor(*scale_shape)
    weight = codes.double() * spread(scales, shape) / (127 if name == "SCB" else 1)
    stored = {"layers.0.up.weight": codes, f"layers.0.up.{name}": scales, "layers.0.up.input_scale": torch.tensor(3.0)}
    rows = rows_of(stored, tmp_path / "q.safetensors")
    told = {row["tensor"]: row["reason"] or row["role"] for row in rows}
    assert told.pop("layers.0.up.weight") == "analyzed"
    assert told.pop(f"layers.0.up.{name}") == "scales"
    plain = measured(rows_of({"layers.0.up.weight": weight}, tmp_path / "plain.safetensors"))
    assert len(plain) == 1
    if name == "SCB":  # a product over 127 rounds where a quotient first does
        assert measured(rows)[0]["evals"] == pytest.approx(plain[0]["evals"], rel=1e-12)
    else:
        assert measured(rows) == plain


def test_fused_rows_and_experts_are_dequantized_part_by_part(tmp_path, monkeypatch):
    codes = {
        "attn.qkv_proj.weight": codes_of((768, 256), torch.float8_e4m3fn),
        "mlp.experts.down_proj": codes_of((4, 48, 64), torch.float8_e4m3fn),
        "gate_up_proj.weight": codes_of((120, 40), torch.float8_e4m3fn),
    }
    scales = {
        "attn.qkv_proj.weight_scale_inv": scale_tensor(6, 2),
        "mlp.experts.down_proj_scale": scale_tensor(4, 48, 1),
        "gate_up_proj.weight_scale": scale_tensor(1),
    }
    weights = {
        "attn.qkv_proj.weight": codes["attn.qkv_proj.weight"].double()
        * spread(scales["attn.qkv_proj.weight_scale_inv"], (768, 256)),
        "mlp.experts.down_proj": codes["mlp.experts.down_proj"].double()
        * scales["mlp.experts.down_proj_scale"].double(),
        "gate_up_proj.weight": codes["gate_up_proj.weight"].double() * scales["gate_up_proj.weight_scale"].double(),
    }
    sizes = []
    room = dequantizing._room
    monkeypatch.setattr(dequantizing, "_room", lambda shape: sizes.append(tuple(shape)) or room(shape))
    rows = rows_of(codes | scales, tmp_path / "q.safetensors")
    assert measured(rows) == measured(rows_of(weights, tmp_path / "plain.safetensors"))
    assert sorted(sizes) == sorted([(256, 256)] * 3 + [(1, 48, 64)] * 4 + [(60, 40)] * 2)


def test_large_weights_are_put_in_a_file_without_a_name(monkeypatch, tmp_path):
    monkeypatch.setattr(dequantizing, "IN_MEMORY_BYTES", 2**12)
    monkeypatch.setattr(dequantizing.tempfile, "tempdir", str(tmp_path))
    codes, scales = codes_of((300, 200), torch.float8_e4m3fn), scale_tensor(3, 2)
    weight = dequantize(codes, scales, Scaled("w", (300, 200), "s", (128, 128)))
    assert torch.equal(weight, codes.double() * spread(scales, (300, 200)))
    assert str(tmp_path) in Path("/proc/self/maps").read_text()
    assert list(tmp_path.iterdir()) == []


def test_no_room_for_the_file_is_an_error_and_no_signal(monkeypatch):
    monkeypatch.setattr(dequantizing, "IN_MEMORY_BYTES", 2**12)

    def full(descriptor, start, size):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(dequantizing.os, "posix_fallocate", full, raising=False)
    with pytest.raises(OSError, match="No space left"):
        dequantize(codes_of((300, 200), torch.int8), scale_tensor(1), Scaled("w", (300, 200), "s", (300, 200)))


@pytest.mark.parametrize("size", [2**12, 2**22 + 8, 2**23])
def test_without_posix_fallocate_the_room_is_written(size, tmp_path, monkeypatch):
    monkeypatch.delattr(dequantizing.os, "posix_fallocate", raising=False)  # as on macOS
    with (tmp_path / "room").open("w+b") as file:
        dequantizing._reserve(file, size)
        found = os.fstat(file.fileno())
    assert found.st_size == size
    assert found.st_blocks * 512 >= size  # no hole
    monkeypatch.setattr(dequantizing, "IN_MEMORY_BYTES", 2**12)
    codes, scales = codes_of((300, 200), torch.int8), scale_tensor(1)
    weight = dequantize(codes, scales, Scaled("w", (300, 200), "s", (300, 200)))
    assert torch.equal(weight, codes.double() * float(scales))


def test_the_exponents_of_blocks_are_those_of_the_specification():
    exponents = torch.arange(256, dtype=torch.uint8)[:, None]
    codes = torch.full((256, 1, 16), 0x22, dtype=torch.uint8)  # every entry is 1
    weight = dequantize(codes, exponents, Scaled("w", (256, 32), "s", (1, 32), four_bits=True))
    assert torch.equal(weight[:255, 0], torch.ldexp(torch.ones(255, dtype=torch.float64), torch.arange(255) - 127))
    assert weight[255].isnan().all()
    assert torch.equal(weight[:, 0].isnan(), exponents.view(torch.float8_e8m0fnu).double()[:, 0].isnan())


def test_mxfp4_is_what_transformers_makes_of_it(tmp_path):
    theirs = pytest.importorskip("transformers.integrations.mxfp4").convert_moe_packed_tensors
    generator = torch.Generator().manual_seed(0)
    blocks = torch.randint(0, 256, (3, 64, 2, 16), dtype=torch.uint8, generator=generator)
    scales = torch.randint(118, 128, (3, 64, 2), dtype=torch.uint8, generator=generator)
    down = torch.randint(0, 256, (3, 64, 1, 16), dtype=torch.uint8, generator=generator)
    down_scales = torch.randint(118, 128, (3, 64, 1), dtype=torch.uint8, generator=generator)
    name = "model.layers.0.mlp.experts"
    rows = rows_of(
        {
            f"{name}.gate_up_proj_blocks": blocks,
            f"{name}.gate_up_proj_scales": scales,
            f"{name}.down_proj_blocks": down,
            f"{name}.down_proj_scales": down_scales,
        },
        tmp_path / "q.safetensors",
    )
    gate_up, downs = (theirs(*each).transpose(1, 2) for each in ((blocks, scales), (down, down_scales)))
    plain = {}
    for expert in range(3):
        plain[f"{expert}.gate.weight"], plain[f"{expert}.up.weight"] = gate_up[expert, ::2], gate_up[expert, 1::2]
        plain[f"{expert}_down.weight"] = downs[expert]
    expected = rows_of({key: value.contiguous() for key, value in plain.items()}, tmp_path / "plain.safetensors")
    parts = {f"{row['layer'].rsplit('.')[-1]} {row['part']}": row["evals"] for row in rows if row["role"] == "analyzed"}
    of = {row["tensor"]: row["evals"] for row in expected}
    assert len(parts) == 9
    for expert in range(3):
        assert parts[f"gate_up_proj expert_{expert}.gate"] == of[f"{expert}.gate.weight"]
        assert parts[f"gate_up_proj expert_{expert}.up"] == of[f"{expert}.up.weight"]
        assert parts[f"down_proj expert_{expert}"] == of[f"{expert}_down.weight"]
    assert {row["reason"] for row in rows if row["role"] != "analyzed"} == {"scales"}
    assert sum(row["n_params"] for row in rows if row["role"] == "analyzed") == gate_up.numel() + downs.numel()


def test_blocks_are_what_transformers_makes_of_them():
    module = pytest.importorskip("transformers.integrations.finegrained_fp8")
    codes, scales = codes_of((256, 384), torch.float8_e4m3fn), scale_tensor(2, 3)
    theirs = module._dequantize_fp8_weight(codes, scales, [128, 128], torch.float64)
    assert torch.equal(dequantize(codes, scales, Scaled("w", (256, 384), "s", (128, 128))), theirs)


def headers(**tensors):
    return [TensorHeader(name.replace("__", "."), *told) for name, told in tensors.items()]


E4M3 = "float8_e4m3fn"
NOT_READ = {
    "another name": (headers(fc__weight=(E4M3, (60, 40)), fc__scale=("float32", (1,))), "scale_unknown"),
    "two scales": (
        headers(fc__weight=(E4M3, (60, 40)), fc__weight_scale=("float32", (1,)), fc__weight_scale_2=("float32", (1,))),
        "scale_unknown",
    ),
    "other shape": (headers(fc__weight=(E4M3, (60, 40)), fc__weight_scale=("float32", (7, 3))), "scale_unknown"),
    "one axis of two": (headers(fc__weight=(E4M3, (60, 60)), fc__weight_scale=("float32", (60,))), "scale_unknown"),
    "other format": (headers(fc__weight=(E4M3, (60, 40)), fc__weight_scale=("int32", (1,))), "scale_unknown"),
    "bytes that are no exponents": (
        headers(fc__weight=(E4M3, (60, 40)), fc__weight_scale=("uint8", (60, 1))),
        "scale_unknown",
    ),
    "integers in groups": (
        headers(fc__weight=("int8", (60, 64)), fc__weight_scale=("float32", (60, 2))),
        "scale_unknown",
    ),
    "integers with a zero": (
        headers(
            fc__weight=("int8", (60, 40)),
            fc__weight_scale=("float32", (60, 1)),
            fc__weight_zero_point=("int8", (60, 1)),
        ),
        "scale_unknown",
    ),
    "integers that hold 4-bit floats": (
        headers(fc__weight=("int8", (60, 64)), fc__weight_scale_inv=("float8_e8m0fnu", (60, 4))),
        "scale_unknown",
    ),
    "nf4": (
        headers(
            fc__weight=("uint8", (1200, 1)),
            fc__weight__absmax=("float32", (38,)),
            fc__weight__quant_map=("float32", (16,)),
            fc__weight__quant_state__bitsandbytes__nf4=("uint8", (80,)),
        ),
        "quantized_4bit",
    ),
    "packed": (
        headers(
            fc__weight_packed=("int32", (60, 5)),
            fc__weight_scale=("float16", (60, 1)),
            fc__weight_shape=("int64", (2,)),
        ),
        "quantized_packed",
    ),
    "torchao": (
        headers(fc___weight_qdata=(E4M3, (60, 40)), fc___weight_scale=("float32", (60, 1))),
        "quantized_torchao",
    ),
    "nvfp4": (
        headers(fc__weight=("uint8", (60, 32)), fc__weight_scale=(E4M3, (60, 4)), fc__weight_scale_2=("float32", ())),
        "quantized",
    ),
    "mxfp4 of another shape": (
        headers(x__up_proj_blocks=("uint8", (3, 64, 2, 16)), x__up_proj_scales=("uint8", (3, 64, 4))),
        "scale_unknown",
    ),
}


def test_a_factor_of_an_adapter_is_not_taken_without_its_scale():
    stored = headers(
        fc__lora_A__weight=(E4M3, (4, 40)),
        fc__lora_A__weight_scale=("float32", (1,)),
        fc__lora_B__weight=("float32", (60, 4)),
    )
    told = [layout.reason for layout in lay_out(stored)]
    assert told == [Reason.SCALE_UNKNOWN, Reason.SCALES, Reason.FACTOR_ALONE]


@pytest.mark.parametrize("case", NOT_READ)
def test_what_is_not_known_is_skipped_with_its_reason(case):
    stored, reason = NOT_READ[case]
    first = lay_out(stored)[0]
    assert (first.parts, first.reason) == ((), Reason(reason))
    assert all(not layout.parts for layout in lay_out(stored))


def test_a_float_without_a_scale_beside_others_that_have_one_is_not_taken_as_it_stands():
    stored = headers(
        a__weight=(E4M3, (256, 128)),
        a__weight_scale_inv=("float32", (2, 1)),
        b__weight=(E4M3, (256, 128)),
        c__weight=("bfloat16", (256, 128)),
        d__bias=(E4M3, (256,)),
    )
    told = {layout.header.name: layout.reason for layout in lay_out(stored)}
    assert told == {
        "a.weight": None,
        "a.weight_scale_inv": Reason.SCALES,
        "b.weight": Reason.SCALE_MISSING,
        "c.weight": None,
        "d.bias": Reason.VECTOR,
    }


def test_plain_floats_of_8_bits_and_activations_need_no_scale():
    stored = headers(a__weight=(E4M3, (60, 40)), a__input_scale=("float32", ()), attn__k_scale=("float32", ()))
    assert find_quantized(stored) == {}
    assert lay_out(stored)[0].parts


def test_every_reason_of_a_scheme_says_what_to_do():
    for reason in Reason:
        if reason.value.startswith("quantized_"):
            assert "analyze the checkpoint it was made from" in reason.sentence

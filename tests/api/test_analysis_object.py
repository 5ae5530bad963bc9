"""The result object: what it says, shows and refuses."""

import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from torch import nn

import setol_zoo as zoo
from analysis import AnalysisError
from catalogs import CatalogError
from checkpoints.errors import CheckpointError
from pipeline.options import OptionError
from pipeline.store.folder import FolderError
from tests.api.models import Attention, convolutions, seeded


@pytest.fixture(scope="module")
def analysis() -> zoo.Analysis:
    return zoo.analyze(seeded(convolutions), threads=1)


def test_summary_is_the_mean_over_layers_with_a_tail(analysis):
    fitted = analysis.layers.query("status == 'ok'")
    assert analysis.summary["n_layers"] == len(fitted) == 2
    assert analysis.summary["alpha_mean"] == pytest.approx(fitted["alpha"].mean(), rel=1e-14)
    assert analysis.summary["alpha_median"] == pytest.approx(fitted["alpha"].median(), rel=1e-14)
    assert analysis.summary["alpha_se"] == pytest.approx(fitted["alpha"].sem(), rel=1e-14)
    assert analysis.summary["params"] == sum(each.numel() for each in seeded(convolutions).parameters())


def test_spectrum_is_that_of_the_weight(analysis):
    weight = seeded(convolutions)[6].weight.detach().double()
    evals = analysis.spectrum("6")
    assert evals == pytest.approx(torch.linalg.svdvals(weight).square().flip(0).numpy(), rel=1e-9)
    assert (analysis.spectrum("6.weight") == evals).all()
    pooled = analysis.spectrum("3")
    assert len(pooled) == 9 * 64
    assert pooled.sum() == pytest.approx(0.5 * seeded(convolutions)[3].weight.detach().double().square().sum().item())


def test_parts_have_spectra_of_their_own():
    analysis = zoo.analyze(seeded(Attention))
    parts = [analysis.spectrum("same.in_proj_weight", part) for part in "qkv"]
    assert len({evals[-1] for evals in parts}) == 3
    with pytest.raises(AnalysisError, match=r"need one matrix.*same.in_proj_weight part q"):
        analysis.spectrum("same.in_proj_weight")


def test_unknown_and_skipped_layers_are_explained(analysis):
    with pytest.raises(AnalysisError, match="unknown layer '33'"):
        analysis.spectrum("33")
    with pytest.raises(AnalysisError, match=r"has no spectrum\. Fewer than two axes"):
        analysis.spectrum("6.bias")


def test_what_is_handed_out_is_a_copy(analysis):
    frame = analysis.layers
    frame["alpha"] = 0.0
    analysis.summary["alpha_mean"] = 0.0
    analysis.spectrum("6")[:] = 0.0
    assert analysis.layers["alpha"].max() > 0
    assert analysis.summary["alpha_mean"] > 0
    assert analysis.spectrum("6").max() > 0
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'name'"):
        analysis.name = "other"


def test_frames_agree(analysis):
    assert analysis.to_pandas().equals(analysis.layers)
    assert analysis.to_arrow()["layer"].to_pylist() == analysis.layers["layer"].tolist()
    assert analysis.to_arrow()["alpha"].to_pylist()[0] is None
    assert np.isnan(analysis.layers["alpha"][0])


def test_printing_shows_table_notes_and_reading(analysis):
    lines = str(analysis).splitlines()
    assert repr(analysis) == str(analysis)
    assert lines[0] == "Sequential: 3 matrices, 2 with a fitted tail"
    header, *rows = lines[1:5]
    assert header.split() == [
        *("layer", "part", "kind", "N", "M", "evals", "alpha", "±", "D", "tail"),
        *("alpha_hat", "log_norm", "stable_rank", "erg_delta", "note"),
    ]
    end = header.index("alpha") + len("alpha")
    points = {row[:end].rindex(".") for row in rows[1:]}
    assert len(points) == 1, "decimal points stand below each other"
    assert rows[0].endswith("too_few_eigenvalues")
    assert any(line.startswith("skipped: 3 tensors, 129 entries, buffer") for line in lines)
    assert "coverage: 100.0 % of the parameters in matrices" in lines
    assert re.fullmatch(r"Sequential: median alpha \d+\.\d\d \(mean .* over 2 layers: .*", lines[-1])


def test_long_models_are_cut_and_say_so():
    analysis = zoo.analyze(nn.Sequential(*(nn.Linear(4, 4) for _ in range(70))))
    assert "... and 10 more rows" in str(analysis).splitlines()
    assert "... and 10 more rows" in analysis._repr_html_()


class Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_html_is_well_formed_escaped_and_self_contained():
    hostile = "<script>alert(1)</script>"
    analysis = zoo.analyze({f"{hostile}.weight": torch.randn(64, 64, generator=torch.Generator().manual_seed(0))})
    page = analysis._repr_html_()
    parser = Cells()
    parser.feed(page)
    assert parser.open == []
    assert hostile in parser.texts
    assert "<script" not in page
    assert set(parser.attributes) == {"style"}
    assert analysis.reading in parser.texts


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, "need a torch module, a state dict.*got int\\.$"),
        ({}, r"got a mapping without tensors \(it holds nothing\)"),
        ({"w": np.eye(3)}, r"got a mapping without tensors \(it holds ndarray\): .*torch.from_numpy"),
        (type("Trainer", (), {"model": None})(), "try its attribute .model"),
        (type("Sequential", (), {"__module__": "keras.src.models"})(), "got a Keras or TensorFlow model: .*state dict"),
        (type("ModelProto", (), {"__module__": "onnx.onnx_ml_pb2"})(), "got an ONNX model: hand its initializers over"),
        (type("Module", (), {"__module__": "flax.nnx.module"})(), "got a JAX model: flatten its parameters"),
    ],
)
def test_what_is_no_model_is_refused(given, message):
    with pytest.raises(TypeError, match=message):
        zoo.analyze(given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (torch.ones(4, 3), r'got torch\.Tensor: put it in a state dict, {"weight": tensor}\.'),
        (torch.nn.Parameter(torch.ones(4, 3)), r'Parameter: put it in a state dict, {"weight": tensor}\.'),
        (np.ones((4, 3)), r'got numpy\.ndarray: .* as a tensor, {"weight": torch\.from_numpy\(array\)}\.'),
        ([torch.nn.Linear(4, 3)], r"got list: hand its models over one at a time\."),
        ((torch.nn.Linear(4, 3),), r"got tuple: hand its models over one at a time\."),
        (torch.nn.Linear, r"got the class Linear: call it first, Linear\(\.\.\.\), and hand over the model"),
        (torch.nn.utils.parametrizations.orthogonal, r"got the function orthogonal: call it first, orthogonal\("),
    ],
)
def test_what_is_nearly_a_model_is_refused_with_what_to_do(given, message):
    with pytest.raises(TypeError, match=message):
        zoo.analyze(given)


def test_what_is_advised_for_a_tensor_and_an_array_works():
    array = np.random.default_rng(0).normal(size=(60, 50)).astype(np.float32)
    layers = [zoo.analyze({"weight": each}).layers for each in (torch.tensor(array), torch.from_numpy(array))]
    assert [len(each) for each in layers] == [1, 1]
    assert layers[0]["log_norm"].equals(layers[1]["log_norm"])


def test_files_that_cannot_be_read_are_refused(tmp_path):
    (tmp_path / "cut.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match=r"damaged safetensors file cut\.safetensors"):
        zoo.analyze(tmp_path / "cut.safetensors")
    with pytest.raises(CheckpointError, match="no such file"):
        zoo.analyze(tmp_path / "absent.safetensors")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        *(("m.h5", "Keras"), ("m.keras", "Keras"), ("m.onnx", "ONNX"), ("m.gguf", "GGUF"), ("m.npz", "NumPy")),
        *(("m.tflite", "TensorFlow"), ("m.msgpack", "Flax"), ("m.txt", "")),
    ],
)
def test_files_of_other_frameworks_are_refused_with_advice(name, advice, tmp_path):
    (tmp_path / name).write_bytes(b"content")
    with pytest.raises(CheckpointError, match=f"cannot read {name}: .*safetensors.*{advice}"):
        zoo.analyze(tmp_path / name)


def test_wrong_options_are_refused(tmp_path):
    with pytest.raises(OptionError, match="unknown preset 'weightwacher'; nearest: weightwatcher"):
        zoo.analyze(nn.Linear(4, 4), preset="weightwacher")
    with pytest.raises(OptionError, match="threads must be at least 1, got 0"):
        zoo.analyze({"fc.weight": torch.ones(3, 2)}, threads=0)
    with pytest.raises(OptionError, match="min_evals must be at least 2"):
        zoo.analyze(nn.Linear(4, 4), min_evals=1)
    with pytest.raises(CatalogError, match="resnet20"):
        zoo.analyze("resnet2O")
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match="cannot write results"):
        zoo.analyze(nn.Linear(4, 4), results=tmp_path / "file" / "below")


def test_pictures_are_drawn_and_saved(analysis, tmp_path):
    depth = analysis.plot()
    assert [axes.get_ylabel() for axes in depth.figure.axes] == ["alpha"]
    layer = analysis.plot("3")
    assert len(layer.figure.axes) == 4
    assert f"alpha {analysis.layers.set_index('layer').loc['3', 'alpha']:.2f}" in layer.figure.get_suptitle()
    assert depth._repr_png_().startswith(b"\x89PNG")
    assert layer.save(tmp_path / "plots" / "3.svg").read_text().startswith("<?xml")
    assert depth.save(tmp_path / "plots" / "depth.png").read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_drawn_is_explained(analysis):
    with pytest.raises(AnalysisError, match="0 has no fitted tail to draw"):
        analysis.plot("0")
    with pytest.raises(AnalysisError, match="has no spectrum"):
        analysis.plot("6.bias")
    with pytest.raises(
        AnalysisError,
        match=r"nothing to draw\. Linear: no layer has a fitted power law, .*1 of 1 matrix, too_few_eigenvalues",
    ):
        zoo.analyze(nn.Linear(4, 4)).plot()


def test_what_of_a_checkpoint_was_left_out_is_said(tmp_path):
    weight = torch.randn(60, 60, generator=torch.Generator().manual_seed(0))
    torch.save({"ema": {"fc.weight": weight}, "model": {"fc.weight": weight}}, tmp_path / "two.pt")
    found = zoo.analyze(tmp_path / "two.pt", threads=1)
    assert found.remarks == ("the tensors under 'model' are analyzed; left out: ema",)
    assert found.remarks[0] in str(found).splitlines()
    assert found.remarks[0] in found._repr_html_().replace("&#x27;", "'")
    assert zoo.analyze({"fc.weight": weight}, threads=1).remarks == ()

"""A truncated network errs as one whose weights were cut by hand; what is not cut errs as before."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import setol_zoo as zoo
from checkpoints.errors import CheckpointError
from pipeline.options import MetricOptions
from setol.weights.truncation import truncate
from setol_zoo.lab import truncation
from setol_zoo.lab.data.examples import DataSet, Examples
from setol_zoo.lab.networks import build, errors
from setol_zoo.lab.setting import Setting
from setol_zoo.lab.training import tensors_of, training_examples
from setol_zoo.lab.truncation import truncated_errors, truncated_weights

SETTING = Setting(data="blobs", widths=(80, 60), held_out=0.2, label_noise=0.25, seed=3)


@pytest.fixture(scope="module")
def blobs() -> DataSet:
    """Images of 10 x 10 around one centre a class, three classes."""
    generator = np.random.default_rng(0)
    centres = generator.integers(60, 190, (3, 1, 10, 10))

    def drawn(n: int) -> Examples:
        labels = generator.integers(0, 3, n)
        images = centres[labels] + generator.normal(0, 60, (n, 1, 10, 10))
        return Examples(images.clip(0, 255).astype(np.uint8), labels)

    return DataSet("blobs", drawn(300), drawn(200), n_classes=3)


def network(setting: Setting, data: DataSet) -> torch.nn.Sequential:
    """One whose layers have a heavy tail, as after training."""
    generator = torch.Generator().manual_seed(5)
    made = build(setting, data.train.images.shape[1:], data.n_classes, generator)
    for name, weight in made.named_parameters():
        if weight.ndim > 1 and not name.startswith("out"):
            scales = torch.rand(weight.shape[1], generator=generator).pow(-0.6)
            weight.data *= scales.view(1, -1, *[1] * (weight.ndim - 2))
    return made


@pytest.fixture
def file(tmp_path, blobs):
    path = tmp_path / "epoch-0001.safetensors"
    save_file(network(SETTING, blobs).state_dict(), path)
    return path


def wrong(weights, images, labels):
    """Share of wrong answers of an MLP, example by example, in float64."""
    count = 0
    for image, label in zip(images, labels, strict=True):
        value = image.astype(np.float64).ravel() / 255
        for layer in ("fc1", "fc2", "out"):
            value = weights[f"{layer}.weight"].astype(np.float64) @ value + weights[f"{layer}.bias"]
            value = value if layer == "out" else np.maximum(value, 0)
        count += int(np.argmax(value) != label)
    return count / len(labels)


@pytest.mark.parametrize("to", ["tail", "ecs"])
def test_errors_are_those_of_weights_cut_by_hand(file, blobs, to):
    weights = {name: value.numpy() for name, value in load_file(file).items()}
    for row in zoo.analyze(file).to_arrow().to_pylist():
        if row["layer"] != "out":
            left, values, right = np.linalg.svd(weights[row["tensor"]].astype(np.float64), full_matrices=False)
            kept = row["n_tail"] if to == "tail" else row["erg_n"]
            assert 1 <= kept < len(values)
            weights[row["tensor"]] = left[:, :kept] * values[:kept] @ right[:kept]
    found = truncated_errors(file, SETTING, blobs)[to]
    learned = training_examples(SETTING, blobs)
    images = (learned.inputs.numpy() * 255).round()
    assert found.train_error == wrong(weights, images, learned.labels.numpy())
    assert found.test_error == wrong(weights, blobs.test.images, blobs.test.labels)


def test_the_two_cuts_and_the_whole_network_differ(file, blobs):
    found = truncated_errors(file, SETTING, blobs)
    whole = wrong(
        {name: value.numpy() for name, value in load_file(file).items()}, blobs.test.images, blobs.test.labels
    )
    assert len({found["tail"].test_error, found["ecs"].test_error, whole}) == 3


def test_a_cut_at_the_smallest_eigenvalue_changes_no_error(file, blobs, monkeypatch):
    """With every eigenvalue in the tail and in the ECS, each component stays."""

    def everything(spectra, layers, to):
        planned = truncation_planned(spectra, layers, to)
        evals = dict(zip(spectra["tensor"].to_pylist(), spectra["evals"].to_pylist(), strict=True))
        return {
            place: [truncation.replace(row, lambda_min=min(evals[row.tensor])) for row in rows]
            for place, rows in planned.items()
        }

    truncation_planned = truncation.planned_cuts
    monkeypatch.setattr(truncation, "planned_cuts", everything)
    parts = training_examples(SETTING, blobs), tensors_of(blobs.test)
    made = network(SETTING, blobs)
    whole = [errors(made, part.inputs, part.labels)[1] for part in parts]
    for found in truncated_errors(file, SETTING, blobs).values():
        assert [found.train_error, found.test_error] == whole
        assert all(row.n_kept == row.n_evals for row in found.changes)


def test_weights_whose_rank_is_the_tail_stay_as_they_are(file, tmp_path, blobs):
    """What was cut at its tail has nothing below it: the same threshold takes nothing more."""
    cut, rows = truncated_weights(file)["tail"]
    planned = {row.tensor: row for row in rows if row.reason is None}
    assert set(planned) == {"fc1.weight", "fc2.weight"}
    for tensor, row in planned.items():
        values = torch.linalg.svdvals(cut[tensor].double())
        assert int((values > 1e-4 * values[0]).sum()) == row.n_kept < row.n_evals
        again = truncate(cut[tensor][None].double(), row.lambda_min * (1 - 1e-5))
        torch.testing.assert_close(again.matrices[0], cut[tensor].double(), rtol=0, atol=1e-6)


def test_kernels_are_cut_too(tmp_path, blobs):
    setting = Setting(data="blobs", architecture="cnn", widths=(8, 16, 56), held_out=0)
    save_file(network(setting, blobs).state_dict(), tmp_path / "cnn.safetensors")
    found = truncated_errors(tmp_path / "cnn.safetensors", setting, blobs)
    assert set(found) == {"tail", "ecs"}
    for cut in found.values():
        # conv1 of images with one channel is no stack of matrices.
        reasons = {row.layer: row.reason for row in cut.changes}
        assert reasons == {"conv2": None, "fc1": None, "out": "output_layer"}
        assert all((row.n_kept < row.n_evals) == (row.reason is None) for row in cut.changes)


def test_layers_that_did_not_learn_stay_whole(file):
    for weights, rows in truncated_weights(file, trained="fc2").values():
        assert {row.layer: row.reason for row in rows} == {"fc1": "not_trained", "fc2": None, "out": "output_layer"}
        assert torch.equal(weights["fc1.weight"], load_file(file)["fc1.weight"])


def test_without_a_tail_there_is_nothing_to_tell(file, blobs):
    assert truncated_errors(file, SETTING, blobs, MetricOptions(min_evals=500)) == {}


def test_a_missing_file_is_refused(tmp_path, blobs):
    with pytest.raises(CheckpointError, match="no such file"):
        truncated_errors(tmp_path / "none.safetensors", SETTING, blobs)

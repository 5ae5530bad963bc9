"""Real examples: files of features, their kernel, errors on random subsets, and the prediction for those left out."""

import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

from setol import SetolError
from setol.field_theory import Architecture, learning_curve
from setol.field_theory.features import empirical_modes, error_on_the_rest
from setol_zoo.lab.features import digits, gram, measure_subsets, part, read_pool


def blobs(count: int = 400, width: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Features of three classes that overlap."""
    generator = np.random.default_rng(0)
    classes = generator.integers(3, size=count)
    centres = generator.standard_normal((3, width))
    return centres[classes] + 0.8 * generator.standard_normal((count, width)), classes


def test_three_formats_hold_the_same(tmp_path):
    features, classes = blobs()
    np.savez(tmp_path / "a.npz", features=features, targets=classes)
    save_file({"features": features, "targets": classes}, tmp_path / "a.safetensors")
    np.save(tmp_path / "a.npy", features)
    np.save(tmp_path / "y.npy", classes)
    pools = [
        read_pool(tmp_path / "a.npz"),
        read_pool(tmp_path / "a.safetensors"),
        read_pool(tmp_path / "a.npy", tmp_path / "y.npy"),
    ]
    for pool in pools:
        assert np.array_equal(pool.features, features)
        assert np.array_equal(pool.labels, classes)
        assert pool.outputs.mean(axis=0) == pytest.approx(0, abs=1e-15)
        assert np.ptp(pool.outputs, axis=0) == pytest.approx([1, 1, 1])


@pytest.mark.parametrize("architecture", [None, Architecture(hidden_layers=2, kernel="nngp")])
def test_the_prediction_is_what_subsets_err_by(tmp_path, architecture):
    features, classes = blobs()
    np.savez(tmp_path / "a.npz", features=features, targets=classes)
    pool = read_pool(tmp_path / "a.npz")
    kernel = gram(pool, architecture)
    assert np.diag(kernel).mean() == pytest.approx(1)
    modes = empirical_modes(kernel, pool.outputs)
    counts, ridge = [20, 80, 200], 0.05
    curve = learning_curve(modes.spectrum, modes.target_power, counts, ridge=ridge, power_beyond=modes.power_beyond)
    found = measure_subsets(kernel, pool, counts, ridge=ridge, subsets=30, seed=0)
    assert error_on_the_rest(modes, curve) == pytest.approx(found.error, rel=0.1)
    if architecture:  # enough modes to remember the training set, which the mean over the pool has in it
        assert curve.error[2] < 0.85 * found.error[2]
    assert found.misclassified[1] < found.misclassified[0] < 0.5


def test_examples_that_were_trained_on_are_in_the_pool():
    # Without ridge these are learned exactly, so all of the pool's error is on the rest.
    generator = np.random.default_rng(2)
    features = generator.standard_normal((40, 60))
    modes = empirical_modes(features @ features.T, features[:, 0], rank=20)
    curve = learning_curve(modes.spectrum, modes.target_power, [10, 30], power_beyond=modes.power_beyond)
    rest = error_on_the_rest(modes, curve)
    assert rest == pytest.approx(curve.error / (1 - np.array([10, 30]) / 40))
    with pytest.raises(SetolError, match="fewer examples than the pool's 40, got 40"):
        error_on_the_rest(modes, learning_curve(modes.spectrum, modes.target_power, [40], ridge=1))


def test_a_part_of_a_pool(tmp_path):
    features, _ = blobs()
    kernel = features @ features.T
    np.savez(tmp_path / "k.npz", kernel=kernel, targets=features[:, :2])
    pool = read_pool(tmp_path / "k.npz")
    assert pool.labels is None
    assert part(pool, 1000, 0) is pool
    small = part(pool, 50, 0)
    assert small.kernel.shape == (50, 50)
    assert small.outputs.mean(axis=0) == pytest.approx(0, abs=1e-14)
    assert small.outputs == pytest.approx(part(pool, 50, 0).outputs)
    found = measure_subsets(gram(small, None), small, [10], ridge=0.1, subsets=3, seed=0)
    assert found.misclassified is None
    with pytest.raises(SetolError, match="holds a kernel already"):
        gram(pool, Architecture(hidden_layers=1))


def test_digits_are_there_or_the_message_says_what_to_install(monkeypatch):
    pytest.importorskip("sklearn")
    assert digits().features.shape == (1797, 64)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(SetolError, match=r"pip install 'setol-zoo\[lab\]', or name a file"):
        digits()


def test_wrong_files_are_refused(tmp_path):
    features, classes = blobs()
    np.savez(tmp_path / "none.npz", features=features)
    np.savez(tmp_path / "both.npz", features=features, kernel=np.eye(400), targets=classes)
    np.savez(tmp_path / "short.npz", features=features, targets=classes[:9])
    np.savez(tmp_path / "code.npz", features=np.array([{}], dtype=object), targets=classes)
    (tmp_path / "broken.safetensors").write_bytes(b"no")
    for name, told in {
        "none.npz": "no array named targets: name a .npy of them with --targets",
        "both.npz": "one array named features or kernel in both.npz, got features, kernel, targets",
        "short.npz": r"at least 20 examples, got shapes \(400, 12\) and \(9,\)",
        "code.npz": "cannot read .*code.npz: Object arrays cannot be loaded",
        "broken.safetensors": "cannot read .*broken.safetensors",
        "a.csv": "need features as .npy, .npz, .safetensors; got a.csv",
        "missing.npy": "cannot read .*missing.npy: .*No such file",
    }.items():
        with pytest.raises(SetolError, match=told):
            read_pool(tmp_path / name)


def test_wrong_calls_are_refused(tmp_path):
    features, classes = blobs(30)
    features[3] = 0
    np.savez(tmp_path / "a.npz", features=features, targets=classes)
    pool = read_pool(tmp_path / "a.npz")
    with pytest.raises(SetolError, match="none of norm 0"):
        gram(pool, Architecture(hidden_layers=1))
    kernel = gram(pool, None)
    with pytest.raises(SetolError, match="from 1 to 29: the pool has 30"):
        measure_subsets(kernel, pool, [30], ridge=0.1, subsets=1, seed=0)
    with pytest.raises(SetolError, match="need a ridge above 0"):
        measure_subsets(np.ones((30, 30)), pool, [5], ridge=0, subsets=1, seed=0)

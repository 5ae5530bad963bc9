"""Data sets by name: digits in full, and those that others published as far as this machine has or gets them."""

import hashlib
import sys

import numpy as np
import pytest

from setol_zoo.lab.data import DATA, DataSet, Examples, load
from setol_zoo.lab.data.cifar10 import CIFAR10
from setol_zoo.lab.data.fashion_mnist import FASHION_MNIST, FASHION_MNIST_70K
from setol_zoo.lab.data.mnist import MNIST, MNIST_65K
from setol_zoo.lab.data.split import fixed_order, stratified
from setol_zoo.lab.errors import DataError

DIGITS_SHA256 = "4746a8220f1c302b4016f8d3d14b435ebeff6b832238c3d7e20a878072525168"
ORDER_OF_8 = [0, 4, 7, 1, 5, 6, 3, 2]

sklearn_datasets = pytest.importorskip("sklearn.datasets", reason="needs scikit-learn: pip install 'setol-zoo[lab]'")


def refuse(line: str) -> None:
    raise AssertionError(f"nothing was to be said, and this was: {line}")


@pytest.fixture(scope="module")
def digits() -> DataSet:
    return load("digits", say=refuse)


def test_digits_are_all_of_scikit_learn_and_lose_nothing(digits):
    published, labels = sklearn_datasets.load_digits(return_X_y=True)
    images = np.concatenate([digits.train.images, digits.test.images])
    assert images.dtype == np.uint8
    assert digits.train.images.shape == (1347, 1, 8, 8)
    assert digits.test.images.shape == (450, 1, 8, 8)
    back = (images.reshape(-1, 64).astype(int) + 15) // 16
    found = np.column_stack([back, np.concatenate([digits.train.labels, digits.test.labels])])
    expected = np.column_stack([published.astype(int), labels])
    assert (found[np.lexsort(found.T)] == expected[np.lexsort(expected.T)]).all()
    assert set(np.unique(images)) == {p * 255 // 16 for p in range(17)}


def test_digits_are_split_by_class_and_the_same_for_everyone(digits):
    assert np.bincount(digits.train.labels).tolist() == [133, 136, 133, 137, 136, 136, 136, 134, 131, 135]
    assert np.bincount(digits.test.labels).tolist() == [45, 46, 44, 46, 45, 46, 45, 45, 43, 45]
    content = hashlib.sha256()
    for part in (digits.train, digits.test):
        content.update(part.images.tobytes())
        content.update(part.labels.astype("<i8").tobytes())
    assert content.hexdigest() == DIGITS_SHA256


def test_digits_without_scikit_learn_name_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataError, match=r"not installed: pip install 'setol-zoo\[lab\]'"):
        load("digits")


def test_a_name_that_is_not_known_gets_the_nearest():
    with pytest.raises(DataError, match="unknown data set 'mnits'; nearest: mnist"):
        load("mnits")


def test_every_data_set_has_a_line_about_it():
    assert list(DATA) == ["digits", "mnist", "mnist-65k", "fashion-mnist", "fashion-mnist-70k", "cifar10"]
    assert all(0 < len(each.about) < 80 for each in DATA.values())


@pytest.mark.parametrize("published", [MNIST, MNIST_65K, FASHION_MNIST, FASHION_MNIST_70K, CIFAR10])
def test_every_published_file_is_pinned(published):
    digests = [file.sha256 for file in published.files]
    assert len(set(digests)) == 4
    assert all(len(each) == 64 and set(each) <= set("0123456789abcdef") for each in digests)


def test_the_wheel_tests_on_the_images_of_mnist():
    assert MNIST_65K.files[2:] == MNIST.files[2:]


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 8, 8), np.uint8), [0, 1], r"need images of bytes .* got uint8 \(2, 8, 8\)"),
        (np.zeros((2, 1, 8, 8)), [0, 1], "need images of bytes .* got float64"),
        (np.zeros((2, 1, 8, 8), np.uint8), [0], r"one label an image, got \(1,\) labels for 2 images"),
        (np.zeros((2, 1, 8, 8), np.uint8), [0, 3], "labels from 0 to 2, got 0 to 3"),
        (np.zeros((2, 1, 8, 8), np.uint8), [-1, 2], "labels from 0 to 2, got -1 to 2"),
    ],
)
@pytest.mark.parametrize("part", ["training", "test"])
def test_examples_that_do_not_go_together_are_refused(images, labels, message, part):
    wrong = Examples(images, np.array(labels))
    right = Examples(np.zeros((1, 1, 8, 8), np.uint8), np.array([2]))
    with pytest.raises(DataError, match=f"own, {part} part: .*{message}"):
        DataSet("own", wrong if part == "training" else right, wrong if part == "test" else right, n_classes=3)


def test_a_split_takes_from_each_class_its_share():
    labels = np.repeat([0, 1, 2], [10, 20, 3])
    chosen = stratified(labels, 11, seed=1)
    assert np.bincount(labels[chosen]).tolist() == [3, 7, 1]  # 3.33, 6.67, 1
    assert (chosen == stratified(labels, 11, seed=1)).all()
    assert (chosen != stratified(labels, 11, seed=2)).any()
    assert stratified(labels, 33, seed=1).all()
    assert not stratified(labels, 0, seed=1).any()


def test_an_order_is_a_permutation_that_numpy_keeps():
    assert sorted(fixed_order(1000, seed=3)) == list(range(1000))
    assert fixed_order(8, seed=3).tolist() == ORDER_OF_8


def test_a_cache_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=f"data set mnist cannot be kept in {tmp_path}/file: .*with SETOL_CACHE"):
        load("mnist", tmp_path / "file", refuse)

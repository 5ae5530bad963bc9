"""Learning curves on real data: a pool of labelled examples, its kernel, and the error of random training subsets."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.field_theory.architecture import Architecture
from setol.field_theory.kernels import kernel_values

Matrix = NDArray[np.float64]

_FORMS = (".npy", ".npz", ".safetensors")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Pool:
    """Labelled examples: their features, or a kernel that was computed elsewhere.

    Attributes:
        features: Shape (n, p), or None where there is a kernel.
        kernel: Shape (n, n), or None where there are features.
        outputs: What is regressed on, less its mean, shape (n, outputs): a column a class, or numbers as they are.
        labels: Class of each example, shape (n,), or None where the targets are no classes.
    """

    features: Matrix | None
    kernel: Matrix | None
    outputs: Matrix
    labels: NDArray[np.int64] | None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SubsetErrors:
    """Errors of kernel regression on random subsets of a pool, on the examples that were left out.

    Attributes:
        error: Mean squared deviation, summed over outputs, one a size.
        standard_error: Of that mean over subsets.
        misclassified: Share of examples whose largest output is another class; None without classes.
    """

    error: Matrix
    standard_error: Matrix
    misclassified: Matrix | None


def digits() -> Pool:
    """Pixels of 1,797 handwritten digits of 8 x 8, which come with scikit-learn.

    Raises:
        SetolError: scikit-learn is not there.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError:
        raise SetolError(
            "the built-in example needs scikit-learn: pip install 'setol-zoo[lab]', or name a file of features."
        ) from None
    pixels, classes = load_digits(return_X_y=True)
    return _pool(np.asarray(pixels, dtype=np.float64), None, np.asarray(classes))


def read_pool(path: Path, targets: Path | None = None) -> Pool:
    """Read features [n, p] or a kernel [n, n], with targets [n] or [n, outputs].

    Args:
        path: `.npz` or `.safetensors` with arrays `features` or `kernel`, and `targets`; or `.npy` of features.
        targets: `.npy` of the targets; takes the place of those in `path`. Whole numbers in one column are classes.

    Raises:
        SetolError: A file cannot be read, an array is missing, or shapes do not fit.
    """
    if path.suffix not in _FORMS:
        raise SetolError(f"need features as {', '.join(_FORMS)}; got {path.name}.")
    arrays = _arrays(path)
    if path.suffix == ".npy":
        arrays = {"features": arrays[""]}
    if targets is not None:
        if targets.suffix != ".npy":
            raise SetolError(f"need targets as .npy, got {targets.name}.")
        arrays["targets"] = _arrays(targets)[""]
    if "targets" not in arrays:
        raise SetolError(f"{path.name} has no array named targets: name a .npy of them with --targets.")
    if ("features" in arrays) == ("kernel" in arrays):
        raise SetolError(f"need one array named features or kernel in {path.name}, got {', '.join(sorted(arrays))}.")
    return _pool(arrays.get("features"), arrays.get("kernel"), arrays["targets"])


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.numpy import load_file

            return dict(load_file(path))
        loaded = np.load(path, allow_pickle=False)
        return {"": loaded} if path.suffix == ".npy" else {name: loaded[name] for name in loaded.files}
    except Exception as error:  # noqa: BLE001 - readers of three formats raise what they like on a bad file
        raise SetolError(f"cannot read {path}: {error}") from None


def _pool(features: np.ndarray | None, kernel: np.ndarray | None, targets: np.ndarray) -> Pool:
    given = kernel if features is None else features
    assert given is not None
    if given.ndim != 2 or targets.ndim not in (1, 2) or len(given) != len(targets) or len(given) < 20:
        raise SetolError(
            "need features [n, p] or a kernel [n, n] and targets [n] or [n, outputs] of at least 20 examples, got "
            f"shapes {given.shape} and {targets.shape}."
        )
    labels = None
    if targets.ndim == 1 and targets.dtype.kind in "iub":
        labels = np.unique(targets, return_inverse=True)[1].astype(np.int64)
        targets = np.eye(int(labels.max()) + 1)[labels]
    outputs = targets.reshape(len(targets), -1).astype(np.float64)
    return Pool(
        features=None if features is None else np.asarray(features, dtype=np.float64),
        kernel=None if kernel is None else np.asarray(kernel, dtype=np.float64),
        outputs=outputs - outputs.mean(axis=0),
        labels=labels,
    )


def part(pool: Pool, size: int, seed: int) -> Pool:
    """Some examples of a pool, chosen at random, or all where there are no more."""
    if size >= len(pool.outputs):
        return pool
    kept = np.random.default_rng(seed).permutation(len(pool.outputs))[:size]
    outputs = pool.outputs[kept]
    return Pool(
        features=None if pool.features is None else pool.features[kept],
        kernel=None if pool.kernel is None else pool.kernel[np.ix_(kept, kept)],
        outputs=outputs - outputs.mean(axis=0),
        labels=None if pool.labels is None else pool.labels[kept],
    )


def gram(pool: Pool, architecture: Architecture | None) -> Matrix:
    """The kernel between all examples, scaled to a mean diagonal of 1, so that a ridge means the same for all.

    Args:
        pool: The examples.
        architecture: A network on top of the features, rows scaled to norm 1; None for the features' own F F^T.

    Raises:
        SetolError: Rows cannot be scaled, or there is a kernel already.
    """
    if pool.kernel is not None or pool.features is None:
        if architecture is not None:
            raise SetolError("the file holds a kernel already: a network can be put on features alone.")
        assert pool.kernel is not None
        found = pool.kernel
    elif architecture is None:
        found = pool.features @ pool.features.T
    else:
        norms = np.linalg.norm(pool.features, axis=1, keepdims=True)
        if not (np.isfinite(norms).all() and (norms > 0).all()):
            raise SetolError("need finite features, and none of norm 0: a network sees directions alone.")
        cosine = (pool.features / norms) @ (pool.features / norms).T
        np.fill_diagonal(cosine, 1.0)
        found = kernel_values(architecture, cosine)
    scale = float(np.trace(found)) / len(found)
    if not (np.isfinite(scale) and scale > 0):
        raise SetolError(f"need a finite, positive kernel, got a mean diagonal of {scale:g}.")
    return np.asarray(found / scale, dtype=np.float64)


def measure_subsets(
    kernel: Matrix, pool: Pool, n_examples: Sequence[int], *, ridge: float, subsets: int, seed: int
) -> SubsetErrors:
    """Train on random subsets of a pool and test on its other examples.

    Args:
        kernel: Between all examples, shape (n, n).
        pool: Whose outputs are learned.
        n_examples: Sizes of the subsets, below n.
        ridge: Added to the diagonal.
        subsets: Of each size.
        seed: Of the choice.

    Raises:
        SetolError: A subset leaves nothing to test on, or its kernel is singular.
    """
    total = len(kernel)
    if max(n_examples) >= total or min(n_examples) < 1:
        raise SetolError(f"need numbers of examples from 1 to {total - 1}: the pool has {total}, the others test.")
    generator = np.random.default_rng(seed)
    errors, wrong = np.empty((len(n_examples), subsets)), np.empty((len(n_examples), subsets))
    for index, count in enumerate(n_examples):
        for draw in range(subsets):
            order = generator.permutation(total)
            old, new = order[:count], order[count:]
            own = kernel[np.ix_(old, old)] + ridge * np.eye(count)
            try:
                weights = np.linalg.solve(own, pool.outputs[old])
            except np.linalg.LinAlgError:
                raise SetolError(f"the kernel of {count} examples is singular: need a ridge above 0.") from None
            fitted = kernel[np.ix_(new, old)] @ weights
            errors[index, draw] = ((fitted - pool.outputs[new]) ** 2).sum(axis=1).mean()
            if pool.labels is not None:
                # The mean that was taken off each class belongs to its score.
                shift = np.bincount(pool.labels, minlength=pool.outputs.shape[1]) / total
                wrong[index, draw] = ((fitted + shift).argmax(axis=1) != pool.labels[new]).mean()
    spread = errors.std(axis=1, ddof=1) / np.sqrt(subsets) if subsets > 1 else np.full(len(errors), np.nan)
    return SubsetErrors(
        error=errors.mean(axis=1),
        standard_error=spread,
        misclassified=None if pool.labels is None else wrong.mean(axis=1),
    )

"""What a model's metrics say, in one line of plain words, and what speaks against taking them at their word."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from catalogs import counted

ALPHA_LOW, ALPHA_HIGH = 2.0, 6.0
"""HTSR's range of well-trained layers (Martin and Mahoney, JMLR 22, 2021): over-trained below, under-trained above."""

SHORT_TAIL = 50
"""Eigenvalues in a tail below which its exponent is not reliable: the rule of thumb for this estimator (Clauset,
Shalizi and Newman, SIAM Review 51, 2009); with 50, the standard error is a seventh of alpha - 1."""

LOOSE_FIT = 0.1
"""D above which a tail is no power law that one would see: at some point a tenth of it lies on the wrong side."""

WORTH_SAYING = 0.25
"""Share of the layers from which on a caveat is told: single ones stand in the table."""


@dataclass(frozen=True, slots=True)
class FittedLayer:
    """What the reading takes from a layer with a fitted tail.

    Attributes:
        alpha: Exponent of the tail.
        d_ks: Distance of fit and tail.
        n_tail: Eigenvalues in the tail.
        like_random: Whether no eigenvalue lies beyond the edge of a random matrix, see `like_random`.
    """

    alpha: float
    d_ks: float
    n_tail: int
    like_random: bool


def like_random(n_rows: int, n_cols: int, n_slices: int, variance: float, largest: float) -> bool:
    """Whether the largest eigenvalue is one that 99 % of the matrices of independent entries would not exceed.

    Args:
        n_rows: N, the longer side.
        n_cols: M, the shorter side.
        n_slices: Taps of a kernel, whose eigenvalues are pooled.
        variance: Of the entries; of several slices, the largest.
        largest: Largest eigenvalue (squared singular value), raw.
    """
    from setol.random_matrix.edge import noise_edge

    return largest <= variance * n_rows * noise_edge(n_rows, n_cols, 1.0).threshold(n_slices=n_slices)


def reading(name: str, metrics: dict[str, Any], layers: Sequence[FittedLayer]) -> str:
    """Read the layer exponents of one model.

    Args:
        name: The model.
        metrics: Its row of `model_metrics`.
        layers: The layers that the row is made of, at least one.

    Returns:
        Median alpha with its standard error, how many layers lie in and outside of HTSR's range, and caveats.
    """
    alphas = [layer.alpha for layer in layers]
    n, low, high = len(alphas), sum(a < ALPHA_LOW for a in alphas), sum(a > ALPHA_HIGH for a in alphas)
    error = "" if metrics["alpha_se"] is None else f" (mean {metrics['alpha_mean']:.2f} ± {metrics['alpha_se']:.2f})"
    inside = "all of them" if n > 1 and not low + high else str(n - low - high)
    parts = [f"{inside} in 2 to 6, the range reported for well-trained networks"] * (low + high < n)
    parts += [f"{low} below 2 (over-trained, or a trap)"] * bool(low)
    parts += [f"{high} above 6 (under-trained, or no power law)"] * bool(high)
    told = f"{name}: median alpha {metrics['alpha_median']:.2f}{error} over {counted(n, 'layer')}: {'; '.join(parts)}"
    caveats = _caveats(layers)
    return f"{told}. But {'; '.join(caveats)}" if caveats else told


def no_fit(name: str, reasons: Counter[tuple[str, str]], n_tensors: int, low_ranks: Sequence[int] = ()) -> str:
    """The reading of a model without a fitted tail.

    Args:
        name: The model.
        reasons: How many matrices have no fit for each reason, a word of the closed list and its sentence. Vectors and
            buffers are no matrices; where nothing else is there, it is empty.
        n_tensors: Tensors of the model, of whatever kind.
        low_ranks: Ranks of the layers with enough eigenvalues for a fit, but too few above zero.
    """
    from setol.reasons import Reason

    if not n_tensors:
        return f"{name}: it holds no tensors, so there is nothing to analyze"
    if not reasons:
        return f"{name}: no weight matrices: every tensor is a vector, a buffer or a table of positions (see skipped)"
    ((reason, sentence), n), total = reasons.most_common(1)[0], counted(reasons.total(), "matrix", "matrices")
    told = f"{name}: no layer has a fitted power law, so alpha says nothing here. {n} of {total}, {reason}: {sentence}"
    return f"{told} {_low_rank(low_ranks)}" if low_ranks and reason == Reason.TOO_FEW_EIGENVALUES else told


def _low_rank(ranks: Sequence[int]) -> str:
    low, high = min(ranks), max(ranks)
    span = f"{low} to {high}" if low < high else str(low)
    return f"The rank of {counted(len(ranks), 'matrix', 'matrices')} is {span}, and all other eigenvalues are zero."


def _caveats(layers: Sequence[FittedLayer]) -> list[str]:
    n = len(layers)
    random = sum(layer.like_random for layer in layers)
    short = sum(layer.n_tail < SHORT_TAIL for layer in layers)
    loose = sum(layer.d_ks > LOOSE_FIT for layer in layers)
    told = {
        f"{random} of {n} {_has(random)} no eigenvalue beyond the edge of a random matrix (Marchenko-Pastur), so "
        f"{'its' if random == 1 else 'their'} alpha is no sign of training": random,
        f"{short} of {counted(n, 'tail')} {_has(short)} fewer than {SHORT_TAIL} eigenvalues, too few for a reliable "
        "alpha": short,
        f"{loose} of {n} {_has(loose)} D above {LOOSE_FIT}, a poor fit": loose,
    }
    return [caveat for caveat, count in told.items() if count >= WORTH_SAYING * n]


def _has(count: int) -> str:
    return "has" if count == 1 else "have"

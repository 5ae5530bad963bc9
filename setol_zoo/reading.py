"""What a model's metrics say, in one line of plain words."""

from typing import Any

ALPHA_LOW, ALPHA_HIGH = 2.0, 6.0
"""HTSR's range of well-trained layers (Martin and Mahoney, JMLR 22, 2021): over-trained below, under-trained above."""


def reading(name: str, metrics: dict[str, Any] | None, alphas: list[float]) -> str:
    """Read the layer exponents of one model.

    Args:
        name: The model.
        metrics: Its row of `model_metrics`, None where no layer has a fitted tail.
        alphas: Exponents of the layers that the row is made of.

    Returns:
        Median alpha with its standard error, and how many layers lie outside HTSR's range.
    """
    if metrics is None or not alphas:
        return f"{name}: no layer has enough eigenvalues for a power-law tail, so alpha says nothing here"
    n, low, high = len(alphas), sum(a < ALPHA_LOW for a in alphas), sum(a > ALPHA_HIGH for a in alphas)
    error = "" if metrics["alpha_se"] is None else f" (mean {metrics['alpha_mean']:.2f} ± {metrics['alpha_se']:.2f})"
    outside = [f"{low} below 2 (over-trained, or a trap)"] * bool(low)
    outside += [f"{high} above 6 (under-trained, or no power law)"] * bool(high)
    told = "; ".join(outside) or "all of them between 2 and 6, the range of well-trained layers"
    return f"{name}: median alpha {metrics['alpha_median']:.2f}{error} over {n} layers: {told}"


def nothing_to_read(name: str) -> str:
    """The reading of a model in which nothing could be decomposed."""
    return f"{name}: no weight matrices: every tensor is a vector, a buffer or skipped for another reason (see skipped)"

"""Scores on another scale: the logit of a share, the logarithm of a perplexity.

An accuracy ends at 100 %, so near there the same step of a metric can only gain less of it; its logit has no end.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from analysis.statistics.records import Vector


class Link(StrEnum):
    """What a score is turned into before a line is fitted."""

    IDENTITY = "identity"
    LOGIT = "logit"
    LOG = "log"


WHOLE = {"percent": 100.0, "fraction": 1.0}
"""What all is, in the units that a share can be in."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Linked:
    """Scores on the scale of a link. None where `reason` says why.

    Attributes:
        values: Shape (n,).
        errors: Standard errors by the delta method, NaN where unknown, shape (n,).
        scale: The unit of `values`, as words.
        reason: Why the link does not fit these scores.
    """

    scale: str
    values: Vector | None = None
    errors: Vector | None = None
    reason: str | None = None


def link_scores(score: Vector, error: Vector, *, unit: str, link: Link, n_test: Vector | None = None) -> Linked:
    """Turn scores into those of a link.

    A share of 0 or of all has no logit. Where the number of test examples is known, such a score is taken as
    (k + 1/2) / (n + 1) for k right of n; where not, none of the scores is turned, as leaving out the best or the worst
    models would change what is asked.

    Args:
        score: In `unit`, finite, shape (n,).
        error: Standard errors, NaN where unknown, shape (n,).
        unit: One of percent, fraction, nats, perplexity, points.
        link: What to turn them into: logit for shares, log for perplexities, identity for anything.
        n_test: Test examples of each score, NaN where unknown, shape (n,).
    """
    if link is Link.IDENTITY:
        return Linked(scale=unit, values=score, errors=error)
    if link is Link.LOG:
        return _log(score, error, unit)
    if unit not in WHOLE:
        return Linked(scale=unit, reason=f"a score in {unit} has no logit: only percent and fraction have")
    share, spread = score / WHOLE[unit], error / WHOLE[unit]
    outside = int(((share < 0) | (share > 1)).sum())
    if outside:
        return Linked(
            scale=unit, reason=f"{outside} of {len(share)} scores are below 0 or above {WHOLE[unit]:g} {unit}"
        )
    ends = (share <= 0) | (share >= 1)
    if ends.any():
        known = np.full(len(share), np.nan) if n_test is None else n_test
        if not (np.isfinite(known) & (known > 0))[ends].all():
            reason = f"{int(ends.sum())} of {len(share)} scores are 0 or all, and nobody says of how many test examples"
            return Linked(scale=unit, reason=reason)
        share = np.where(ends, (share * known + 0.5) / (known + 1), share)
        spread = np.where(ends, np.sqrt(share * (1 - share) / known), spread)
    return Linked(scale="logit", values=np.log(share / (1 - share)), errors=spread / (share * (1 - share)))


def _log(score: Vector, error: Vector, unit: str) -> Linked:
    if unit != "perplexity":
        return Linked(scale=unit, reason=f"a score in {unit} is not taken as a logarithm: only perplexity is")
    if (score <= 0).any():
        return Linked(scale=unit, reason=f"{int((score <= 0).sum())} of {len(score)} perplexities are not above 0")
    return Linked(scale="log perplexity", values=np.log(score), errors=error / score)

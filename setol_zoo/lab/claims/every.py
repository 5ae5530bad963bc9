"""All claims, in the order in which they are told."""

from collections.abc import Callable

from setol_zoo.lab.claims import (
    alpha_by_setting,
    error_by_alpha,
    over_regularization,
    overloading,
    quality,
    traps,
    truncation,
    walk,
)
from setol_zoo.lab.claims.evidence import Evidence
from setol_zoo.lab.claims.records import Claim

CLAIMS: tuple[Callable[[Evidence], Claim], ...] = (
    alpha_by_setting.judge,
    walk.judge,
    error_by_alpha.judge,
    truncation.judge,
    traps.judge,
    over_regularization.judge,
    overloading.judge,
    quality.judge,
)


def judge_all(found: Evidence) -> tuple[Claim, ...]:
    """Judge every claim; what the evidence does not hold is open."""
    return tuple(judge(found) for judge in CLAIMS)

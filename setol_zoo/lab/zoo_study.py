"""How well metrics of weights tell the test errors of networks trained here, within groups and across them.

Within a group networks have the same parameters and the same task, so size says nothing there. What a metric has to be
measured by is what anyone who trained a network knows without it: its training error and loss, the norms of its
weights, and what was done to the data. The statistics are those of published scores, with groups as families.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.samples.sample import Sample
from analysis.statistics.left_out import LeftOutError, left_out_error
from analysis.statistics.pairs import family_pairs
from analysis.statistics.partial import MeanTau, mean_tau, tau_difference
from analysis.statistics.permutation import max_t_sign_flip, max_t_within
from analysis.statistics.records import Vector
from analysis.statistics.within import family_sums
from analysis.studies.regress import regress
from analysis.studies.regression_records import Method, RegressionRow
from analysis.studies.size import size_study
from analysis.studies.size_records import Added
from setol_zoo.lab.zoo_sample import METRICS, SET, TRAINING

NORM = "log_norm_mean"
"""What the other metrics are set against: it knows of no power law."""

BEYOND: Mapping[str, tuple[str, ...]] = {
    "training": TRAINING,
    "norms": (NORM, "log_spectral_norm_mean"),
    "data": SET,
    "both": (*TRAINING, *SET),
}
"""What is held fixed: training error and loss; norms; label noise and the share of the data; the first and the last."""

FEWEST = 4
"""Networks below which a group is left out."""


@dataclass(frozen=True, slots=True)
class Within:
    """One column and test error within groups.

    Attributes:
        metric: The column.
        networks: Those that have it.
        tau: Mean of the groups' taus.
        pooled: Tau-b over the pairs of all groups together.
        p: Of `tau`, by flipping the signs of groups; of a metric adjusted for all of them (max-T), of others alone.
        over_norm: How much stronger than that of `NORM`, signs apart; None for that, and for what is no metric.
    """

    metric: str
    networks: int
    tau: MeanTau
    pooled: float | None
    p: float | None
    over_norm: MeanTau | None


@dataclass(frozen=True, slots=True)
class Across:
    """One metric and the means of groups. Groups of one data set are compared with each other, never with others.

    Attributes:
        metric: Its column.
        groups: How many.
        tau: Kendall's tau-b of the groups' means, over the pairs of groups of one data set.
        p: Two-sided, adjusted for all metrics, by permutation within data sets; None for baselines.
        left_out: Errors of the test errors of groups that were left out, predicted from the other groups by data set,
            parameters, training error and loss, without the metric and with it.
    """

    metric: str
    groups: int
    tau: float | None
    p: float | None
    left_out: LeftOutError


@dataclass(frozen=True, slots=True)
class Study:
    """What was found of some of the networks.

    Attributes:
        sample: They.
        within: Within groups, by metric: `METRICS`, then `TRAINING` and `SET`.
        beyond: What each metric adds, by what is held fixed (`BEYOND`) and metric.
        slopes: Two-stage slopes of test error on each metric, training error and loss held fixed.
        across: Over groups, by metric: `METRICS`, then the baselines.
    """

    sample: Sample
    within: Mapping[str, Within]
    beyond: Mapping[str, Mapping[str, Added]]
    slopes: Mapping[str, RegressionRow]
    across: Mapping[str, Across]


def study(sample: Sample, seed: int = 0) -> Study:
    """Ask all of some networks.

    Args:
        sample: Networks; groups of fewer than `FEWEST` are left out.
        seed: Of resamples, signs and permutations.
    """
    sizes = np.bincount(sample.family_codes, minlength=len(sample.family_names))
    sample = sample.where(sizes[sample.family_codes] >= FEWEST)
    return Study(
        sample=sample,
        within=_within(sample, seed),
        beyond={
            held: {
                row.metric: row
                for row in size_study(
                    sample, [name for name in METRICS if name not in controls], controls=controls, seed=seed
                ).rows
            }
            for held, controls in BEYOND.items()
        },
        slopes={
            each.metric: each.row(Method.TWO_STAGE)
            for each in regress(sample, METRICS, controls=TRAINING, seed=seed).metrics
        },
        across=_across(sample, seed),
    )


def _within(sample: Sample, seed: int) -> dict[str, Within]:
    pairs = family_pairs(sample.family_codes, len(sample.family_names))
    order = pairs.order(sample.score)
    counts = {name: pairs.counts(sample.column(name), order) for name in (*METRICS, *TRAINING, *SET)}
    if not pairs.count:
        return {}
    norm = counts[NORM].taus
    table = np.column_stack([counts[name].taus for name in METRICS])
    adjusted = dict(zip(METRICS, max_t_sign_flip(table, generator=np.random.default_rng(seed)), strict=True))
    found = {}
    for place, (name, own) in enumerate(counts.items()):
        generator = np.random.default_rng([seed, place])
        tau = mean_tau(own.taus, generator=generator)
        judged = name in adjusted and name != NORM
        found[name] = Within(
            metric=name,
            networks=int(np.isfinite(sample.column(name)).sum()),
            tau=tau,
            pooled=own.pooled,
            p=tau.p if name not in adjusted else None if np.isnan(adjusted[name]) else float(adjusted[name]),
            over_norm=tau_difference(own.taus, norm, generator=generator)[0] if judged else None,
        )
    return found


def _across(sample: Sample, seed: int) -> dict[str, Across]:
    codes, count = sample.family_codes, len(sample.family_names)
    if not count:
        return {}
    score = _means(sample.score, codes, count)
    names = [*METRICS, *TRAINING, *SET, "log10_params"]
    means = np.column_stack([_means(sample.column(name), codes, count) for name in names])
    names_of_tasks, tasks = np.unique([name.partition(" ")[0] for name in sample.family_names], return_inverse=True)
    generator = np.random.default_rng(seed)
    p_values = max_t_within(means[:, : len(METRICS)], score, tasks, generator=generator)
    pairs = family_pairs(tasks, int(tasks.max()) + 1)
    found = {}
    for place, name in enumerate(names):
        controls = [other for other in ("log10_params", *TRAINING) if other != name]
        known = sample.complete(name, *controls)
        p = float(p_values[place]) if place < len(METRICS) else np.nan
        found[name] = Across(
            metric=name,
            groups=int(np.isfinite(means[:, place]).sum()),
            tau=pairs.counts(means[:, place], score).pooled,
            p=None if np.isnan(p) else p,
            left_out=left_out_error(
                known.column(name),
                known.score,
                known.family_codes,
                [known.column(other) for other in controls]
                + _indicators(tasks[known.family_codes], len(names_of_tasks)),
                own_level=False,
                generator=np.random.default_rng([seed, place]),
            ),
        )
    return found


def _indicators(tasks: NDArray[np.int64], count: int) -> list[Vector]:
    """Whether each network learned each data set, but for the first."""
    return [(tasks == task).astype(np.float64) for task in range(1, count)]


def _means(values: Vector, codes: NDArray[np.int64], count: int) -> Vector:
    """The mean of each group over the networks that have one; NaN where none has."""
    there = np.isfinite(values)
    members = np.bincount(codes[there], minlength=count)
    sums = family_sums(values[there], codes[there], count)
    means: Vector = np.where(members > 0, sums / np.maximum(members, 1), np.nan)
    return means

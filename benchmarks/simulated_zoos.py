"""False findings, power and coverage of every p and interval that is printed, on zoos of which the truth is known.

    python -m benchmarks.simulated_zoos [--zoos 1000] [--only NAME ...] [--markdown]

Zoos are those of `tests/analysis/simulated.py`: 10 to 40 families of 4 to 20 models, every content once. Two tables are
printed: tests (the share of zoos with p <= .05) and intervals (the share that holds the truth), a row a procedure and a
column a scenario, `*` where there is no effect, so that the share is one of false findings and should be .05.
Permutations and resamples are fewer than in the commands (`DRAWS`), which costs a little power and no validity.
"""

import argparse
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.stats

from analysis.samples.missingness import _associations as missing_associations
from analysis.statistics.association import associate
from analysis.statistics.attenuation import deattenuated
from analysis.statistics.fixed_effects import fixed_effects
from analysis.statistics.left_out import left_out_error
from analysis.statistics.matched import matched_pairs
from analysis.statistics.partial import family_partial_taus, mean_tau, tau_difference
from analysis.statistics.permutation import max_t_sign_flip, max_t_within
from analysis.statistics.random_slopes import random_slopes
from analysis.statistics.records import Interval, Vector
from analysis.statistics.two_stage import TwoStage, family_slopes, family_taus, family_weights, two_stage
from analysis.statistics.within import within_families
from analysis.statistics.within_between import between_families, opposite
from tests.analysis.simulated import SCENARIOS, Scenario, Zoo, simulated

DRAWS = 499
LEVEL = 0.05

TRIED = SCENARIOS | {
    "missing": Scenario(missing=0.2),
    "missing with score": Scenario(missing=0.2, missing_with_score=1.0),
}
NOTHING = ("noise", "slopes", "confounded", "recipes")
"""Scenarios where the metric has no effect once size is held fixed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a procedure says of one zoo (or of one family): any of these.

    Attributes:
        p: Of a test, or 0 and 1 for a flag that is set and one that is not.
        estimate: With its interval.
        interval: None where none was given.
        attainable: Share of false findings that the test can have at most, where it is discrete.
    """

    p: float | None = None
    estimate: float | None = None
    interval: Interval | None = None
    attainable: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """One p, flag or interval that is printed.

    Attributes:
        run: Its answers on one zoo.
        null: Scenarios in which nothing should be found.
        scenarios: Those that it is tried on.
        truth: What its interval should hold, or None for the mean of its estimates over all zoos.
    """

    run: Callable[[Zoo, np.random.Generator], Iterable[Answer]]
    null: Sequence[str] = NOTHING
    scenarios: Sequence[str] = tuple(SCENARIOS)
    truth: Callable[[Scenario], float] | None = None


def _association(zoo: Zoo, rng: np.random.Generator) -> Iterable[Answer]:
    for code in range(2):
        own = zoo.families == code
        found = associate(zoo.metric[own], zoo.score[own], generator=rng)
        most = _attainable(found.n) if found.tau_p is not None and found.tau_test == "exact" else None
        yield Answer(p=found.tau_p, estimate=found.tau, interval=found.tau_interval, attainable=most)


def _max_t_within(zoo: Zoo, rng: np.random.Generator) -> Iterable[Answer]:
    yield Answer(p=_least(max_t_within(zoo.metrics, zoo.score, zoo.families, generator=rng, draws=199)))


def _max_t_families(zoo: Zoo, rng: np.random.Generator) -> Iterable[Answer]:
    columns = [family_partial_taus(each, zoo.score, zoo.families, [zoo.log10_params]).values for each in zoo.metrics.T]
    yield Answer(p=_least(max_t_sign_flip(np.column_stack(columns), generator=rng, draws=DRAWS)))


def _tau(controls: Callable[[Zoo], list[Vector]]) -> Callable[[Zoo, np.random.Generator], Iterable[Answer]]:
    def run(zoo: Zoo, rng: np.random.Generator) -> Iterable[Answer]:
        taus = family_partial_taus(zoo.metric, zoo.score, zoo.families, controls(zoo)).values
        found = mean_tau(taus, generator=rng, draws=DRAWS)
        yield Answer(p=found.p, estimate=found.tau, interval=found.interval)

    return run


def _over(zoo: Zoo, rng: np.random.Generator) -> Iterable[Answer]:
    """Two metrics that are alike in all that is known of them."""
    first, second = (family_partial_taus(zoo.metrics[:, i], zoo.score, zoo.families).values for i in (1, 2))
    found, _ = tau_difference(first, second, generator=rng, draws=DRAWS)
    yield Answer(p=found.p, estimate=found.tau, interval=found.interval)


def _left_out(own_level: bool) -> Callable[[Zoo, np.random.Generator], Iterable[Answer]]:
    def run(zoo: Zoo, rng: np.random.Generator) -> Iterable[Answer]:
        given = (zoo.metric, zoo.score, zoo.families, [zoo.log10_params])
        found = left_out_error(*given, own_level=own_level, generator=rng, draws=DRAWS)
        better = None if found.interval is None else float(found.interval.low <= 0)
        yield Answer(p=better, estimate=found.removed, interval=found.interval)

    return run


def _matched(zoo: Zoo, rng: np.random.Generator) -> Iterable[Answer]:
    given = (zoo.metric, zoo.score, zoo.architectures, zoo.families)
    found = matched_pairs(*given, higher_is_better=True, generator=rng, draws=DRAWS)
    yield Answer(p=found.p, estimate=found.chance, interval=found.interval)


def _stages(zoo: Zoo, rng: np.random.Generator, of: Callable = family_slopes) -> TwoStage:
    return two_stage(of(zoo.metric, zoo.score, zoo.families, [zoo.log10_params]), generator=rng, draws=DRAWS)


def _two_stage(
    of: Callable, p: Callable[[TwoStage], float | None]
) -> Callable[[Zoo, np.random.Generator], Iterable[Answer]]:
    def run(zoo: Zoo, rng: np.random.Generator) -> Iterable[Answer]:
        found = _stages(zoo, rng, of)
        yield Answer(p=p(found), estimate=found.estimate, interval=found.interval)

    return run


def _max_t_slopes(zoo: Zoo, rng: np.random.Generator) -> Iterable[Answer]:
    table = np.full((len(zoo.slopes), zoo.metrics.shape[1]), np.nan)
    for place, metric in enumerate(zoo.metrics.T):
        each = family_slopes(metric, zoo.score, zoo.families, [zoo.log10_params])
        table[each.families, place] = family_weights(each) * each.values
    yield Answer(p=_least(max_t_sign_flip(table, generator=rng, draws=DRAWS)))


def _random_slopes(zoo: Zoo, rng: np.random.Generator) -> Iterable[Answer]:
    found = random_slopes(zoo.metric, zoo.score, zoo.families, [zoo.log10_params])
    yield Answer(p=_excludes_zero(found.interval), estimate=found.slope, interval=found.interval)


def _fixed(zoo: Zoo, rng: np.random.Generator) -> Iterable[Answer]:
    given = (zoo.metric, zoo.score, zoo.families, [zoo.log10_params])
    found = fixed_effects(*given, generator=rng, draws=DRAWS)
    yield Answer(p=found.wild_p, estimate=found.slope, interval=found.interval)


def _between(zoo: Zoo, rng: np.random.Generator) -> Iterable[Answer]:
    found = between_families(zoo.metric, zoo.score, zoo.families, [zoo.log10_params])
    yield Answer(p=_excludes_zero(found.interval), estimate=found.slope, interval=found.interval)


def _simpson(zoo: Zoo, rng: np.random.Generator) -> Iterable[Answer]:
    between = between_families(zoo.metric, zoo.score, zoo.families, [zoo.log10_params])
    flag = opposite(_stages(zoo, rng), between)
    yield Answer(p=None if flag is None else float(not flag))


def _deattenuated(zoo: Zoo, rng: np.random.Generator) -> Iterable[Answer]:
    given = (zoo.metric, zoo.errors[:, 0], zoo.score, zoo.families, [zoo.log10_params])
    found = deattenuated(*given, generator=rng)
    yield Answer(p=_excludes_zero(found.interval), estimate=found.slope, interval=found.interval)


def _missing(zoo: Zoo, rng: np.random.Generator) -> Iterable[Answer]:
    shares = np.isnan(zoo.metrics[:, :1]).astype(np.float64)
    _, ps = missing_associations(shares, zoo.score, zoo.families, rng, DRAWS)
    yield Answer(p=ps[0])


def _one_slope(zoo: Zoo, rng: np.random.Generator) -> Iterable[Answer]:
    """Least squares with a constant of each family and one slope for all, tested as if models were the units."""
    x, y = _freed(zoo)
    freedom = zoo.n - len(zoo.slopes) - 2
    slope = float(x @ y / (x @ x))
    error = float(np.sqrt(((y - slope * x) ** 2).sum() / freedom / (x @ x)))
    yield Answer(p=float(2 * scipy.stats.t.sf(abs(slope) / error, freedom)), estimate=slope)


def _freed(zoo: Zoo) -> tuple[Vector, Vector]:
    """Metric and score without the family's mean and one common slope on size."""
    codes, count = zoo.families, len(zoo.slopes)
    size, x, y = within_families([zoo.log10_params, zoo.metric, zoo.score], [], codes, count).columns
    return x - (size @ x / (size @ size)) * size, y - (size @ y / (size @ size)) * size


SLOPE = {"truth": lambda scenario: scenario.effect}
PROCEDURES = {
    "tau of a family": Procedure(
        run=_association, null=("noise",), scenarios=("noise", "recipes"), truth=lambda _: 0.0
    ),
    "tau of a metric, adjusted": Procedure(run=_max_t_within, null=("noise",), scenarios=("noise", "recipes")),
    "mean tau of families": Procedure(run=_tau(lambda _: []), null=("noise", "slopes", "recipes")),
    "mean partial tau": Procedure(run=_tau(lambda zoo: [zoo.log10_params])),
    "mean partial tau, size and depth": Procedure(run=_tau(lambda zoo: [zoo.log10_params, zoo.depth])),
    "mean partial tau, adjusted": Procedure(run=_max_t_families),
    "tau over another's": Procedure(run=_over, null=tuple(SCENARIOS)),
    "left-out error of differences": Procedure(run=_left_out(own_level=True)),
    "left-out error of scores": Procedure(run=_left_out(own_level=False)),
    "matched pairs": Procedure(run=_matched),
    "two-stage slope, t": Procedure(run=_two_stage(family_slopes, lambda found: found.t_p), **SLOPE),
    "two-stage slope, signs": Procedure(
        run=_two_stage(family_slopes, lambda found: found.flip.p if found.flip else None), **SLOPE
    ),
    "two-stage slope, adjusted": Procedure(run=_max_t_slopes),
    "two-stage tau, signs": Procedure(run=_two_stage(family_taus, lambda found: found.flip.p if found.flip else None)),
    "two-stage tau, t": Procedure(run=_two_stage(family_taus, lambda found: found.t_p)),
    "random slopes": Procedure(run=_random_slopes, **SLOPE),
    "fixed effects, wild bootstrap": Procedure(run=_fixed, **SLOPE),
    "de-attenuated slope": Procedure(run=_deattenuated, **SLOPE),
    "between families": Procedure(run=_between, null=(*NOTHING, "effect"), truth=lambda scenario: scenario.between),
    "opposite signs (Simpson)": Procedure(run=_simpson, null=(*NOTHING, "effect")),
    "missing with score": Procedure(run=_missing, null=("missing",), scenarios=("missing", "missing with score")),
    "one slope for all (not offered)": Procedure(run=_one_slope),
}
"""What is printed, and one thing that is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What a procedure did in a scenario.

    Attributes:
        found: Share of answers with p <= `LEVEL`; None for no test.
        attainable: Share that a discrete test can have at most, averaged over the same answers.
        covered: Share of intervals that hold the truth; None for no interval.
        answers: How many there were.
        seconds: Of processors, in all.
    """

    found: float | None
    attainable: float | None
    covered: float | None
    answers: int
    seconds: float


def rate(procedure: Procedure, scenario: str, zoos: int, *, seed: int = 0) -> Rate:
    """Try a procedure on simulated zoos of a scenario; other procedures see the same zoos."""
    answers: list[Answer] = []
    seconds = 0.0
    for number in range(zoos):
        rng = np.random.default_rng([seed, number, zlib.crc32(scenario.encode())])
        zoo = simulated(TRIED[scenario], rng).once()
        started = time.process_time()
        answers += procedure.run(zoo, rng)
        seconds += time.process_time() - started
    ps = np.array([each.p for each in answers if each.p is not None])
    most = [each.attainable for each in answers if each.attainable is not None]
    pairs = [(each.estimate, each.interval) for each in answers if each.interval and each.estimate is not None]
    truth = procedure.truth(TRIED[scenario]) if procedure.truth else float(np.mean([e for e, _ in pairs] or [0.0]))
    held = [interval.low <= truth <= interval.high for _, interval in pairs]
    return Rate(
        found=float((ps <= LEVEL + 1e-12).mean()) if len(ps) else None,
        attainable=float(np.mean(most)) if most else None,
        covered=float(np.mean(held)) if held else None,
        answers=len(answers),
        seconds=seconds,
    )


@cache
def _attainable(n: int) -> float:
    """The largest size at most `LEVEL` of the exact two-sided test of Kendall's tau without ties."""
    values = np.array(
        [scipy.stats.kendalltau(np.arange(n), _with_inversions(n, k)).pvalue for k in range(n * (n - 1) // 4 + 1)]
    )
    fitting = values[values <= LEVEL]
    return float(fitting.max(initial=0.0))


def _with_inversions(n: int, count: int) -> Vector:
    """An order of 0..n-1 with so many pairs out of order."""
    left, order = list(range(n)), []
    for place in range(n):
        step = min(count, n - 1 - place)
        order.append(left.pop(step))
        count -= step
    return np.array(order)


def _least(ps: Vector) -> float | None:
    known = ps[np.isfinite(ps)]
    return float(known.min()) if len(known) else None


def _excludes_zero(interval: Interval | None) -> float | None:
    return None if interval is None else float(interval.low <= 0 <= interval.high)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoos", type=int, default=1_000)
    parser.add_argument("--only", nargs="*", metavar="NAME", help="procedures; all of them by default")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    names = asked.only or list(PROCEDURES)
    scenarios = list(TRIED)
    print(f"| p <= .05 in {asked.zoos} zoos | {' | '.join(scenarios)} |\n|{'---|' * (len(scenarios) + 1)}", flush=True)
    held = []
    for name in names:
        procedure = PROCEDURES[name]
        rates = {each: rate(procedure, each, asked.zoos, seed=asked.seed) for each in procedure.scenarios}
        cells = [_cell(rates[each], each in procedure.null) if each in rates else "" for each in scenarios]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
        covered = [_share(rates[each].covered) if each in rates else "" for each in scenarios]
        if any(covered):
            held.append(f"| {name} | {' | '.join(covered)} |")
    print(f"\n| interval holds the truth | {' | '.join(scenarios)} |\n|{'---|' * (len(scenarios) + 1)}")
    print("\n".join(held))


def _cell(rate: Rate, null: bool) -> str:
    """A share, `*` where nothing should be found; how large it can be at most where that is less than the level."""
    most = f" (at most {_share(rate.attainable)})" if rate.attainable is not None else ""
    return f"{_share(rate.found)}{'*' if null and rate.found is not None else ''}{most}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}".replace("0.", ".", 1)


if __name__ == "__main__":
    main()

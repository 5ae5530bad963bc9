"""How often 95 % intervals of tau, R2 and a mean over families hold the truth, and how often tests find what is not.

    python benchmarks/interval_coverage.py [--repeats 300]

The figures in the docstrings of `analysis/statistics/association.py` and `bootstrap.py` are from here.
"""

import argparse
from collections.abc import Callable

import numpy as np
import scipy.stats

from analysis.statistics.association import associate
from analysis.statistics.bootstrap import family_interval
from analysis.statistics.permutation import max_t_sign_flip, max_t_within, sign_flip
from analysis.statistics.records import Vector

Pairs = Callable[[int], tuple[Vector, Vector]]
Values = Callable[[int], Vector]


def pairs_of(generator: np.random.Generator) -> dict[str, Pairs]:
    """Metrics and scores."""

    def normal(correlation: float) -> Pairs:
        def draw(n: int) -> tuple[Vector, Vector]:
            x = generator.normal(size=n)
            return x, correlation * x + np.sqrt(1 - correlation**2) * generator.normal(size=n)

        return draw

    def heavy(n: int) -> tuple[Vector, Vector]:
        x, y = normal(0.6)(n)
        width = np.sqrt(3 / generator.chisquare(3, size=n))
        return x * width, y * width

    def widening(n: int) -> tuple[Vector, Vector]:
        x = generator.normal(size=n)
        return x, x + generator.normal(size=n) * (0.2 + x**2) / 2

    def mixed(n: int) -> tuple[Vector, Vector]:
        kind, x, noise = generator.random(n) < 0.3, generator.normal(size=n), generator.normal(size=n)
        return x + 2 * kind, np.where(kind, x + 2 + 0.3 * noise, 3 - 0.4 * x + 0.8 * noise)

    def skewed(n: int) -> tuple[Vector, Vector]:
        x = generator.exponential(size=n)
        return x, x + 0.3 * generator.normal(size=n)

    normals = {f"normal, r {correlation:.2f}": normal(correlation) for correlation in (0, 0.5, 0.8, 0.95, 0.99)}
    return normals | {"heavy tails": heavy, "widening noise": widening, "two kinds": mixed, "skewed": skewed}


def families_of(generator: np.random.Generator) -> dict[str, Values]:
    """One value a family."""

    def taus(count: int) -> Vector:
        found = []
        for _ in range(count):
            n = int(np.exp(generator.uniform(np.log(5), np.log(20))))
            x = generator.normal(size=n)
            y = 0.8 * x + generator.normal(size=n) * generator.choice([0.3, 0.8, 1.6])
            found.append(scipy.stats.kendalltau(x, y).statistic)
        return np.array(found)

    return {
        "taus": taus,
        "normal": lambda count: generator.normal(size=count),
        "t, 3 degrees": lambda count: generator.standard_t(3, size=count),
        "exponential": lambda count: generator.exponential(size=count),
        "lognormal": lambda count: generator.lognormal(size=count),
        "two values": lambda count: generator.choice([-1.0, 1.0], p=[0.2, 0.8], size=count),
    }


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=300)
    repeats = parser.parse_args().repeats
    generator = np.random.default_rng(0)
    print("share of 95 % intervals that hold the truth, of tau and of R2")
    for name, draw in pairs_of(generator).items():
        tau = np.mean([scipy.stats.kendalltau(*draw(4_000)).statistic for _ in range(10)])
        r_squared = np.mean([np.corrcoef(*draw(400_000))[0, 1] for _ in range(10)]) ** 2
        told = []
        for n in (8, 12, 20, 50):
            found = [associate(*draw(n), generator=generator) for _ in range(repeats)]
            lines = [each.r_squared_interval for each in found if each.r_squared_interval]
            orders = [each.tau_interval for each in found if each.tau_interval]
            of_tau = np.mean([each.low <= tau <= each.high for each in orders])
            told.append(f"n {n}: {of_tau:.2f} {np.mean([each.low <= r_squared <= each.high for each in lines]):.2f}")
        print(f"  {name:16} {'   '.join(told)}", flush=True)
    print("share of 95 % intervals that hold the truth, of a mean over families")
    for name, values in families_of(generator).items():
        truth, told = np.mean([values(400).mean() for _ in range(50)]), []
        for count in (8, 12, 20):
            intervals = [family_interval(values(count), generator=generator, draws=999) for _ in range(2 * repeats)]
            told.append(f"{count}: {np.mean([each.low <= truth <= each.high for each in intervals if each]):.3f}")
        print(f"  {name:16} {'   '.join(told)}", flush=True)
    print("share of false findings at .05 where there is nothing, of one metric and of any of 10")
    blocks, flips = np.repeat(np.arange(6), 5), np.zeros((4 * repeats, 3), dtype=bool)
    for row in flips:
        metrics, score = generator.normal(size=(30, 10)) + blocks[:, None], generator.normal(size=30) + blocks
        effects = generator.exponential(size=(9, 1)) * generator.normal(size=(9, 10))
        p = sign_flip(effects[:, 0], generator=generator).p
        row[0] = p is not None and p <= 0.05
        row[1] = (max_t_sign_flip(effects, generator=generator) <= 0.05).any()
        row[2] = (max_t_within(metrics, score, blocks, generator=generator, draws=499) <= 0.05).any()
    names = ("sign flip", "max-T over flips", "max-T within families")
    for name, share in zip(names, flips.mean(axis=0), strict=True):
        print(f"  {name:22} {share:.3f}")


if __name__ == "__main__":
    main()

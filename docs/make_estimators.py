"""How well alpha is estimated where the truth is known: makes docs/estimators.md, every number in it.

`python docs/make_estimators.py` makes the page, in some 5 minutes of one core; with `--quick --output FILE` the same
rows come from few draws, in seconds.
"""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np
import torch
from numpy.typing import NDArray

from setol import PowerLawFit, Reason, fit_power_law
from setol.random_matrix.universality import alpha_of_mu
from setol.tails.bias import unbiased_alpha
from setol.tails.bootstrap import AlphaInterval, alpha_interval
from setol.tails.bounded_power_law import BoundedPowerLaw, fit_bounded_power_law
from setol.tails.hill import fit_hill
from setol.tails.minima import NearMinima, near_minima
from setol.weights.decomposition import Decomposition, decompose
from setol.weights.farms import WindowSpectra, window_spectra

SEED = 20
LEVEL = 0.9
SIZES = (100, 500, 2000)
ALPHAS = (1.5, 2.0, 2.5, 3.0, 4.0)
TAIL_SHARE = 0.25  # of a sample with a bulk
N_COLS = 500  # M of all matrices
ASPECTS = (1, 2, 4, 8)
MUS = (1.0, 1.5, 2.0, 3.0)
HEAVY_ASPECTS = (1, 2, 8)

FROM_EVALS = ("alpha", "alpha_unbiased", "bounded_alpha", "hill_alpha")
FROM_WEIGHTS = (*FROM_EVALS, "farms_alpha")

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Effort:
    """How many draws a row rests on.

    Attributes:
        samples: Samples of eigenvalues a row.
        matrices: Matrices a row.
        spectra: Spectra a row whose intervals are looked at.
        replicas: Resampled spectra an interval.
    """

    samples: int
    matrices: int
    spectra: int
    replicas: int


FULL = Effort(samples=1000, matrices=20, spectra=300, replicas=100)
QUICK = Effort(samples=5, matrices=2, spectra=5, replicas=10)


@dataclass(frozen=True, slots=True)
class Law:
    """What spectra are drawn from.

    Attributes:
        labels: What tells it from the other rows of its table.
        draw: A spectrum, or a matrix, from a generator.
        alpha: The true exponent; NaN where there is none.
    """

    labels: tuple[str, ...]
    draw: Callable[[np.random.Generator], Floats]
    alpha: float


def sample_of(n: int, alpha: float, *, bulk: bool) -> Callable[[np.random.Generator], Floats]:
    """Draws of a power law from 1 up, below it a bulk of draws between 0 and 1 or none."""

    def draw(rng: np.random.Generator) -> Floats:
        n_tail = round(TAIL_SHARE * n) if bulk else n
        tail = (1.0 - rng.random(n_tail)) ** (-1.0 / (alpha - 1.0))
        return np.r_[1.0 - rng.random(n - n_tail), tail]

    return draw


def gaussian(aspect_ratio: int) -> Callable[[np.random.Generator], Floats]:
    """Matrices of independent normal entries."""
    return lambda rng: rng.standard_normal((aspect_ratio * N_COLS, N_COLS))


def heavy_tailed(aspect_ratio: int, mu: float) -> Callable[[np.random.Generator], Floats]:
    """Matrices of independent entries of random sign with P(|W| > x) = x^-mu from 1 up."""
    shape = (aspect_ratio * N_COLS, N_COLS)
    return lambda rng: rng.choice([-1.0, 1.0], shape) * (1.0 - rng.random(shape)) ** (-1.0 / mu)


def spectrum_of(matrix: Floats) -> Floats:
    """Eigenvalues that the decomposition resolves, raw scale."""
    found = decompose(torch.from_numpy(matrix)[None])
    assert isinstance(found, Decomposition)
    return found.evals[found.evals > 0]


def estimates(evals: Floats) -> list[float]:
    """Size of the tail that the scan found, then the exponents of FROM_EVALS; NaN where one cannot be had."""
    fit, hill = fit_power_law(evals), fit_hill(evals)
    assert isinstance(fit, PowerLawFit) and isinstance(hill, PowerLawFit)
    unbiased, bounded = unbiased_alpha(fit.alpha, fit.n_tail), fit_bounded_power_law(evals, fit.lambda_min)
    return [
        fit.n_tail,
        fit.alpha,
        math.nan if isinstance(unbiased, Reason) else unbiased,
        bounded.alpha if isinstance(bounded, BoundedPowerLaw) else math.nan,
        hill.alpha,
    ]


def matrix_estimates(matrix: Floats) -> list[float]:
    """The same, and Hill's exponent of square windows."""
    windows = window_spectra(torch.from_numpy(matrix)[None])
    assert isinstance(windows, WindowSpectra)
    farms = fit_hill(windows.evals[windows.evals > 0])
    assert isinstance(farms, PowerLawFit)
    return [*estimates(spectrum_of(matrix)), farms.alpha]


def measured(laws: list[Law], look: Callable[[Floats], list[float]], draws: int) -> Floats:
    """What is seen on draws of each law, shape (laws, draws, numbers): each row has generators of its own."""
    return np.array([[look(law.draw(rng)) for rng in _generators(law, draws)] for law in laws])


def _generators(law: Law, draws: int) -> list[np.random.Generator]:
    return np.random.default_rng([SEED, *"/".join(law.labels).encode()]).spawn(draws)


def ends_of_intervals(law: Law, effort: Effort) -> tuple[Floats, Floats]:
    """Ends of alpha +- z alpha_sigma, of the bootstrap interval and of the near minima; and of these, what there is.

    Returns:
        Shape (spectra, 3, 2); and (spectra, 2), the number of minima and of candidates for lambda_min.
    """
    z = NormalDist().inv_cdf(0.5 + LEVEL / 2.0)
    ends, minima = [], []
    for rng in _generators(law, effort.spectra):
        evals = law.draw(rng)
        fit, near = fit_power_law(evals), near_minima(evals)
        interval = alpha_interval(evals, rng, level=LEVEL, n_replicas=effort.replicas)
        assert isinstance(fit, PowerLawFit) and isinstance(near, NearMinima) and isinstance(interval, AlphaInterval)
        ends.append(
            (
                (fit.alpha - z * fit.alpha_sigma, fit.alpha + z * fit.alpha_sigma),
                (interval.alpha_low, interval.alpha_high),
                (near.alpha_low, near.alpha_high),
            )
        )
        minima.append((len(near.minima), near.n_candidates))
    return np.array(ends), np.array(minima, float)


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, ("---",) * len(header), *rows))


def spreads(found: Floats, *, truth: float = math.nan) -> tuple[str, ...]:
    """Median size of the tail; of each estimator the mean, or mean error where there is a truth, and its spread."""
    means, deviations = np.nanmean(found[:, 1:], axis=0), np.nanstd(found[:, 1:], axis=0, ddof=1)
    cells = (
        f"{mean:.2f} ± {deviation:.2f}" if math.isnan(truth) else f"{mean - truth:+.3f} ± {deviation:.3f}"
        for mean, deviation in zip(means, deviations, strict=True)
    )
    return f"{np.median(found[:, 0]):,.0f}", *cells


def span(values: Floats, form: str = ".2f") -> str:
    """Smallest and largest of some numbers, or the one that both are."""
    low, high = f"{np.nanmin(values):{form}}", f"{np.nanmax(values):{form}}"
    return low if low == high else f"{low} to {high}"


def samples_section(effort: Effort) -> str:
    """Bias and spread on samples of a power law."""
    laws = [
        Law((bulk, f"{n:,}", f"{alpha}"), sample_of(n, alpha, bulk=bulk == "uniform"), alpha)
        for bulk in ("none", "uniform")
        for n in SIZES
        for alpha in ALPHAS
    ]
    found = measured(laws, estimates, effort.samples)
    truth = np.array([law.alpha for law in laws])
    errors = np.nanmean(found[..., 1:], axis=1) - truth[:, None]
    relative = (errors / (truth - 1.0)[:, None]).reshape(2, len(SIZES), len(ALPHAS), -1).mean(axis=2)
    deviations = np.nanstd(found[..., 1], axis=1, ddof=1) / (truth - 1.0)
    excess = deviations.reshape(2, len(SIZES), -1).mean(axis=2)[0] * np.sqrt(SIZES)
    rows = [(*law.labels, *spreads(each, truth=law.alpha)) for law, each in zip(laws, found, strict=True)]

    def percent(bulk: int, name: str) -> str:
        shares = (f"{100 * share:+.1f} %" for share in relative[bulk, :, FROM_EVALS.index(name)])
        return " / ".join(shares)

    sizes = " / ".join(f"{n:,}" for n in SIZES)
    hill = errors.reshape(2, len(SIZES), len(ALPHAS), -1)[1, -1, :, -1]
    return f"""## Samples of a power law

Independent draws: n from a power law that begins at 1, or, with a bulk, a quarter of n from it and the rest uniform
between 0 and 1. `tail` is the median number of eigenvalues in the tail that the scan chose; then come mean error ±
standard deviation over {effort.samples:,} samples. The standard error of a mean error is the deviation beside it
times {1 / math.sqrt(effort.samples):.3f}.

{table(("bulk", "n", "true alpha", "tail", *FROM_EVALS), rows)}

Without a bulk every error is a share of alpha - 1, whatever alpha is. Over the five exponents, at n = {sizes}:

- `alpha` is off by {percent(0, "alpha")} of alpha - 1, `alpha_unbiased` by {percent(0, "alpha_unbiased")},
  `bounded_alpha`, whose upper bound is the largest eigenvalue, by {percent(0, "bounded_alpha")}.
- `alpha` scatters {" / ".join(f"{ratio:.2f}" for ratio in excess)} times as much as (alpha - 1)/√n, the scatter with
  lambda_min known: what the choice of lambda_min costs, and it does not go away with n.

With a bulk `alpha` is off by {percent(1, "alpha")} of alpha - 1, `alpha_unbiased` by
{percent(1, "alpha_unbiased")}: the correction knows nothing of the choice of lambda_min, and takes off half of it or
somewhat more.

`hill_alpha` starts at the median, inside this bulk: its error at n = {SIZES[-1]:,} is {span(hill, "+.2f")}, and more
eigenvalues do not change it. It measures the shape of the upper half, not the exponent of a tail that begins elsewhere.
"""


def gaussian_section(effort: Effort) -> str:
    """What the estimators say where there is no tail."""
    laws = [Law((f"{q}", f"{q * N_COLS:,} x {N_COLS}"), gaussian(q), math.nan) for q in ASPECTS]
    found = measured(laws, matrix_estimates, effort.matrices)
    means = np.nanmean(found, axis=1)
    rows = [(*law.labels, *spreads(each)) for law, each in zip(laws, found, strict=True)]
    return f"""## Gaussian matrices

Independent normal entries: no tail, no true alpha. Mean ± standard deviation over {effort.matrices} matrices.
`farms_alpha` is `hill_alpha` of square windows.

{table(("Q", "shape", "tail", *FROM_WEIGHTS), rows)}

The scan always finds something: here an `alpha` of {span(means[:, 1], ".0f")} on average, over a few dozen eigenvalues
at the edge of the bulk, and another one on the next matrix of the same law. A large `alpha` says that there is no tail,
and its size says nothing. `hill_alpha` hardly scatters, but goes from {means[0, 4]:.2f} at Q = {ASPECTS[0]} to
{means[-1, 4]:.2f} at Q = {ASPECTS[-1]} though nothing was learned: compare it between layers of one shape alone.
`farms_alpha` is {span(means[:, 5])} for every Q.
"""


def heavy_section(effort: Effort) -> str:
    """Matrices whose entries have a power law."""
    laws = [
        Law((f"{mu}", f"{q * N_COLS:,} x {N_COLS}", f"{alpha_of_mu(mu):.2f}"), heavy_tailed(q, mu), alpha_of_mu(mu))
        for mu in MUS
        for q in HEAVY_ASPECTS
    ]
    found = measured(laws, matrix_estimates, effort.matrices)
    means = np.nanmean(found, axis=1).reshape(len(MUS), len(HEAVY_ASPECTS), -1)
    rows = [(*law.labels, *spreads(each)) for law, each in zip(laws, found, strict=True)]
    scan = "\n".join(
        f"- mu = {mu}: {span(each[:, 1])}, where theory says {alpha_of_mu(mu):.2f}"
        for mu, each in zip(MUS, means, strict=True)
    )
    return f"""## Matrices of heavy-tailed entries

Independent entries of random sign with P(|W| > x) = x^-mu. For mu < 2 the spectrum has alpha = 1 + mu/2 in the limit of
large matrices; for 2 < mu < 4 the limit is the Marchenko-Pastur law, and theory gives that exponent to the outlying
eigenvalues alone. Mean ± standard deviation over {effort.matrices} matrices.

{table(("mu", "shape", "theory", "tail", *FROM_WEIGHTS), rows)}

Means of `alpha` over the shapes:

{scan}

So the theory can be read off a matrix of {N_COLS} columns for the heaviest tails alone, and from mu = 2 on `alpha` is
far too high. `hill_alpha` and `farms_alpha` grow with mu as well, but not as the
theory does: at mu = {MUS[-1]} `farms_alpha` is {span(means[-1, :, 5])}, about that of a Gaussian matrix.
"""


def intervals_section(effort: Effort) -> str:
    """How often intervals hold the true exponent."""
    laws = [
        Law((f"{kind}, alpha = {alpha}", f"{n:,}"), sample_of(n, alpha, bulk=bulk), alpha)
        for kind, bulk, alpha in (("power law", False, 2.5), ("with a bulk", True, 2.0), ("with a bulk", True, 3.0))
        for n in SIZES
    ]
    n_samples = len(laws)
    for mu in MUS[:2]:
        draw = heavy_tailed(2, mu)
        labels = (f"matrix of entries of mu = {mu}", f"{N_COLS}")
        laws.append(Law(labels, lambda rng, draw=draw: spectrum_of(draw(rng)), alpha_of_mu(mu)))  # type: ignore[misc]
    found = [ends_of_intervals(law, effort) for law in laws]
    held = np.array(
        [
            ((ends[..., 0] <= law.alpha) & (law.alpha <= ends[..., 1])).mean(axis=0)
            for law, (ends, _) in zip(laws, found, strict=True)
        ]
    )
    errors = np.sqrt(held * (1.0 - held) / effort.spectra)
    widths = np.array([np.median(ends[..., 1] - ends[..., 0], axis=0) for ends, _ in found])

    def cells(row: int, kind: int) -> tuple[str, str]:
        return f"{100 * held[row, kind]:.1f} ± {100 * errors[row, kind]:.1f} %", f"{widths[row, kind]:.2f}"

    intervals = [(*law.labels, *cells(row, 0), *cells(row, 1)) for row, law in enumerate(laws)]
    near = [
        (*law.labels, *cells(row, 2), f"{np.median(minima[:, 1]):,.0f}", f"{100 * np.mean(minima[:, 0] > 1):.0f} %")
        for row, (law, (_, minima)) in enumerate(zip(laws, found, strict=True))
    ]
    samples, matrices = 100 * held[:n_samples], 100 * held[n_samples:]
    small = samples[len(SIZES) :: len(SIZES), 1]
    z = NormalDist().inv_cdf(0.5 + LEVEL / 2.0)
    sigma, bootstrap = f"`alpha` ± {z:.3f} `alpha_sigma`", f"bootstrap, level {LEVEL}"
    return f"""## Intervals

How often an interval that should hold the true exponent in {100 * LEVEL:.0f} % of the cases does, ± standard error,
over {effort.spectra} spectra; {effort.replicas} replicas a bootstrap interval. The width is the median. The samples are
drawn as for the first table; the matrices have {2 * N_COLS:,} x {N_COLS} heavy-tailed entries, and their true exponent
is that of the limit.

{table(("spectra", "n", sigma, "width", bootstrap, "width"), intervals)}

On samples `alpha` ± {z:.3f} `alpha_sigma` holds the truth in {span(samples[:, 0], ".0f")} % of the cases: it takes
lambda_min for known. The bootstrap interval, which chooses lambda_min anew, holds it in {span(samples[:, 1], ".0f")} %;
with a bulk and n = {SIZES[0]}, {TAIL_SHARE * SIZES[0]:.0f} of them in the tail, in {span(small, ".0f")} %. It is
wider, and holds the truth more often, in every row, and about as often as it says from n = {SIZES[1]} on.

On the matrices of mu = {MUS[0]} and {MUS[1]} the first holds it in {matrices[0, 0]:.0f} and {matrices[1, 0]:.0f} %, the
second in {matrices[0, 1]:.0f} and {matrices[1, 1]:.0f} %: neither knows of the difference between a matrix of this size
and the limit.

## Minima that are nearly as deep

`alpha_low` to `alpha_high`: the exponents of all tails whose D is within its own noise of the smallest, on the same
spectra. `candidates` is the median number of such tails, `several` the share of spectra with two or more separate
minima.

{table(("spectra", "n", "holds the truth", "width", "candidates", "several"), near)}

The range holds the truth in {span(samples[:, 2], ".0f")} % of the samples: it is no confidence interval. The tails in
it share most of their eigenvalues, so they err together. What a wide range says is that D does not decide where the
tail begins; a narrow one does not say that alpha is right.
"""


def page(effort: Effort) -> str:
    """The whole page, in Markdown."""
    sections = (samples_section, gaussian_section, heavy_section, intervals_section)
    return f"""# How well alpha is estimated

Bias, spread and intervals of the estimators where the truth is known. The names are those of the columns in
[metrics.md](metrics.md). `python docs/make_estimators.py` makes this page, with every number in it (seed
{SEED}, one thread).

{chr(10).join(section(effort) for section in sections)}"""


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description="Make docs/estimators.md.")
    parser.add_argument("--quick", action="store_true", help="few draws, for a test")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("estimators.md"))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    chosen.output.write_text(page(QUICK if chosen.quick else FULL), encoding="utf-8")


if __name__ == "__main__":
    main()

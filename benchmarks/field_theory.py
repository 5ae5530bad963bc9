"""The tables of docs/field-theory.md: theories of the learning curve against what is measured.

    python -m benchmarks.field_theory [--only NAME] [--largest 3500]

Every number is seeded. The whole takes about 10 minutes on two cores, most of it for the networks of width 2,048 and
the kernel regression on 3,500 examples.
"""

import argparse
import time

import numpy as np
import torch

from setol.field_theory import Architecture, LearningCurve, Spectrum, learning_curve, sphere_spectrum
from setol.field_theory.renormalization import cut_spectrum, trim_taylor
from setol_zoo.lab.finite_width import train_widths
from setol_zoo.lab.kernel_regression import measure

PAPER = Architecture(hidden_layers=3, weight_variance=1, bias_variance=1, input_scale=1 / 50)
DEEP = Architecture(hidden_layers=3, weight_variance=1, bias_variance=1)
DATA_SETS = {100: 40, 250: 24, 500: 12, 1000: 6, 2000: 2, 3500: 1}


def seeded(seed: int = 0) -> torch.Generator:
    """Where random inputs come from."""
    return torch.Generator().manual_seed(seed)


def row(*cells: object) -> None:
    """A line of a Markdown table."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def paper(largest: int) -> None:
    """The paper's setting: d = 50, noiseless, tangent kernel trimmed at order 3, half of the target in degrees 1 and 2.

    Args:
        largest: Number of examples to go up to.
    """
    power = [0, 0.5, 0.5]
    whole, trimmed = sphere_spectrum(PAPER, 50), trim_taylor(PAPER, 50, 3)
    row("N", "measured", "T/N", "equivalent kernel", "paper", "next order", "self-consistent")
    for count, data_sets in DATA_SETS.items():
        if count > largest:
            continue
        found = measure(whole, power, [count], architecture=PAPER, data_sets=data_sets, generator=seeded())
        curves = [
            learning_curve(trimmed.spectrum, power, [count], ridge=trimmed.added_ridge, method=method)
            for method in ("equivalent_kernel", "paper", "next_order")
        ]
        curves.append(learning_curve(whole, power, [count]))
        off = [f"{curve.error[0] / found.error[0] - 1:+.1%}" for curve in curves]
        told = f"{found.error[0]:.4f} ± {found.standard_error[0]:.4f} ({data_sets})"
        row(count, told, f"{curves[1].expansion[0]:.2f}", *off)


def degrees(_: int) -> None:
    """Deviation of the self-consistent theory by degree, over ridges and numbers of examples."""
    whole = sphere_spectrum(DEEP, 15)
    counts, data_sets = [10, 25, 50, 100, 200, 400, 800], [60, 60, 60, 40, 24, 12, 8]
    row("degree", "median, N >= 25", "largest, N >= 25", "largest, N = 10")
    for degree in (1, 2, 3):
        power = [0.0] * degree + [1.0]
        off = []
        for ridge in (0.0, 0.1, 1.0):
            found = [
                measure(whole, power, [count], architecture=DEEP, ridge=ridge, data_sets=many, generator=seeded())
                for count, many in zip(counts, data_sets, strict=True)
            ]
            theory = learning_curve(whole, power, counts, ridge=ridge).error
            off.append(np.abs(theory / [each.error[0] for each in found] - 1))
        few, many_examples = np.array(off)[:, 0], np.array(off)[:, 1:]
        row(degree, f"{np.median(many_examples):.1%}", f"{many_examples.max():.1%}", f"{few.max():.1%}")


def renormalizations(_: int) -> None:
    """How far up a kernel has to be kept: the self-consistent error with each cut, d = 15, N = 400."""
    power, whole = [0, 0.5, 0.5], sphere_spectrum(DEEP, 15)
    row("kept up to", "Taylor trim: added ridge", "error", "spectral cut: error", "whole kernel")
    full = learning_curve(whole, power, [400]).error[0]
    for order in (2, 3, 4, 6, 8):
        trimmed, cut = trim_taylor(DEEP, 15, order), cut_spectrum(whole, order)
        errors = [
            learning_curve(each.spectrum, power, [400], ridge=each.added_ridge).error[0] for each in (trimmed, cut)
        ]
        row(order, f"{trimmed.added_ridge:.3f}", *(f"{error:.4f}" for error in (*errors, full)))


def orders(_: int) -> None:
    """The first correction in 1/N: d = 8, kernel trimmed at order 2 (44 modes), ridge 0.05, degree 2."""
    power, trimmed = [0, 0, 1], trim_taylor(DEEP, 8, 2)
    row("N", "measured, N fixed", "measured, N Poisson", "self-consistent", "next order", "paper")

    def coefficient(error: float, count: int) -> float:
        alone = learning_curve(trimmed.spectrum, power, [count], ridge=0.05, method="equivalent_kernel").error[0]
        return count * (error / float(alone) - 1)

    for count, data_sets in ((400, 160), (800, 160)):
        measured = []
        for poisson in (False, True):
            found = measure(
                trimmed.spectrum, power, [count], ridge=0.05, data_sets=data_sets, poisson=poisson, generator=seeded()
            )
            middle, end = (coefficient(found.error[0] + more, count) for more in (0, found.standard_error[0]))
            measured.append(f"{middle:.1f} ± {end - middle:.1f}")
        theories = [
            coefficient(
                float(learning_curve(trimmed.spectrum, power, [count], ridge=0.05, method=method).error[0]), count
            )
            for method in ("self_consistent", "next_order", "paper")
        ]
        row(count, *measured, *(f"{each:.1f}" for each in theories))


def peak(_: int) -> None:
    """Not monotone: label noise without ridge makes a peak where the examples determine degrees 0 and 1, N = 16."""
    architecture = Architecture(
        hidden_layers=1, activation="erf", weight_variance=1, bias_variance=0.1, kernel="nngp", input_scale=0.2
    )
    whole = sphere_spectrum(architecture, 15)
    counts = [8, 12, 16, 20, 30, 60, 120, 300]
    words = {"ridge": 1e-10, "label_noise": 0.5}
    found = measure(whole, [0, 1], counts, architecture=architecture, data_sets=100, generator=seeded(), **words)
    theory = learning_curve(whole, [0, 1], counts, **words).error
    row("N", *counts)
    row("measured", *(f"{each:.3f}" for each in found.error))
    row("self-consistent", *(f"{each:.3f}" for each in theory))


def widths(_: int) -> None:
    """Networks of finite width by gradient descent: d = 10, two hidden layers, 64 examples, five data sets."""
    architecture = Architecture(hidden_layers=2, weight_variance=2, bias_variance=0.1)
    power = [0, 0.6, 0.4]
    theory = learning_curve(sphere_spectrum(architecture, 10), power, [64]).error[0]
    print(f"self-consistent: {theory:.4f}")
    row("width", "network's error", "kernel's error", "(network - kernel)^2", "training error")
    for each in train_widths(architecture, 10, power, 64, [128, 512, 2048], generator=seeded()):
        told = (f"{number:.4f}" for number in (each.error, each.kernel_error, each.distance))
        row(each.width, *told, f"{each.training_error:.0e}")


def speed(_: int) -> None:
    """Seconds: the spectrum, and a curve of 100 points and 40 degrees."""

    def seconds(of: object) -> float:
        best = np.inf
        for _ in range(5):
            start = time.perf_counter()
            of()  # type: ignore[operator]
            best = min(best, time.perf_counter() - start)
        return float(best)

    whole, counts = sphere_spectrum(DEEP, 15), np.geomspace(10, 1e5, 100)
    row("spectrum, d = 15, 40 degrees (series)", f"{seconds(lambda: sphere_spectrum(DEEP, 15)):.3f} s")
    row("spectrum, d = 5, 40 degrees (quadrature)", f"{seconds(lambda: sphere_spectrum(DEEP, 5)):.3f} s")

    def curve(spectrum: Spectrum = whole) -> LearningCurve:
        return learning_curve(spectrum, [0, 0.5, 0.5], counts, label_noise=0.1)

    row("curve of 100 points", f"{seconds(curve):.4f} s")


TABLES = {
    "speed": speed,
    "renormalizations": renormalizations,
    "orders": orders,
    "peak": peak,
    "degrees": degrees,
    "paper": paper,
    "widths": widths,
}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=TABLES, action="append", help="a table; may be repeated")
    parser.add_argument("--largest", type=int, default=3500, help="examples of the paper's setting")
    arguments = parser.parse_args()
    for name in arguments.only or TABLES:
        table = TABLES[name]
        print(f"\n{(table.__doc__ or '').splitlines()[0]}\n", flush=True)
        start = time.process_time()
        table(arguments.largest)
        print(f"\n({time.process_time() - start:.0f} s of processor time)", flush=True)


if __name__ == "__main__":
    main()

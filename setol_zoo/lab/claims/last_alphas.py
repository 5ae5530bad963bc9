"""Where the runs of fc2 alone end: whether their spectra differ, or where their tails are taken to begin."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.formats import fixed
from setol_zoo.lab.claims.evidence import Evidence
from setol_zoo.lab.claims.published import middle, published
from setol_zoo.lab.claims.records import Part, Table
from setol_zoo.lab.claims.spread import Spread, spread
from setol_zoo.lab.claims.words import listed, measured, percent, percent_of

SPLIT = 0.25
"""Seeds have gone different ways where their last alphas have this standard deviation: a single fit of fc2 has 0.1."""

_LOW = 1.8
"""Alpha below which all of them have to fall first."""


@dataclass(frozen=True, slots=True)
class Ends:
    """The runs of one learning rate.

    Attributes:
        rate: The learning rate.
        least: The least alpha of each run.
        test_error: Test error where alpha is least.
        alphas: The last alphas, ascending.
        last: The same as a spread.
        hill: Exponent of the upper half of the last spectrum, whose lower end is fixed; None where not known.
        near: Least and largest alpha of fits nearly as good as the last one, means; None where they are not known.
        errors: Last test and train error.
    """

    rate: float
    least: Spread
    test_error: Spread
    alphas: tuple[float, ...]
    last: Spread
    hill: Spread | None
    near: tuple[Spread, Spread] | None
    errors: tuple[Spread | None, Spread | None]

    @property
    def splits(self) -> bool:
        """Whether the runs fell below 2 together and ended apart."""
        return self.last.sd is not None and self.last.sd > SPLIT and self.least.mean < _LOW


def last_alphas(found: Evidence, rows: pd.DataFrame) -> Part | None:
    """What the runs of which fc2 alone learned say; None where there are none.

    Args:
        found: Whether published numbers stand beside them.
        rows: Of fc2, all epochs.
    """
    own = rows[(rows["epoch"] >= 1) & rows["alpha"].notna()].sort_values("epoch")
    ends = [each for rate, here in own.groupby("learning_rate") if (each := _ends(float(rate), here))]
    if not ends:
        return None
    told = [
        f"fc2 alone, learning rate {each.rate:g}: the least alpha is {measured(each.least)}, with a test error of "
        f"{percent(each.test_error)} %, and {'the seeds end' if each.last.n > 1 else 'the one seed ends'} at "
        f"{listed([fixed(alpha) for alpha in each.alphas])}"
        for each in ends
        if each is ends[-1] or each.splits
    ]
    told += [_of_the_spectrum(each) for each in ends if each.splits and each.hill and each.near]
    if found.comparable:
        theirs = published().numbers["overloading"]["fc2"]
        told.append(
            f"Published for learning rates 0.16 and 0.32: {fixed(middle(theirs['least_alpha']))}, "
            f"{percent_of(middle(theirs['test_error']), 1)} %, and "
            f"{listed([fixed(each) for each in theirs['last_alpha']])}"
        )
    judged = (any(each.splits for each in ends),) if any(each.last.n > 1 for each in ends) else ()
    return Part(judged, tuple(told), _table(ends))


def _ends(rate: float, rows: pd.DataFrame) -> Ends | None:
    runs = [run for _, run in rows.groupby("training")]
    lowest = pd.DataFrame([run.loc[run["alpha"].idxmin()] for run in runs])
    last = pd.DataFrame([run.iloc[-1] for run in runs])
    least, error, ended = spread(lowest["alpha"]), spread(lowest["test_error"]), spread(last["alpha"])
    if least is None or error is None or ended is None:
        return None
    hill, low, high = (
        spread(last[name]) if name in last else None for name in ("hill_alpha", "alpha_low", "alpha_high")
    )
    return Ends(
        rate,
        least,
        error,
        tuple(map(float, np.sort(last["alpha"]))),
        ended,
        hill,
        (low, high) if low and high else None,
        (spread(last["test_error"]), spread(last["train_error"])),
    )


def _of_the_spectrum(each: Ends) -> str:
    """Whether an exponent whose lower end is not chosen splits too."""
    assert each.hill and each.near
    low, high = each.near
    same = each.hill.sd is not None and each.last.sd is not None and each.hill.sd < each.last.sd / 3
    return (
        f"At {each.rate:g} the last alphas are {measured(each.last)}, the exponents of the upper half of the spectrum "
        f"(hill_alpha) {measured(each.hill)}, and fits nearly as good have alphas from {fixed(low.mean)} to "
        f"{fixed(high.mean)} (means): what splits is "
        f"{'where the tail is taken to begin, more than the spectrum' if same else 'the spectrum too'}"
    )


def _table(ends: list[Ends]) -> Table:
    header = (
        *("learning rate", "seeds", "least alpha", "test error % there", "last alphas", "hill_alpha", "nearly as good"),
        *("last test error %", "last train error %"),
    )
    rows = tuple(
        (
            f"{each.rate:g}",
            str(each.last.n),
            measured(each.least),
            percent(each.test_error),
            ", ".join(map(fixed, each.alphas)),
            measured(each.hill),
            f"{fixed(each.near[0].mean)} to {fixed(each.near[1].mean)}" if each.near else fixed(None),
            percent(each.errors[0]),
            percent(each.errors[1]),
        )
        for each in ends
    )
    caption = (
        "fc2 alone: the least alpha on the way, and where the seeds end. hill_alpha: exponent of the upper half of "
        "the spectrum. Nearly as good: least and largest alpha of such fits (alpha_low, alpha_high)"
        f"{', means over seeds' if any(each.last.n > 1 for each in ends) else ''}."
    )
    return Table(caption, header, rows)

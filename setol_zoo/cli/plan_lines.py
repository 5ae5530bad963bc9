"""What a plan says under its table: what is skipped, what a run takes, and what it waits for."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from catalogs.amounts import count_in_words, operations_in_words, size_in_words, time_in_words
from setol_zoo.cli.plan_files import PlannedFile

if TYPE_CHECKING:
    from catalogs import WeightFile
    from pipeline.display.forecast import Forecast, Workers

_DOWNLOADED = ("hub", "timm", "torchvision", "url")


def remarks(rows: Sequence[PlannedFile]) -> list[str]:
    """How the numbers were had, and which tensors a run will skip."""
    from catalogs import counted
    from setol import Reason

    skips: Counter[str] = Counter()
    for row in rows:
        skips.update(row.estimate.skipped if row.estimate else {})
    sentences = {each.value: each.sentence for each in Reason}
    lines = [
        f"skipped: {counted(count, 'tensor')}, {reason}: {sentences[reason]}" for reason, count in skips.most_common()
    ]
    if opened := sum(row.pickle for row in rows):
        lines.append(f"{counted(opened, 'pickled file')} had to be opened to see shapes, as weights alone")
    if alike := sum(row.like is not None for row in rows):
        lines.append(f"{counted(alike, 'file')} told by the header of another of the same architecture and size")
    for why, n_files in Counter(row.note for row in rows if row.unknown).items():
        lines.append(f"{counted(n_files, 'file')} {why}; what it costs is guessed from its size")
    return lines


def unreached(rows: Sequence[PlannedFile], files: Sequence["WeightFile"]) -> list[str]:
    """What the network is needed for, and what the catalog knows of the models that it did not reach.

    Args:
        rows: The files of the plan.
        files: The rows of the catalog.
    """
    from catalogs import counted, parse_model_key

    failed = {row.model for row in rows if row.to_do == "fails"}
    missed = {each.model: each for each in files if each.model in failed}
    missed = {model: each for model, each in missed.items() if parse_model_key(model).source in _DOWNLOADED}
    if not missed:
        return []
    needs = "the hub tells commit, size, sha256 and header of a file; one at another address is downloaded and hashed"
    lines = [f"{counted(len(missed), 'model')} not reached: {needs}"]
    known = [each.params for each in missed.values() if each.params is not None]
    if known:
        told = f"  by the catalog, {len(known):,} with {count_in_words(sum(known))} parameters"
        lines.append(f"{told}, about {size_in_words(4 * sum(known))} at 4 bytes each")
    return lines


def totals(rows: Sequence[PlannedFile], found: "Forecast", workers: "Workers", assumed: str) -> list[str]:
    """What there is to do, what it takes, and what the run will wait for.

    Args:
        rows: The files of the plan.
        found: The forecast.
        workers: What it is made for.
        assumed: Words behind the network's rate where nobody gave it.
    """
    from catalogs import counted

    compute = [row for row in rows if row.to_do == "compute"]
    base = [row for row in rows if row.to_do == "subtract"]
    scores_only = sum(row.to_do == "scores only" for row in rows)
    told = f"{counted(len(rows) - len(base) - scores_only, 'weight file')}: {len(compute)} to do ({_size(compute)}"
    if remote := [row for row in compute if row.fetch]:
        told += f", {_size(remote)} of it to fetch"
    told += ")"
    if base:
        told += f", minus a base of {_size(base)}{' to fetch once' if any(row.fetch for row in base) else ''}"
    if n_refit := sum(row.to_do == "refit" for row in rows):
        told += f", {n_refit} to refit from spectra that are there"
    if n_fail := sum(row.to_do == "fails" for row in rows):
        told += f", {n_fail} cannot be had or read"
    if scores_only:
        told += f"; {counted(scores_only, 'model has', 'models have')} scores only"
    todo = [row for row in rows if row.cost is not None]
    if not todo:
        return [told]
    return [told, *_facts(todo, found, workers), verdict(found, workers, assumed)]


def _facts(todo: Sequence[PlannedFile], found: "Forecast", workers: "Workers") -> list[str]:
    estimates = [row.estimate for row in todo if row.estimate]
    seconds = sum(row.cost.seconds for row in todo if row.cost)
    gram, eigen = sum(each.gram_flops for each in estimates), sum(each.eigen_flops for each in estimates)
    work = f"about {time_in_words(seconds)} of one thread, good to a factor of two on CPUs"
    if gram:
        work += f" ({operations_in_words(gram)} of products, {operations_in_words(eigen)} of eigenvalues)"
    lines = [f"  compute  {work}"]
    if held := [row for row in todo if row.cost and row.to_do == "compute"]:
        most = max(held, key=lambda row: row.cost.memory if row.cost else 0)
        assert most.cost is not None
        largest = most.estimate.largest if most.estimate else None
        why = f"{most.name}, {largest.n_rows:,} × {largest.n_cols:,}" if largest else f"{most.name}, by its size"
        lines.append(f"  memory   up to {size_in_words(most.cost.memory)} a worker ({why})")
    lines.append(f"  results  {size_in_words(found.stored)} in {found.writes:,} files")
    if found.price is not None:
        hours = "worker hours" if workers.count > 1 else "hours"
        kept = f"about ${found.storage_price:,.2f}" if found.storage_price >= 0.01 else "less than $0.01"
        lines.append(
            f"  price    {found.price:,.2f} for {found.worker_hours:,.1f} {hours} at {workers.hourly:g}; object "
            f"storage takes {kept} in the first month"
        )
    return lines


def verdict(found: "Forecast", workers: "Workers", assumed: str) -> str:
    """How long the run takes and what it waits for, in a line."""
    from catalogs import counted

    crew = f"{time_in_words(found.compute_seconds)} on {counted(workers.count, 'worker')}{_advice(found, workers)}"
    told = f"  time     about {time_in_words(found.seconds)}"
    if not found.network_seconds:
        return f"{told}, nothing to fetch: {crew}"
    fetch = f"{time_in_words(found.network_seconds)} to fetch at {_rate(workers.network)}{assumed}"
    if found.bottleneck == "network":
        return f"{told}, the network is the bottleneck: {fetch}, {crew}"
    return f"{told}, compute is the bottleneck: {crew}, {fetch}"


def _advice(found: "Forecast", workers: "Workers") -> str:
    if found.useful_workers < workers.count:
        return f" ({found.useful_workers} would do)"
    return f" (shorter with up to {found.useful_workers:,})" if found.useful_workers > workers.count else ""


def _rate(rate: float) -> str:
    bits = 8 * rate
    return f"{bits / 1e9:g} Gbit/s" if bits >= 1e9 else f"{bits / 1e6:g} Mbit/s"


def _size(rows: Sequence[PlannedFile]) -> str:
    """Their size, with a plus where that of some is not known."""
    return size_in_words(sum(row.bytes or 0 for row in rows)) + ("+" if any(row.bytes is None for row in rows) else "")

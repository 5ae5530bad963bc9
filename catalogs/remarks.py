"""What a valid catalog leaves open: rows that can be read, but that statistics would like to know more of."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from catalogs.names import counted
from catalogs.records import Catalog, WeightFile

FEWEST_IN_FAMILY = 5
"""Models of a family from which on something is tested within it."""

_FEWEST_ALIKE = 3  # scores that are equal by chance are fewer
_NAMED = 5
_LOW = 1.0  # percent: an accuracy is hardly ever lower, and as a fraction never higher


def remarks(catalog: Catalog) -> tuple[str, ...]:
    """What is missing or odd in a catalog, a sentence each; none if nothing is.

    Looked at are: one primary score for each model and dataset, accuracies in percent that look like fractions,
    parameters, licences, sizes of families, and models that look the same without a common `duplicate_group`.
    """
    models = list({file.model: file for file in catalog.files}.values())
    return tuple(
        [
            *_without_primary(catalog),
            *_fractions(catalog),
            *_unknown(models, "params", "the number of parameters, which the first baseline needs"),
            *_unknown(models, "licence", "the licence of the weights"),
            *_unknown(models, "family", "the family, so no comparison within one has them"),
            *_small_families(models),
            *_twins(catalog, models),
        ]
    )


def _without_primary(catalog: Catalog) -> Iterable[str]:
    have = {(score.model, score.dataset) for score in catalog.scores if score.primary}
    lack = Counter(dataset for model, dataset in {(s.model, s.dataset) for s in catalog.scores} - have)
    for dataset, count in sorted(lack.items()):
        yield f"{counted(count, 'model')} with scores on {dataset} of which none is primary"


def _fractions(catalog: Catalog) -> Iterable[str]:
    low: Counter[tuple[str, str]] = Counter(
        (score.metric, score.dataset)
        for score in catalog.scores
        if score.unit == "percent" and score.higher_is_better and 0 < score.value <= _LOW
    )
    for (metric, dataset), count in sorted(low.items()):
        yield f"{counted(count, 'score')} {metric} on {dataset} of at most 1 percent: are these fractions?"


def _unknown(models: Sequence[WeightFile], column: str, what: str) -> Iterable[str]:
    lack = [file.name for file in models if getattr(file, column) is None]
    if lack:
        yield f"{counted(len(lack), 'model lacks', 'models lack')} {what}: {_some(lack)}"


def _small_families(models: Sequence[WeightFile]) -> Iterable[str]:
    sizes = Counter(file.family for file in models if file.family is not None)
    small = [family for family, size in sizes.items() if size < FEWEST_IN_FAMILY]
    if small:
        told = f"{len(small):,} of {counted(len(sizes), 'family has', 'families have')}"
        yield f"{told} fewer than {FEWEST_IN_FAMILY} models, too few for a test within: {_some(sorted(small))}"


def _twins(catalog: Catalog, models: Sequence[WeightFile]) -> Iterable[str]:
    """Models of the same weights, or of the same size with the same scores, that no duplicate group joins."""
    hashes: dict[str, list[str]] = defaultdict(list)
    for file in catalog.files:
        hashes[file.model].append(file.weights_sha256 or "")
    scores: dict[str, list[tuple[str, str, float]]] = defaultdict(list)
    for score in catalog.scores:
        if score.primary:
            scores[score.model].append((score.dataset, score.metric, score.value))
    by_weights, by_scores = defaultdict(list), defaultdict(list)
    for file in models:
        if "" not in hashes[file.model]:
            by_weights[tuple(sorted(hashes[file.model]))].append(file)
        if len(scores[file.model]) >= _FEWEST_ALIKE and file.params is not None:
            by_scores[file.params, tuple(sorted(scores[file.model]))].append(file)
    yield from _not_joined(by_weights.values(), "have the same weights")
    yield from _not_joined(by_scores.values(), "have the same scores and size")


def _not_joined(groups: Iterable[Sequence[WeightFile]], told: str) -> Iterable[str]:
    for group in groups:
        joined = {file.duplicate_group for file in group}
        if len(group) > 1 and (len(joined) > 1 or None in joined):
            yield f"{_some([file.name for file in group])} {told}, and no duplicate_group says so"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more

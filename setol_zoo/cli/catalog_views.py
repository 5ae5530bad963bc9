"""What `setol catalog` shows of catalogs, as tables."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from catalogs import Catalog, CatalogError, Score, WeightFile, parse_model_key, unknown_name
from catalogs.amounts import count_in_words

NO_FAMILY = "(none)"


def listed(catalog: Catalog) -> dict[str, Any]:
    """A catalog in one row: how much is in it. `fetchable` are the models whose weights can be had."""
    return {
        "catalog": catalog.name,
        "models": len(catalog.models),
        "fetchable": len({file.model for file in fetchable(catalog)}),
        "scores": len(catalog.scores),
        "datasets": len({score.dataset for score in catalog.scores}),
        "families": len({file.family for file in catalog.files} - {None}),
        "licence": catalog.licence,
        "title": catalog.title,
    }


def fetchable(catalog: Catalog) -> list[WeightFile]:
    """The weight files of the models that are not there for their scores alone."""
    return [file for file in catalog.files if parse_model_key(file.model).source != "scores"]


def chosen_part(catalog: Catalog, families: Sequence[str], dataset: str | None) -> Catalog:
    """The models of some families (of all, if none is named) that have a score on a dataset (if one is named).

    Raises:
        CatalogError: There is no such family or dataset; the message names the nearest.
    """
    of_family = {file.family or NO_FAMILY for file in catalog.files}
    for family in families:
        if family not in of_family:
            raise CatalogError(f"catalog {catalog.name}: {unknown_name('family', family, sorted(of_family))}")
    held = {file.model for file in catalog.files if not families or (file.family or NO_FAMILY) in families}
    if dataset is not None:
        datasets = {score.dataset for score in catalog.scores}
        if dataset not in datasets:
            raise CatalogError(f"catalog {catalog.name}: {unknown_name('dataset', dataset, sorted(datasets))}")
        held &= {score.model for score in catalog.scores if score.dataset == dataset}
    return catalog.only(held)


def main_dataset(catalog: Catalog) -> str | None:
    """The dataset on which the most models have a primary score, of several the first; None without scores."""
    counts = Counter(score.dataset for score in catalog.scores if score.primary)
    return counts.most_common(1)[0][0] if counts else None


def family_rows(catalog: Catalog, dataset: str | None) -> list[dict[str, Any]]:
    """A row a family: its models, their sizes, and the range of their scores on one dataset."""
    scores = _primary(catalog, dataset)
    groups: dict[str, list[WeightFile]] = defaultdict(list)
    for file in {file.model: file for file in catalog.files}.values():
        groups[file.family or NO_FAMILY].append(file)
    return [
        {
            "family": family,
            "models": len(files),
            "architectures": len({file.architecture for file in files} - {None}),
            "params": _range(
                [count_in_words(file.params) for file in sorted(files, key=_params) if file.params is not None]
            ),
            "scored": sum(file.model in scores for file in files),
            "score": _range(
                [f"{value:g}" for value in sorted(scores[f.model].value for f in files if f.model in scores)]
            ),
        }
        for family, files in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def model_rows(catalog: Catalog, dataset: str | None) -> list[dict[str, Any]]:
    """A row a model: what it is, its primary score on a dataset (or its first, if None), and how many more it has.

    Of scores that are all of one kind only the values stand there.
    """
    counts = Counter(score.model for score in catalog.scores if score.primary)
    scores = _primary(catalog, dataset)
    alike = len(score_kinds(catalog, dataset)) == 1
    rows = []
    for file in {file.model: file for file in catalog.files}.values():
        score = scores.get(file.model)
        rows.append(
            {
                "model": file.name,
                "family": file.family,
                "params": None if file.params is None else count_in_words(file.params),
                "score": None if score is None else f"{score.value:g}" if alike else score_in_words(score),
                "more": counts[file.model] - (score is not None),
                "pretrain": file.pretrain,
                "recipe": file.recipe,
                "licence": file.licence,
            }
        )
    return rows


def score_in_words(score: Score) -> str:
    """Such as `cifar-10 err@1 8.27 percent`."""
    return f"{score.dataset} {score.metric} {score.value:g} {score.unit}"


def score_kinds(catalog: Catalog, dataset: str | None) -> list[str]:
    """What the primary scores on a dataset (or the first of each model, if None) are: `imagenet-1k acc@1, percent`."""
    return sorted({f"{s.dataset} {s.metric}, {s.unit}" for s in _primary(catalog, dataset).values()})


def _primary(catalog: Catalog, dataset: str | None) -> dict[str, Score]:
    """By model, its primary score on a dataset; the first of all if that is None."""
    found: dict[str, Score] = {}
    for score in catalog.scores:
        if score.primary and dataset in (None, score.dataset):
            found.setdefault(score.model, score)
    return found


def _params(file: WeightFile) -> int:
    return file.params or 0


def _range(told: Collection[str]) -> str | None:
    """The first and the last of some that are in order; None without any."""
    if not told:
        return None
    first, *_, last = [*told, *told]
    return first if first == last else f"{first} - {last}"

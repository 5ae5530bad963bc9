"""How much ranks of models, and correlations with their scores, depend on choices that are seldom reported.

A metric is a number a layer; that of a model depends on which layers are averaged, and how. Each choice is compared
with the default on the same models, so what changes is the choice and not the models.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.opening.results import Results
from analysis.samples.choices import DEFAULT, NotComputed, choices, not_computed, order_note
from analysis.samples.published import distinct, of_dataset, published
from analysis.samples.sample import Target
from analysis.studies.effects import Effect, effects, ranking, scoring
from catalogs import counted

METRICS = ("alpha", "alpha_hat", "log_alpha_norm", "log_norm", "log_spectral_norm", "erg_delta", "stable_rank")
"""Columns of `layers` that are compared where none are named."""


@dataclass(frozen=True, slots=True)
class Described:
    """A choice in words.

    Attributes:
        name: A few of them.
        meaning: The same in a phrase.
        config: The configuration that it is taken from.
        n_layers: Layers that it takes, in all models together.
    """

    name: str
    meaning: str
    config: str
    n_layers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """What all choices do to all metrics.

    Attributes:
        config: The configuration that choices about layers were made in.
        target: The score; None where no model has one.
        other_datasets: Further data sets that scores are known of.
        n_models: Finished models, each content once, which are ranked.
        n_scored: Models with the score, finished or not.
        choices: What they are, the default first.
        effects: A row a metric and choice, in their order.
        not_computed: Choices that the folder has no metrics of.
        notes: Sentences on what the choices rest on.
    """

    config: str
    target: Target | None
    other_datasets: tuple[str, ...]
    n_models: int
    n_scored: int
    choices: tuple[Described, ...]
    effects: tuple[Effect, ...]
    not_computed: tuple[NotComputed, ...]
    notes: tuple[str, ...]

    def of(self, metric: str) -> tuple[Effect, ...]:
        """The rows of one metric, the default first."""
        return tuple(each for each in self.effects if each.metric == metric)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics, in the order that they were asked for."""
        return tuple(dict.fromkeys(each.metric for each in self.effects))


def sensitivity(results: Results, *, metrics: Sequence[str] = METRICS, dataset: str | None = None) -> Sensitivity:
    """Compare all choices that a results folder has the numbers for.

    Args:
        results: Open results.
        metrics: Columns of `layers`.
        dataset: What the scores were measured on; by default the one with most models in families of at least 4.

    Raises:
        AnalysisError: A metric or data set is unknown.
    """
    metrics = tuple(dict.fromkeys(metrics))
    several = published(results)
    scored = of_dataset(several, dataset)
    ranked = distinct(
        results.rows(
            """SELECT model, name, family, content, duplicate_group FROM models
            WHERE status = 'done' ORDER BY family, model"""
        )
    )
    keys = tuple(row["model"] for row in ranked)
    if scored is not None:
        finished = {model for model, status in zip(scored.models, scored.statuses, strict=True) if status == "done"}
        keys = tuple(dict.fromkeys([*keys, *(model for model in scored.models if model in finished)]))
    place = {model: index for index, model in enumerate(keys)}
    found = choices(results, keys, metrics)
    of_ranks = ranking([row["name"] for row in ranked], [row["family"] for row in ranked])
    of_scores = None if scored is None else scoring(scored, place)
    others = dict.fromkeys(each.target.dataset for each in several if each is not scored)
    if scored is not None:
        others.pop(scored.target.dataset, None)
    note = order_note(results)
    return Sensitivity(
        config=results.config,
        target=None if scored is None else scored.target,
        other_datasets=tuple(others),
        n_models=len(ranked),
        n_scored=0 if scored is None else len(scored.models),
        choices=tuple(Described(each.name, each.meaning, each.config, each.n_layers) for each in found),
        effects=tuple(each for metric in metrics for each in effects(metric, found, of_ranks, of_scores)),
        not_computed=not_computed(results, found),
        notes=() if note is None else (note,),
    )


def headlines(found: Sensitivity) -> tuple[str, ...]:
    """What is to be known first: how far taus with the score run, whose sign does not hold, and the largest move.

    Args:
        found: The comparison.
    """
    said = [f"{metric}: no layer of this configuration has it." for metric in found.metrics if not known(found, metric)]
    ranges = {metric: span for metric in found.metrics if (span := score_range(found, metric)) is not None}
    if ranges:
        widest = max(ranges, key=lambda metric: _width(ranges[metric]))
        first = "alpha_hat" if "alpha_hat" in ranges else widest
        said += [_range_sentence(found, metric, *ranges[metric]) for metric in dict.fromkeys((first, widest))]
        turned = [metric for metric, span in ranges.items() if min(map(_tau, span)) < 0 < max(map(_tau, span))]
        if turned:
            said.append(f"Whether tau is above or below 0 is a matter of choice for {', '.join(turned)}.")
    elif found.target is not None:
        scores = f"{found.target.score_metric} on {found.target.dataset}"
        said.append(f"{counted(found.n_scored, 'model')} with {scores}: no tau, which needs 5 and values that differ.")
    if most := max((each for each in found.effects if each.moved), key=lambda each: each.moved or 0, default=None):
        said.append(
            f"The largest move: ranked by {most.metric}, {most.moved_model} is {most.moved_from:g} of {most.n_common} "
            f"by default and {most.moved_to:g} under {most.choice!r}."
        )
    elif any(each.n_common > 1 for each in found.effects):
        said.append("No choice changes the rank of any model.")
    return tuple(said)


def known(found: Sensitivity, metric: str) -> bool:
    """Whether any model has a metric under any choice.

    Args:
        found: The comparison.
        metric: One of its metrics.
    """
    return any(each.n for each in found.of(metric))


def score_range(found: Sensitivity, metric: str) -> tuple[Effect, Effect] | None:
    """The choices under which a metric's tau with the score is smallest and largest; None without any tau.

    Args:
        found: The comparison.
        metric: One of its metrics.
    """
    several = [each for each in found.of(metric) if each.tau is not None]
    return (min(several, key=_tau), max(several, key=_tau)) if several else None


def _tau(effect: Effect) -> float:
    return 0.0 if effect.tau is None else effect.tau


def _width(span: tuple[Effect, Effect]) -> float:
    return _tau(span[1]) - _tau(span[0])


def _range_sentence(found: Sensitivity, metric: str, low: Effect, high: Effect) -> str:
    several = [each for each in found.of(metric) if each.tau is not None]
    default = next((f"is {_tau(each):.2f}" for each in several if each.choice == DEFAULT), "is not known")
    if _width((low, high)) < _NOTHING:
        return f"{metric}: tau with the score {default} by default, and the same under all {len(several)} choices."
    ends = [
        f"{_tau(each):.2f} ({each.choice}{f', {each.n_scored} models' if each.n_scored < found.n_scored else ''})"
        for each in (low, high)
    ]
    return f"{metric}: tau with the score {default} by default, and {ends[0]} to {ends[1]} over {len(several)} choices."


_NOTHING = 1e-9

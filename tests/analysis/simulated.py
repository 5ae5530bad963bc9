"""Zoos made of random numbers of which it is known what is true: families of models, metrics, scores, sizes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.samples.sample import Sample, Target

Vector = NDArray[np.float64]
Codes = NDArray[np.int64]

METRICS = 6
"""Metrics of a zoo; the first is the one that a scenario speaks of, the others go along with it by half."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What is true of a zoo. Scores are in percent; metrics have a standard deviation of about 1 within a family.

    Attributes:
        effect: Mean over families of the slope of the score on the metric's own variation, percent a unit.
        effect_sd: How far slopes differ from family to family.
        between: Slope of the families' scores on the families' metrics.
        size_gain: Mean over families of the slope of the score on log10 of the parameters.
        size_in_metric: Slope of the metric on log10 of the parameters.
        own: Standard deviation of the metric within a family, size aside.
        metric_error: Mean standard error of a metric, of its layers' scatter; it differs from model to model.
        noise: Standard deviation of the score within a family, all else aside.
        recipes: Standard deviation of what the three recipes of a family, each used for several networks, do to score
            and to metric, one knowing nothing of the other.
        missing: Share of models without the metric, at random.
        missing_with_score: Log-odds of having no metric, per standard deviation of the score within a family.
        duplicates: Share of models that are there again under another name.
    """

    effect: float = 0.0
    effect_sd: float = 0.0
    between: float = 0.0
    size_gain: float = 0.0
    size_in_metric: float = 0.0
    own: float = 1.0
    metric_error: float = 0.0
    noise: float = 1.0
    recipes: float = 0.0
    missing: float = 0.0
    missing_with_score: float = 0.0
    duplicates: float = 0.15


SCENARIOS = {
    "noise": Scenario(),
    "slopes": Scenario(effect_sd=1.0, size_gain=5.0),
    "confounded": Scenario(size_gain=5.0, size_in_metric=2.0),
    "recipes": Scenario(recipes=1.5, size_gain=5.0),
    "effect": Scenario(effect=0.6, effect_sd=0.4, size_gain=5.0, metric_error=0.3),
    "reversal": Scenario(effect=-1.0, effect_sd=0.3, between=2.5, size_gain=0.0),
}
"""`noise`: nothing goes with anything. `slopes`: slopes of score on metric that differ by family, zero on average.
`confounded`: the metric goes with size, and size with the score, nothing else. `recipes`: models of one recipe are
alike in score and in metric, each for itself, so models are not independent. `effect`: one on top of size, of a metric
that is measured with error. `reversal`: within families the opposite of between them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Zoo:
    """One simulated zoo; arrays of shape (n,), metrics (n, METRICS).

    Attributes:
        scenario: What is true of it.
        families: Codes 0..F-1, models of a family together.
        architectures: Codes; models of one differ in training alone, so have one size and depth.
        content: Codes; models of one are the same under two names.
        slopes: What holds of each family, shape (F,).
        metrics: As measured, NaN where missing.
        errors: Standard errors of the metrics.
        truth: The first metric without its error and complete.
    """

    scenario: Scenario
    families: Codes
    architectures: Codes
    content: Codes
    slopes: Vector
    log10_params: Vector
    depth: Vector
    metrics: Vector
    errors: Vector
    truth: Vector
    score: Vector
    score_error: Vector

    @property
    def n(self) -> int:
        """Models."""
        return len(self.score)

    @property
    def metric(self) -> Vector:
        """The first metric."""
        column: Vector = self.metrics[:, 0]
        return column

    def once(self) -> "Zoo":
        """Every content once, as a `Sample` holds it."""
        return self.where(np.sort(np.unique(self.content, return_index=True)[1]))

    def measured(self) -> "Zoo":
        """The models that have the first metric, and the families that still have two or more of them."""
        there = np.isfinite(self.metric)
        sizes = np.bincount(self.families[there], minlength=len(self.slopes))
        return self.where(np.flatnonzero(there & (sizes[self.families] > 1)))

    def where(self, places: Codes) -> "Zoo":
        """Some of its models; codes of families are made dense again."""
        kept, families = np.unique(self.families[places], return_inverse=True)
        return Zoo(
            scenario=self.scenario,
            families=families.astype(np.int64),
            architectures=self.architectures[places],
            content=self.content[places],
            slopes=self.slopes[kept],
            log10_params=self.log10_params[places],
            depth=self.depth[places],
            metrics=self.metrics[places],
            errors=self.errors[places],
            truth=self.truth[places],
            score=self.score[places],
            score_error=self.score_error[places],
        )

    def sample(self) -> Sample:
        """The same as statistics get it from results or tables."""
        names = [f"metric_{place}" for place in range(METRICS)]
        columns = dict(zip(names, self.metrics.T, strict=True))
        return Sample(
            target=Target(dataset="d", split="val", score_metric="acc@1", unit="percent", higher_is_better=True),
            models=tuple(f"m{place}" for place in range(self.n)),
            families=tuple(f"family {code:03}" for code in self.families),
            architectures=tuple(f"net {code:04}" for code in self.architectures),
            score=self.score,
            score_error=self.score_error,
            columns=columns | {"log10_params": self.log10_params, "depth": self.depth},
            errors=dict(zip(names, self.errors.T, strict=True)),
        )


def simulated(
    scenario: Scenario,
    rng: np.random.Generator,
    *,
    n_families: int | None = None,
    sizes: Codes | None = None,
    n_test: int = 10_000,
) -> Zoo:
    """Make a zoo.

    Args:
        scenario: What is true of it.
        rng: Draws it.
        n_families: Families; 10 to 40 if not given.
        sizes: Models of each family without duplicates; 4 to 20 each if not given.
        n_test: Examples that scores were measured on.
    """
    if sizes is None:
        sizes = rng.integers(4, 21, n_families or int(rng.integers(10, 41)))
    count = len(sizes)
    families = np.repeat(np.arange(count), sizes)
    n = len(families)
    architectures = _architectures(families, rng)
    net, first = architectures, np.unique(architectures, return_index=True)[1]
    centre, spread = rng.normal(7.4, 0.4, count), rng.uniform(0.2, 0.45, count)
    log10_params = (centre[families] + spread[families] * rng.standard_normal(n))[first][net]
    depth = np.maximum(3, np.round(20 + 40 * (log10_params - 6.5) + rng.normal(0, 8, n)[first][net]))
    log10_params = np.log10(np.round(10**log10_params))

    own = scenario.own * (0.7 * rng.standard_normal((n, 1)) + 0.7 * rng.standard_normal((n, METRICS)))
    own[:, 0] = scenario.own * rng.standard_normal(n)
    own[:, 1:] += 0.5 * own[:, :1]
    recipe = 3 * families + rng.integers(0, 3, n)
    own += scenario.recipes * rng.standard_normal((3 * count, METRICS))[recipe]
    of_recipe = scenario.recipes * rng.standard_normal(3 * count)[recipe]
    level = rng.standard_normal((count, METRICS)) * 1.5
    within_size = log10_params - 7.4
    truth = level[families] + scenario.size_in_metric * within_size[:, None] + own
    errors = scenario.metric_error * rng.gamma(4, 1 / 4, (n, METRICS))
    metrics = truth + errors * rng.standard_normal((n, METRICS))

    slopes = scenario.effect + scenario.effect_sd * rng.standard_normal(count)
    gains = scenario.size_gain * rng.gamma(8, 1 / 8, count)
    noise = scenario.noise * np.exp(rng.normal(0, 0.3, count))
    centre_of_truth = np.bincount(families, truth[:, 0], count) / sizes
    score = (
        72
        + (scenario.between * centre_of_truth + rng.normal(0, 3, count))[families]
        + gains[families] * within_size
        + slopes[families] * (own[:, 0] - (np.bincount(families, own[:, 0], count) / sizes)[families])
        + of_recipe
        + noise[families] * rng.standard_normal(n)
    )
    chance = np.clip(score / 100, 0.02, 0.98)
    score_error = 100 * np.sqrt(chance * (1 - chance) / n_test)
    score = score + score_error * rng.standard_normal(n)
    around = score - (np.bincount(families, score, count) / sizes)[families]
    log_odds = np.log(scenario.missing / (1 - scenario.missing)) if scenario.missing else -np.inf
    log_odds = log_odds + scenario.missing_with_score * around / around.std()
    metrics[rng.random(n) < 1 / (1 + np.exp(-log_odds)), 0] = np.nan

    again = np.flatnonzero(rng.random(n) < scenario.duplicates)
    order = np.argsort(np.concatenate([np.arange(n), again]), kind="stable")
    places = np.concatenate([np.arange(n), again])[order]
    return Zoo(
        scenario=scenario,
        families=families[places],
        architectures=architectures[places],
        content=places,
        slopes=slopes,
        log10_params=log10_params[places],
        depth=depth[places],
        metrics=metrics[places],
        errors=errors[places],
        truth=truth[places, 0],
        score=score[places],
        score_error=score_error[places],
    )


def _architectures(families: Codes, rng: np.random.Generator) -> Codes:
    """Codes of networks: models of a family in groups of one to four that differ in how they were trained."""
    fresh = rng.random(len(families)) < 0.6
    fresh[np.diff(families, prepend=-1) != 0] = True
    return np.cumsum(fresh) - 1

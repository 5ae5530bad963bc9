from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from analysis.errors import AnalysisError
from analysis.samples.sample import Sample, Target
from analysis.studies.size import size_study
from analysis.studies.size_records import Added, Adds, SizeStudy

ACCURACY = Target(dataset="imagenet-1k", split="val", score_metric="acc@1", unit="percent", higher_is_better=True)


def sample(
    columns: Mapping[str, np.ndarray], score: np.ndarray, families: list, architectures: list | None = None
) -> Sample:
    n = len(score)
    return Sample(
        target=ACCURACY,
        models=tuple(f"test:{index}" for index in range(n)),
        families=tuple(families),
        architectures=tuple(architectures or [None] * n),
        score=score,
        score_error=np.full(n, np.nan),
        columns=columns,
        errors={},
    )


def zoo(seed: int = 0, count: int = 20, least: int = 6, most: int = 14) -> Sample:
    """Families of several networks, most of them trained twice; size is most of the score."""
    generator = np.random.default_rng(seed)
    families = [f"f{index:03}" for index in range(count) for _ in range(generator.integers(least, most + 1))]
    n = len(families)
    architectures = [f"n{index // 2}" for index in range(n)]
    step = generator.normal(size=n) / 2
    size = np.array([step[index - index % 2] for index in range(n)])
    recipe, noise, other = generator.normal(size=(3, n))
    return sample(
        {
            "log10_params": 7 + size,
            "depth": 50 + 10 * generator.normal(size=n),
            "confounder": size + 0.3 * other,
            "effect": -recipe + 0.3 * noise + size,
            "reversal": size + 0.2 * recipe,
            "noise": other,
        },
        75 + 6 * size - recipe + 0.3 * generator.normal(size=n),
        families,
        architectures,
    )


def row(study: SizeStudy, metric: str) -> Added:
    return next(one for one in study.rows if one.metric == metric)


@pytest.fixture(scope="module")
def studied() -> SizeStudy:
    return size_study(zoo(), ["confounder", "effect", "reversal", "noise"])


def test_a_confounder_an_effect_a_reversal_and_noise_are_called_what_they_are(studied: SizeStudy) -> None:
    assert {one.metric: one.verdict for one in studied.rows} == {
        "confounder": Adds.SIZE,
        "effect": Adds.ADDS,
        "reversal": Adds.REVERSED,
        "noise": Adds.NOTHING,
    }


def test_the_sentence_says_the_most_important_first(studied: SizeStudy) -> None:
    told = studied.sentence
    places = [told.index(name) for name in ("effect (", "reversal (", "confounder", "noise", "log10_params alone")]
    assert places == sorted(places)
    assert told.startswith("Beyond size, within families: effect (partial tau +0.")
    assert "of the squared error within unseen families goes away" in told
    assert "four times in five" in told


def test_predictions_of_unseen_families_get_better_by_an_effect_alone(studied: SizeStudy) -> None:
    effect, noise = row(studied, "effect"), row(studied, "noise")
    for error in (effect.differences, effect.scores):
        assert error.removed is not None and error.removed > 0.5
        assert error.interval is not None and error.interval.low > 0
    assert noise.differences.removed is not None and noise.differences.removed < 0.05


def test_matched_pairs_see_the_recipe_and_not_the_size(studied: SizeStudy) -> None:
    effect, noise = row(studied, "effect").matched, row(studied, "noise").matched
    assert effect.chance is not None and effect.chance < 0.15 and effect.p is not None and effect.p < 0.01
    assert noise.chance == pytest.approx(0.5, abs=0.15)


def test_p_is_adjusted_for_the_table(studied: SizeStudy) -> None:
    alone = row(size_study(zoo(), ["noise"]), "noise")
    together = row(studied, "noise")
    assert alone.partial == together.partial
    assert together.p_adjusted is not None and alone.p_adjusted is not None
    assert together.p_adjusted >= alone.p_adjusted


def test_a_common_bend_is_not_taken_for_an_effect() -> None:
    """Score and metric both saturate with size, and have nothing else in common."""
    generator = np.random.default_rng(0)
    families = [f"f{index}" for index in range(20) for _ in range(12)]
    size = generator.uniform(6, 8, 240)
    bent = -np.exp(-1.5 * (size - 6))
    study = size_study(
        sample(
            {"log10_params": size, "follower": bent + 0.08 * generator.normal(size=240)},
            bent + 0.08 * generator.normal(size=240),
            families,
        ),
        ["follower"],
    )
    found = row(study, "follower")
    assert found.p_adjusted is not None and found.p_adjusted < 0.01
    assert found.verdict is Adds.BENT
    assert study.sentence.startswith("Beyond a straight line of size, but not shown beyond a bent one")


def test_which_models_take_part_is_counted() -> None:
    whole = zoo()
    half = np.where(np.arange(whole.n) % 2, whole.columns["effect"], np.nan)
    size = whole.columns["log10_params"].copy()
    size[:3] = np.nan
    families = tuple(None if index in (3, 4) else name for index, name in enumerate(whole.families))
    study = size_study(
        replace(whole, families=families, columns={**whole.columns, "effect": half, "log10_params": size}),
        ["effect", "noise"],
    )
    assert (study.without_controls, study.without_family, study.models) == (3, 2, whole.n - 5)
    effect = row(study, "effect")
    assert effect.models + effect.missing == study.models == row(study, "noise").models
    assert effect.models == np.isfinite(half[5:]).sum()
    assert effect.partial.families + len(effect.left_out) <= study.families
    assert all(one.reason.endswith("of at least 5 models") for one in effect.left_out) and effect.left_out
    assert effect.matched.reason == "no two models of one architecture with different scores"


def test_depth_can_be_held_fixed_too() -> None:
    study = size_study(zoo(), ["effect", "depth"], controls=("log10_params", "depth"))
    assert [one.name for one in study.baselines] == ["log10_params", "depth"]
    assert [one.metric for one in study.rows] == ["effect"]
    assert row(study, "effect").verdict is Adds.ADDS
    assert study.sentence.startswith("Beyond size and depth, within families: effect (")


def test_a_metric_is_compared_with_size_itself(studied: SizeStudy) -> None:
    own = row(studied, "noise")
    assert own.over_size.tau is not None and own.over_size.tau < -0.5
    assert own.over_size.interval is not None and own.over_size.interval.high < 0
    size = studied.baselines[0].tau
    assert size.tau is not None and size.tau > 0.7


def test_few_families_are_not_judged() -> None:
    study = size_study(zoo(count=5), ["effect", "noise"])
    assert {one.verdict for one in study.rows} == {Adds.TOO_FEW}
    assert study.sentence.startswith(
        "What effect, noise add to size cannot be said with 5 families that can be tested; 6 are the fewest"
    )


def test_one_family_alone() -> None:
    study = size_study(zoo(count=1), ["effect"])
    found = row(study, "effect")
    assert (found.partial.families, found.partial.p, found.verdict) == (1, None, Adds.TOO_FEW)
    assert "with 1 family that can be tested" in study.sentence
    assert found.differences.reason == "1 of at least 5 families of two or more models"


def test_families_of_one_each() -> None:
    whole = zoo()
    study = size_study(replace(whole, families=tuple(map(str, range(whole.n)))), ["effect"])
    assert "cannot be said with 0 families" in study.sentence
    assert {one.reason for one in row(study, "effect").left_out} == {"1 of at least 4 models"}


@pytest.mark.parametrize("column", ["score", "metric"])
def test_all_equal(column: str) -> None:
    whole = zoo(count=8)
    flat = np.full(whole.n, 76.13)
    changed = (
        replace(whole, score=flat) if column == "score" else replace(whole, columns={**whole.columns, "effect": flat})
    )
    found = row(size_study(changed, ["effect"]), "effect")
    assert (found.partial.families, found.partial.tau, found.verdict) == (0, None, Adds.TOO_FEW)
    assert {one.reason for one in found.left_out} == {f"the {column} does not vary beyond the controls"}
    if column == "metric":
        assert found.matched.chance == 0.5 and found.differences.removed == pytest.approx(0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda whole: whole.where(np.zeros(whole.n, dtype=bool)), "there are no models with this score"),
        (lambda whole: replace(whole, families=(None,) * whole.n), "no model has a family"),
        (
            lambda whole: replace(whole, columns={"effect": whole.columns["effect"]}),
            "log10_params of the models is not known",
        ),
        (
            lambda whole: replace(whole, columns={**whole.columns, "log10_params": np.full(whole.n, np.nan)}),
            "log10_params of the models is not known",
        ),
    ],
)
def test_where_nothing_can_be_said_the_sentence_says_why(change: object, reason: str) -> None:
    study = size_study(change(zoo(count=8)), ["effect"])  # type: ignore[operator]
    assert study.rows == ()
    assert study.sentence == f"What the metrics add to size cannot be said: {reason}."


def test_controls_that_no_model_has_together() -> None:
    whole = zoo(count=8)
    even = np.arange(whole.n) % 2 == 0
    halves = {
        "log10_params": np.where(even, whole.columns["log10_params"], np.nan),
        "depth": np.where(even, np.nan, whole.columns["depth"]),
    }
    study = size_study(
        replace(whole, columns={**whole.columns, **halves}), ["effect"], controls=("log10_params", "depth")
    )
    assert study.rows == () and "no model has all of log10_params, depth" in study.sentence


def test_a_metric_that_no_model_has() -> None:
    whole = zoo(count=8)
    nowhere = replace(whole, columns={**whole.columns, "nowhere": np.full(whole.n, np.nan)})
    study = size_study(nowhere, ["nowhere", "effect"])
    found = row(study, "nowhere")
    assert (found.models, found.missing, found.verdict) == (0, whole.n, Adds.TOO_FEW)
    assert row(study, "effect").verdict is Adds.ADDS


def test_a_metric_or_control_that_is_not_there_is_named() -> None:
    with pytest.raises(AnalysisError, match=r"unknown metric 'efect'.*effect"):
        size_study(zoo(count=2), ["efect"])
    with pytest.raises(AnalysisError, match="unknown metric 'widht'"):
        size_study(zoo(count=2), ["effect"], controls=("widht",))
    with pytest.raises(AnalysisError, match="such as log10_params; no control was named"):
        size_study(zoo(count=2), ["effect"], controls=())


def test_an_architecture_name_that_stands_for_several_sizes_is_several() -> None:
    """Where a whole series has one name, pairs are of equal size still."""
    whole = zoo()
    one_name = replace(whole, architectures=("Net",) * whole.n)
    plain, pooled = (row(size_study(each, ["effect"]), "effect").matched for each in (whole, one_name))
    assert pooled.pairs == pytest.approx(plain.pairs, rel=0.2)
    assert pooled.chance is not None and plain.chance is not None and abs(pooled.chance - plain.chance) < 0.1


def test_names_of_families_and_the_order_of_models_do_not_matter() -> None:
    whole = zoo(count=9)
    order = np.random.default_rng(1).permutation(whole.n)
    shuffled = replace(
        whole,
        models=tuple(whole.models[index] for index in order),
        families=tuple(f"<b>{whole.families[index]}'; DROP" for index in order),
        architectures=tuple(whole.architectures[index] for index in order),
        score=whole.score[order],
        columns={name: values[order] for name, values in whole.columns.items()},
    )
    plain, moved = (row(size_study(each, ["effect"]), "effect") for each in (whole, shuffled))
    assert moved.partial.tau == pytest.approx(plain.partial.tau)
    assert moved.partial.p == plain.partial.p
    assert moved.scores.removed == pytest.approx(plain.scores.removed)
    assert moved.matched.chance == pytest.approx(plain.matched.chance)

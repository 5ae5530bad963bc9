"""Each claim from tables that bear it out, and from tables that do not: verdicts follow the numbers."""

import math
from dataclasses import replace

import pyarrow as pa
import pytest

from analysis.drawing.style import house_style, svg_of
from setol_zoo.lab.claims import (
    alpha_by_setting,
    error_by_alpha,
    over_regularization,
    overloading,
    quality,
    traps,
    truncation,
    walk,
)
from setol_zoo.lab.claims.every import CLAIMS, judge_all
from setol_zoo.lab.claims.evidence import evidence
from setol_zoo.lab.claims.published import published
from setol_zoo.lab.claims.records import Outcome, table_of
from tests.lab.made_tables import both_sweeps, made_tables

AS_CLAIMED = made_tables()


def found(**changes):
    return evidence(made_tables(**changes))


def joined(*several):
    return type(several[0])(
        *(pa.concat_tables([getattr(each, name) for each in several]) for name in ("networks", "layers"))
    )


@pytest.mark.parametrize(
    ("judge", "against"),
    [
        (alpha_by_setting.judge, {"last_alpha": lambda strength: 2 + 0.3 * math.log2(strength)}),
        (error_by_alpha.judge, {"test_error": lambda alpha: 0.01 + 0.002 * alpha}),
        (truncation.judge, {"ecs_cost": 0.01, "tail_cost": lambda alpha: 0.02 - 0.004 * alpha}),
        (traps.judge, {"traps": lambda layer, strength: 0.0}),
        (quality.judge, {"quality": lambda strength: -0.2 * math.log2(strength)}),
    ],
)
def test_a_claim_is_seen_in_networks_that_bear_it_out_and_not_in_others(judge, against):
    assert judge(evidence(AS_CLAIMED)).outcome is Outcome.SEEN
    assert judge(found(**against)).outcome is Outcome.NOT_SEEN


def test_the_numbers_of_a_verdict_are_those_of_the_tables():
    claim = alpha_by_setting.judge(evidence(AS_CLAIMED))
    assert "As the learning rate rises from 0.01 to 0.32, fc1's alpha falls from 3.6" in claim.verdict
    assert "(Spearman −0.9" in claim.verdict and "18 networks)" in claim.verdict
    assert "alpha of fc1 is 0." in claim.verdict.lower() and "on average over 12 settings" in claim.verdict
    rates, sizes, apart = claim.tables
    assert [row[0] for row in apart.rows] == ["alpha fc1", "alpha fc2", "erg_delta fc1", "erg_delta fc2"]
    assert [row[0] for row in rates.rows] == ["0.01", "0.02", "0.04", "0.08", "0.16", "0.32"]
    assert [row[0] for row in sizes.rows] == ["32", "16", "8", "4", "2", "1"]
    assert rates.rows[0][1] == "3" and rates.rows[0][3] == "3.63"  # seeds, and what was published
    assert [row[3] for row in sizes.rows] == ["3.63", "3.44", "3.22", "2.91", "2.46", "1.95"]


def test_the_walk_ends_where_erg_delta_is_zero():
    assert walk.judge(evidence(AS_CLAIMED)).outcome is Outcome.SEEN
    elsewhere = walk.judge(found(zero_at=2.3))
    assert elsewhere.outcome is Outcome.PARTLY
    assert "erg_delta of fc1 is 0 where alpha is 2.30 [2.30, 2.30]" in elsewhere.verdict
    never = walk.judge(found(last_alpha=lambda strength: 3.6 - 0.1 * math.log2(strength)))
    assert never.outcome is Outcome.PARTLY
    assert "Too few trainings reach erg_delta 0" in never.verdict


def test_the_rise_of_the_test_error_past_2_is_counted_seed_by_seed():
    claim = error_by_alpha.judge(evidence(AS_CLAIMED))
    # 0.002 (2.3 - 1.93) - 0.002 (2.3 - 2.27), in percentage points
    assert "At 0.32, with alpha below 2, it differs from that by +0.07 [0.0" in claim.verdict
    assert (
        error_by_alpha.judge(found(last_alpha=lambda strength: 3.6 - 0.1 * math.log2(strength))).outcome is Outcome.OPEN
    )


def test_over_regularized_layers_are_named_and_compared():
    claim = over_regularization.judge(evidence(AS_CLAIMED))
    assert claim.outcome is Outcome.SEEN
    assert "12 of 66 layers end with alpha below 2" in claim.verdict
    assert "fc1 at learning rate 0.32, batch size 32 (3)" in claim.verdict
    better = over_regularization.judge(found(test_error=lambda alpha: 0.01 + 0.002 * alpha))
    assert better.outcome is Outcome.PARTLY
    none = over_regularization.judge(found(last_alpha=lambda strength: 3.0))
    assert none.outcome is Outcome.OPEN
    assert none.missing == ("No layer with alpha below 2 at the end of training.",)


def test_published_train_errors_of_the_ecs_cut_are_set_against_the_held_out_examples():
    told = truncation.judge(evidence(AS_CLAIMED)).verdict
    # 0.1 of 1.78 % is 0.18, and 0.14 was published
    assert "adds 0.01 to 0.01 points here, and 0.14 to 0.21 in the paper: within 0.04 points of 10 %" in told


def test_traps_in_another_place_are_told():
    everywhere = traps.judge(found(traps=lambda layer, strength: 1.0))
    assert everywhere.outcome is Outcome.PARTLY
    assert "fc2 at batch size 32 (3 of 3 seeds)" in everywhere.verdict
    without = made_tables()
    by_mean = replace(without, layers=without.layers.drop_columns("n_traps"))
    claim = traps.judge(evidence(by_mean))
    assert claim.outcome is Outcome.NOT_SEEN
    assert "trap_theta above 1" in claim.verdict


def test_one_layer_alone():
    rates = [setting for setting in both_sweeps() if setting[1] == 32]
    alone = {
        layer: made_tables(settings=rates, trained=layer, last_alpha=lambda strength: 2.6 - 0.2 * math.log2(strength))
        for layer in ("fc1", "fc2")
    }
    first = overloading.judge(evidence(alone["fc1"]))
    assert first.outcome is Outcome.NOT_SEEN or first.outcome is Outcome.PARTLY
    assert first.missing == ("No network was trained with fc2 alone learning.",)
    both = overloading.judge(evidence(joined(alone["fc1"], alone["fc2"])))
    assert len(both.tables) == 2 and not both.missing
    curve = {row[0]: row for row in both.tables[0].rows}
    assert curve["2.5"][3] == "3.40" and curve["2"][5] == "2.60"  # published


def test_seeds_that_split_are_seen():
    rates = [setting for setting in both_sweeps() if setting[1] == 32]
    same = made_tables(settings=rates, trained="fc2", last_alpha=lambda strength: 1.1)
    layers = same.layers.to_pandas()
    assert overloading.judge(evidence(same)).outcome is Outcome.NOT_SEEN
    own = layers["training"].str.endswith("-0") & (layers["epoch"] == 20) & (layers["layer"] == "fc2")
    layers.loc[own, "alpha"] = 3.2
    split = replace(same, layers=pa.Table.from_pandas(layers, preserve_index=False))
    claim = overloading.judge(evidence(split))
    assert claim.outcome is Outcome.PARTLY
    assert "3.20" in claim.verdict and "hill_alpha" not in claim.verdict
    for hill, word in ((layers["alpha"], "the spectrum too"), (1.8, "where the tail is taken to begin")):
        known = layers.assign(hill_alpha=hill, alpha_low=1.5, alpha_high=3.5)
        told = overloading.judge(evidence(replace(same, layers=pa.Table.from_pandas(known, preserve_index=False))))
        assert f"what splits is {word}" in told.verdict


@pytest.mark.parametrize("judge", CLAIMS)
@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": 1},
        {"settings": []},
        {"settings": [(0.01, 32, 1)]},
        {"settings": [(0.01, 32, 1), (0.32, 32, 32)], "seeds": 2},
        {"data": "digits"},
        {"end": "diverged"},
        {"tail_train_error": None, "tail_test_error": None, "ecs_train_error": None, "ecs_test_error": None},
    ],
    ids=lambda changes: "-".join(map(str, changes)),
)
def test_what_is_missing_is_told(judge, changes):
    tables = AS_CLAIMED
    if changes.get("settings") == []:
        tables = type(tables)(tables.networks.slice(0, 0), tables.layers.slice(0, 0))
    else:
        tables = made_tables(**changes)
    claim = judge(evidence(tables))
    assert claim.verdict.endswith(".")
    assert "nan" not in claim.verdict and "None" not in claim.verdict
    assert claim.tables or claim.missing
    for table in claim.tables:
        assert all(len(row) == len(table.header) for row in table.rows)
        assert not any("nan" in cell for row in table.rows for cell in row)


@pytest.mark.parametrize(
    ("strengths", "words"),
    [
        ((1, 2), "has 2 settings, none of them 0.32; a verdict takes 3 or more, 0.01 and 0.32 among them."),
        ((2, 4, 8, 16), "has 4 settings, none of them 0.01 or 0.32; a verdict takes 3 or more"),
        ((1, 32), "has 2 settings; a verdict takes 3 or more"),
    ],
)
def test_a_sweep_that_is_too_narrow_decides_nothing(strengths, words):
    settings = [setting for setting in both_sweeps(strengths) if setting[1] == 32]
    alphas = {"last_alpha": lambda strength: 2 + 0.3 * math.log2(strength)}
    narrow = judge_all(found(settings=settings, **alphas))
    assert {claim.outcome for claim in narrow} == {Outcome.OPEN}
    for claim in narrow:
        assert claim.told_outcome.startswith("open: ") and claim.told_outcome.endswith(claim.missing[-1])
        if claim.name not in ("quality", "overloading"):
            assert f"The learning rate sweep {words}" in " ".join(claim.missing)
    settings = [setting for setting in both_sweeps((1, 4, 32)) if setting[1] == 32]
    assert alpha_by_setting.judge(found(settings=settings, **alphas)).outcome is Outcome.NOT_SEEN


def test_captions_tell_what_is_drawn():
    one = judge_all(evidence(made_tables(seeds=1, data="digits")))
    told = [each.caption for claim in one for each in (*claim.pictures, *claim.tables)]
    assert len(told) > 10
    assert not [text for text in told if "Bars" in text or "ublished" in text or "over seeds" in text]
    several = judge_all(evidence(AS_CLAIMED))
    drawn = {each.name: each.caption for claim in several for each in claim.pictures}
    assert {name for name, text in drawn.items() if "Bars: " in text} == {
        *("alpha_by_setting", "truncation", "traps", "quality")
    }
    assert {name for name, text in drawn.items() if "Hollow: " in text} == {
        *("alpha_by_setting", "error_by_alpha", "truncation")
    }
    assert all("over seeds" in table.caption for claim in several for table in claim.tables)


def test_lines_beyond_the_frame_are_told():
    beyond = "Lines that leave the frame began at larger alphas, which are not shown."
    (near,) = walk.judge(evidence(AS_CLAIMED)).pictures
    (far,) = walk.judge(found(last_alpha=lambda strength: 7 - 0.9 * math.log2(strength))).pictures
    assert beyond not in near.caption and beyond in far.caption


def test_networks_of_other_data_have_no_published_values_beside_them():
    other = evidence(made_tables(data="digits"))
    assert not other.comparable
    for claim in judge_all(other):
        assert not any("published" in name for table in claim.tables for name in table.header)
        assert "ublished" not in claim.verdict


def test_diverged_trainings_are_left_out_and_counted():
    tables = AS_CLAIMED
    networks = tables.networks.to_pandas()
    networks.loc[(networks["training"] == "all-0.32-32-0") & networks["last"], "end"] = "diverged"
    seen = evidence(replace(tables, networks=pa.Table.from_pandas(networks, preserve_index=False)))
    assert seen.diverged == 1
    assert "all-0.32-32-0" not in set(seen.networks["training"])
    rates = alpha_by_setting.judge(seen).tables[0]
    assert [row[1] for row in rates.rows] == ["3"] * 5 + ["2"]


def test_the_group_with_the_most_trainings_is_looked_at():
    small = made_tables(group="other", seeds=1)
    networks = small.networks.to_pandas()
    networks["training"] += "x"
    renamed = pa.Table.from_pandas(networks, preserve_index=False)
    seen = evidence(joined(AS_CLAIMED, replace(small, networks=renamed)))
    assert (seen.group, seen.left_out) == ("mnist mlp-300-100", ("other",))
    assert set(seen.networks["group"]) == {"mnist mlp-300-100"}


@pytest.mark.parametrize("judge", CLAIMS)
def test_pictures_can_be_drawn(judge):
    ends = both_sweeps((1, 32))
    several = [made_tables(settings=ends, trained=layers, seeds=2) for layers in ("all", "fc1", "fc2")]
    claim = judge(evidence(joined(*several)))
    assert claim.pictures
    for picture in claim.pictures:
        with house_style():
            assert svg_of(picture.draw(), picture.name).startswith("<svg")


def test_published_numbers():
    own = published()
    assert own.of("learning_rate", 0.16, "test_error") == 0.0164
    assert own.of("batch_size", 1, "erg_delta_fc1") == pytest.approx(-0.015)
    assert own.of("batch_size", 3, "alpha_fc1") is None
    assert own.of("learning_rate", 0.02, "erg_delta_fc2") is None
    assert own.truncation(0.01, "tail_test") == 0.0065
    assert own.quality("fc1", 32) == 14 and own.quality("fc1", 3) is None


def test_a_column_of_published_numbers_that_holds_none_is_left_out():
    table = table_of("Caption.", ("a", "published", "b", "published"), [("1", "–", "2", "3"), ("4", "–", "5", "–")])
    assert table.header == ("a", "b", "published")
    assert table.rows == (("1", "2", "3"), ("4", "5", "–"))
    assert table.caption == "Caption. Published: means of 5 runs."
    assert table_of("Caption.", ("a", "published"), [("1", "–")]).caption == "Caption."

"""The study of the trained zoo finds what was planted in a zoo, and nothing where nothing is."""

import dataclasses

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from analysis.drawing.style import house_style
from analysis.errors import AnalysisError
from analysis.studies.size_records import Adds
from setol_zoo.lab.claims.records import Outcome
from setol_zoo.lab.lab_tables import Tables
from setol_zoo.lab.zoo_report import judge_zoo
from setol_zoo.lab.zoo_sample import METRICS, OF_LAYERS, TRAINING, perfect_fit, true_labels, zoo_sample
from setol_zoo.lab.zoo_study import study

GROUPS, SIZE = 8, 8


def tables(*, planted: float, size: int = SIZE) -> Tables:
    """Groups in which test error follows training loss, and alpha beside it by as much as `planted`."""
    generator = np.random.default_rng(1)
    networks, layers = [], []
    for group in range(GROUPS):
        task = "easy" if group % 2 else "hard"
        for place in range(size):
            training, loss, own = f"{group:02}{place:02}", generator.uniform(0.1, 1), generator.normal()
            alpha = 3 + 0.1 * loss + own
            networks.append(
                {
                    "training": training,
                    "group": f"{task} mlp-{group}",
                    "architecture": "mlp",
                    "widths": str(group),
                    "label_noise": 0.2 * (place % 2),
                    "data_share": generator.uniform(0.1, 1),
                    "params": 1000 * (group + 1),
                    "epoch": 7,
                    "last": True,
                    "end": "converged",
                    "train_loss": loss,
                    "train_error": max(0.0, loss - 0.3),
                    "test_error": 0.1
                    + 0.1 * loss
                    + planted * own
                    + generator.normal(0, 0.002)
                    + (task == "hard") * 0.4,
                    "n_test": 10_000,
                }
            )
            for layer, status in (("fc1", "ok"), ("fc2", "ok"), ("out", "no_tail")):
                values = {name: generator.normal() for name in OF_LAYERS}
                values["alpha"] = alpha + (0.5 if layer == "fc1" else -0.5) if status == "ok" else None
                layers.append({"training": training, "epoch": 7, "layer": layer, "status": status, **values})
    return Tables(*(pa.Table.from_pandas(pd.DataFrame(rows)) for rows in (networks, layers)))


@pytest.fixture(scope="module")
def planted():
    return tables(planted=0.03)


def test_metrics_are_means_over_the_layers_with_a_tail(planted):
    sample = zoo_sample(planted)
    rows = [row for row in planted.layers.to_pylist() if row["training"] == "0102" and row["status"] == "ok"]
    place = sample.models.index("0102")
    assert len(rows) == 2
    assert sample.column("alpha_mean")[place] == pytest.approx(np.mean([row["alpha"] for row in rows]))
    assert sample.column("alpha_from_2_mean")[place] == pytest.approx(np.mean([abs(row["alpha"] - 2) for row in rows]))
    assert sample.families[place] == "easy mlp-1"
    assert sample.column("log10_params")[place] == pytest.approx(np.log10(2000))
    assert sample.score_error[place] == pytest.approx((sample.score[place] * (1 - sample.score[place]) / 1e4) ** 0.5)


def test_only_the_last_state_of_a_training_that_did_not_diverge_counts(planted):
    networks = planted.networks.to_pandas()
    networks.loc[networks["training"] == "0000", ["end", "test_error"]] = ["diverged", None]
    networks.loc[networks["training"] == "0001", "last"] = False
    left = zoo_sample(Tables(pa.Table.from_pandas(networks), planted.layers))
    assert set(zoo_sample(planted).models) - set(left.models) == {"0000", "0001"}
    with pytest.raises(AnalysisError, match="nothing was trained"):
        zoo_sample(Tables(planted.networks.slice(0, 0), planted.layers))


def test_what_was_planted_beside_training_loss_is_found(planted):
    found = study(zoo_sample(planted))
    alpha, loss = found.within["alpha_mean"], found.within["train_loss"]
    assert alpha.networks == GROUPS * SIZE
    assert alpha.tau.tau > 0.2
    assert loss.tau.tau > 0.5
    assert alpha.pooled == pytest.approx(alpha.tau.tau, abs=0.05)  # groups of one size
    row = found.beyond["training"]["alpha_mean"]
    assert row.verdict is Adds.ADDS
    assert row.partial.tau > alpha.tau.tau
    assert row.differences.removed > 0.5
    assert found.slopes["alpha_mean"].per_sd == pytest.approx(0.03, rel=0.15)
    others = [row for name, row in found.beyond["training"].items() if not name.startswith("alpha_")]
    assert not any(row.verdict is Adds.ADDS for row in others)


def test_what_follows_training_adds_nothing():
    """Alpha goes with the loss, and so does test error: alone it orders networks, with the loss known it does not."""
    sample = zoo_sample(tables(planted=0.0))
    noise = np.random.default_rng(2).normal(0, 0.1, sample.n)
    columns = {**sample.columns, "alpha_mean": sample.column("train_loss") + noise}
    score = sample.score + np.random.default_rng(3).normal(0, 0.01, sample.n)
    found = study(dataclasses.replace(sample, columns=columns, score=score))
    assert found.within["alpha_mean"].p < 0.05
    assert found.beyond["training"]["alpha_mean"].verdict is Adds.SIZE


def test_groups_are_compared_within_their_data_set():
    """The two data sets differ by 40 points; the mean of groups within each follows the number of parameters."""
    sample = zoo_sample(tables(planted=0.0, size=4))
    hard = np.array(["hard" in family for family in sample.families])
    size = sample.column("log10_params")
    found = study(dataclasses.replace(sample, score=0.1 + 0.1 * size + np.where(hard, 0.4, 0.0)))
    assert found.across["log10_params"].tau == pytest.approx(1)
    assert found.across["log10_params"].groups == GROUPS
    assert set(found.across) == {*METRICS, *TRAINING, "label_noise", "log10_data_share", "log10_params"}


def test_the_report_judges_each_question(planted):
    facts, claims = judge_zoo(planted)
    assert facts[0].startswith("64 trained networks in 8 groups")
    outcomes = {claim.name: claim.outcome for claim in claims}
    assert set(outcomes) == {
        "zoo_within",
        "zoo_true",
        "zoo_training",
        "zoo_labels",
        "zoo_perfect",
        "zoo_clean",
        "zoo_across",
    }
    # Of alpha, alpha_hat and erg_delta, the first was planted.
    assert outcomes["zoo_within"] is outcomes["zoo_training"] is Outcome.PARTLY
    assert outcomes["zoo_across"] is Outcome.NOT_SEEN
    assert all(claim.tables for claim in claims if claim.outcome is not Outcome.OPEN)
    with house_style():
        for claim in claims:
            for picture in claim.pictures:
                assert picture.draw().axes
    sample = zoo_sample(planted)
    assert int(true_labels(sample).sum()) == 32
    assert 0 < int(perfect_fit(sample).sum()) < 32


def test_without_networks_the_report_says_so(planted):
    facts, claims = judge_zoo(Tables(planted.networks.slice(0, 0), planted.layers.slice(0, 0)))
    assert claims == ()
    assert "no network of the experiment has a test error" in facts[0]
    few = Tables(planted.networks.slice(0, 20), planted.layers)
    assert {claim.outcome for claim in judge_zoo(few)[1]} == {Outcome.OPEN}

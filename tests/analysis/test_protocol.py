import tomllib
from dataclasses import replace
from datetime import date
from importlib import resources

import pytest

from analysis.errors import AnalysisError
from analysis.studies.protocol import Chosen, Outcome, excluded, outcome, protocol, read_protocol, standing
from catalogs import load_catalog

TEXT = resources.files("analysis").joinpath("protocol.toml").read_text(encoding="utf-8")
PRIMARY = Chosen(
    metric="alpha_hat_mean", dataset="imagenetv2-mf", split="test", score_metric="acc@1", pretrain=["in1k", "in1k"]
)


def test_the_packages_claim_can_be_put_to_its_catalog():
    fixed = protocol()
    assert fixed.fixed == date(2026, 11, 22)
    assert fixed.column == "alpha_hat_mean"
    catalog = load_catalog(fixed.catalog)
    assert {file.pretrain for file in catalog.files} == set(fixed.pretrain)
    scores = {(score.dataset, score.split, score.metric) for score in catalog.scores if score.primary}
    assert (fixed.dataset, fixed.split, fixed.score_metric) in scores


def test_the_protocol_that_was_fixed_is_the_one_that_is_used():
    """Another hash is another claim: a change has to be meant, and stands in the history of this line."""
    assert protocol().sha256 == "542bbe41fc3f"


def test_the_hash_is_of_the_values():
    fixed = protocol()
    assert len(fixed.sha256) == 12 and int(fixed.sha256, 16) >= 0
    lines = [line for line in TEXT.splitlines() if line and not line.startswith("#")]
    assert read_protocol("\n".join(reversed(lines)), "other.toml").sha256 == fixed.sha256
    for name, value in tomllib.loads(TEXT).items():
        changed = replace(fixed, **{name: (value, "more")})
        assert changed.sha256 != fixed.sha256


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("metric = ", "metrik = ", r"p\.toml: unknown key 'metrik' \(nearest: metric\); metric is missing"),
        ("level = 0.05", "level = 5", "level needs a number between 0 and 1, got 5"),
        ("fewest_in_family = 5", "fewest_in_family = 4", "fewest_in_family needs a whole number of at least 5, got 4"),
        ("fewest_in_family = 5", "fewest_in_family = true", "needs a whole number of at least 5, got True"),
        ('pretrain = ["in1k"]', 'pretrain = "in1k"', "pretrain needs a list of texts, got 'in1k'"),
        ('split = "test"', 'split = " "', "split needs a text, got ' '"),
        ('better = "smaller"', 'better = "less"', "better needs one of smaller, larger, got 'less'"),
        ('"toy nets"', '"bad models"', "exclude needs some of toy nets, duplicates, failed fits"),
        ("fixed = 2026-11-22", 'fixed = "today"', "fixed needs a day such as 2026-11-22, got 'today'"),
        ("level = 0.05", "level = ", r"p\.toml cannot be read as TOML"),
    ],
)
def test_what_a_protocol_cannot_say(old, new, said):
    assert old in TEXT
    with pytest.raises(AnalysisError, match=said):
        read_protocol(TEXT.replace(old, new, 1), "p.toml")


def test_the_primary_claim_and_all_else():
    assert standing(protocol(), PRIMARY).primary
    assert str(standing(protocol(), PRIMARY)) == "the primary claim"
    others = {
        "metric alpha_mean, not alpha_hat_mean": {"metric": "alpha_mean"},
        "data set imagenet-1k, not imagenetv2-mf": {"dataset": "imagenet-1k"},
        "split unknown, not test": {"split": None},
        "score err@1, not acc@1": {"score_metric": "err@1"},
        "family vit alone": {"family": "vit"},
        "pretraining in1k, in21k, unknown, not in1k": {"pretrain": ["in21k", None, "in1k"]},
        "pretraining none, not in1k": {"pretrain": []},
        "models per family at least 6, not at least 5": {"fewest_in_family": 6},
        "controls none, not log10_params": {"controls": ()},
        "left out duplicates, not duplicates, failed fits, toy nets": {"exclude": ("duplicates",)},
    }
    for said, changed in others.items():
        found = standing(protocol(), replace(PRIMARY, **changed))
        assert not found.primary
        assert str(found) == f"exploratory ({said})"
    both = standing(protocol(), replace(PRIMARY, metric="alpha_mean", family="vit"))
    assert both.differences == ("metric alpha_mean, not alpha_hat_mean", "family vit alone")


def test_toy_nets_are_seen_by_their_family():
    assert standing(protocol(), replace(PRIMARY, exclude=excluded(["vit", None]))).primary
    with_toys = standing(protocol(), replace(PRIMARY, exclude=excluded(["vit", "toy"])))
    assert with_toys.differences == ("left out duplicates, failed fits, not duplicates, failed fits, toy nets",)


@pytest.mark.parametrize(
    ("tau", "p", "higher", "expected"),
    [
        (-0.3, 0.01, True, Outcome.SHOWN),
        (0.3, 0.01, False, Outcome.SHOWN),
        (0.3, 0.01, True, Outcome.REVERSED),
        (-0.3, 0.01, False, Outcome.REVERSED),
        (-0.3, 0.06, True, Outcome.NOT_SHOWN),
        (-0.3, 0.05, True, Outcome.SHOWN),
        (None, None, True, Outcome.UNTESTED),
        (-0.3, None, True, Outcome.UNTESTED),
    ],
)
def test_outcomes(tau, p, higher, expected):
    assert outcome(protocol(), tau=tau, p=p, higher_is_better=higher) is expected
    turned = replace(protocol(), better="larger")
    mirrored = None if tau is None else -tau
    assert outcome(turned, tau=mirrored, p=p, higher_is_better=higher) is expected

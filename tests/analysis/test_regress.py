import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.errors import AnalysisError
from analysis.samples.sample import Sample, Target
from analysis.statistics.links import Link
from analysis.studies.regress import Method, regress
from setol_zoo.cli import main
from tests.analysis.statistics.slopes import Zoo, zoo
from tests.analysis.test_sensitivity import one, write

TARGET = Target(dataset="toys", split=None, score_metric="acc@1", unit="percent", higher_is_better=True)


def sample_of(made: Zoo, **columns) -> Sample:
    n = len(made.codes)
    return Sample(
        target=TARGET,
        models=tuple(f"m{i}" for i in range(n)),
        families=tuple(f"series {code}" for code in made.codes),
        architectures=(None,) * n,
        score=made.score,
        score_error=np.full(n, np.nan),
        columns={"alpha": made.metric, "log10_params": made.size, **columns},
        errors={"alpha": np.full(n, 0.2)},
    )


def test_every_method_is_there_and_the_sentence_says_what_was_put_in():
    found = regress(sample_of(zoo(1, 12, effect=-1.0)), ["alpha"], controls=["log10_params"])
    assert [row.method for row in found.rows] == list(Method)
    (alpha,) = found.metrics
    for method in (Method.TWO_STAGE, Method.RANDOM, Method.FIXED, Method.CORRECTED):
        row = alpha.row(method)
        assert row.interval is not None
        assert row.interval.low < -1 < row.interval.high < 0
    assert alpha.row(Method.TAU).estimate < -0.3
    assert alpha.row(Method.TWO_STAGE).p == alpha.row(Method.TWO_STAGE).p_adjusted
    assert alpha.row(Method.RANDOM).p is None
    assert alpha.row(Method.BETWEEN).p is None
    assert alpha.row(Method.CORRECTED).p is None
    assert alpha.sentence.startswith("alpha, given log10_params, within 12 families (")
    assert alpha.sentence.endswith("so smaller is better, beyond chance.")
    assert found.tests == 5


def test_a_metric_that_only_follows_size_is_told_from_one_that_adds():
    made = zoo(2, 14, slope_sd=0.0)
    raw = regress(sample_of(made), ["alpha"]).metrics[0]
    held = regress(sample_of(made), ["alpha"], controls=["log10_params"]).metrics[0]
    assert "beyond chance" in raw.sentence
    assert held.sentence.endswith("which may be chance.")


@pytest.mark.parametrize(("seed", "families"), [(57, 6), (49, 7)])
def test_nothing_is_called_beyond_chance_where_p_and_interval_differ(seed, families):
    (alpha,) = regress(sample_of(zoo(seed, families, effect=0.3)), ["alpha"]).metrics
    row = alpha.row(Method.TWO_STAGE)
    assert row.p <= 0.05
    assert row.interval.low <= 0 <= row.interval.high
    assert alpha.sentence.endswith("which may be chance.")


def test_a_reversal_is_named():
    sample = sample_of(zoo(3, 15, effect=-1.5, between=3.0))
    found = regress(sample, ["alpha"], controls=["log10_params"]).metrics[0]
    assert found.reversed
    assert found.sentence.endswith("all models together would mislead (Simpson's paradox).")
    assert found.row(Method.BETWEEN).estimate > 0 > found.row(Method.TWO_STAGE).estimate


def test_many_metrics_raise_the_p_and_leave_the_rest_as_it_was():
    made = zoo(4, 10, effect=0.6)
    noise = {f"noise{i}": np.random.default_rng(i).normal(size=len(made.codes)) for i in range(6)}
    sample = sample_of(made, **noise)
    alone = regress(sample, ["alpha"], controls=["log10_params"]).metrics[0].rows
    among = regress(sample, ["alpha", *noise, "alpha"], controls=["log10_params"])
    assert [each.metric for each in among.metrics] == ["alpha", *noise]
    first = among.metrics[0].rows
    assert (replace(first[0], p_adjusted=None), *first[1:]) == (replace(alone[0], p_adjusted=None), *alone[1:])
    assert first[0].p_adjusted >= alone[0].p_adjusted


def test_models_and_families_that_are_left_out_are_counted():
    made = zoo(5, 9)
    half = made.metric.copy()
    half[::2] = np.nan
    flat = np.where(made.codes == 3, 1.0, made.metric)
    sample = sample_of(made, half=half, flat=flat)
    sample = replace(sample, families=(None, *sample.families[1:]))
    found = regress(sample, ["half", "flat", "log10_params"], controls=["log10_params"])
    assert [each.metric for each in found.metrics] == ["half", "flat"]
    assert found.without_family == 1
    assert found.metrics[0].missing == int(np.isnan(half[1:]).sum())
    assert found.metrics[1].flat == ("series 3",)
    nothing = regress(replace(sample, columns={**sample.columns, "half": half * np.nan}), ["half"]).metrics[0]
    assert nothing.sentence == "half: cannot be judged: only 0 of at least 5 families."


def test_one_family_and_families_of_one_are_refused_with_a_reason():
    made = zoo(6, 8)
    one = replace(sample_of(made), families=("the one",) * len(made.codes))
    assert regress(one, ["alpha"]).metrics[0].rows[0].reason == "1 of at least 5 families"
    alone = replace(one, families=one.models)
    reason = regress(alone, ["alpha"]).metrics[0].rows[0].reason
    assert reason == f"0 of at least 5 families ({len(made.codes)} too small)"
    equal = replace(sample_of(made), score=np.full(len(made.codes), 70.0))
    assert all(row.p is None and row.interval is None for row in regress(equal, ["alpha"]).rows)


def test_the_logit_is_of_the_score_as_published():
    sample = sample_of(zoo(7, 9, effect=1.0))
    found = regress(sample, ["alpha"], controls=["log10_params"], link=Link.LOGIT)
    logit = np.log(sample.score / (100 - sample.score))
    by_hand = regress(replace(sample, score=logit), ["alpha"], controls=["log10_params"])
    assert found.scale == "logit"
    for row, other in zip(found.rows, by_hand.rows, strict=True):
        assert (row.p, row.families, row.reason) == (other.p, other.families, other.reason)
        assert row.estimate == pytest.approx(other.estimate)
    full = replace(sample, score=np.where(np.arange(sample.n) == 0, 100.0, sample.score))
    with pytest.raises(AnalysisError, match=r"no logit of acc@1: 1 of \d+ scores are 0 or all"):
        regress(full, ["alpha"], link=Link.LOGIT)
    with pytest.raises(AnalysisError, match=r"alpah.*alpha"):
        regress(sample, ["alpah"])


@pytest.fixture
def tables(tmp_path):
    made = zoo(8, 9, effect=-1.0)
    rows = list(zip(made.codes, made.metric, made.size, made.score, strict=True))
    metrics = [f"m{i},series {c},{x:.6f},{int(10 ** (7 + s / 4))}" for i, (c, x, s, _) in enumerate(rows)]
    scores = [f"m{i},toys,acc@1,{y:.6f},percent,true,true" for i, (_, _, _, y) in enumerate(rows)]
    (tmp_path / "metrics.csv").write_text("\n".join(["model,family,alpha_mean,params", *metrics]))
    header = "model,dataset,metric,value,unit,higher_is_better,primary"
    (tmp_path / "scores.csv").write_text("\n".join([header, *scores]))
    return ["--metrics", str(tmp_path / "metrics.csv"), "--scores", str(tmp_path / "scores.csv")]


def test_the_command_prints_words_a_table_and_what_to_type_next(tables):
    result = CliRunner().invoke(main, ["regress", *tables])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith("acc@1 in percent on toys: ")
    assert "so smaller is better, beyond chance." in lines[1]
    assert lines[-1].startswith("next: setol correlate --metrics ")
    one = CliRunner().invoke(main, ["regress", *tables, "--metric", "alpha_mean", "--control", "none"])
    assert one.exit_code == 0, one.output
    assert all(method.value in one.output for method in Method)
    assert "de-attenuated: nobody knows the standard errors of the metric" in one.output


def test_the_command_prints_json_and_refuses_what_does_not_fit(tables):
    result = CliRunner().invoke(main, ["regress", *tables, "--json", "--link", "logit"])
    (found,) = json.loads(result.output)["regressions"]
    assert found["scale"] == "logit"
    assert found["metrics"][0]["rows"][0]["families"] == 9
    wrong = CliRunner().invoke(main, ["regress", *tables, "--link", "log"])
    assert wrong.exit_code == 2
    assert "only perplexity is. Take the link identity." in wrong.output
    missing = CliRunner().invoke(main, ["regress", *tables, "--control", "dpeth"])
    assert missing.exit_code == 2
    assert "dpeth" in missing.output
    scores = CliRunner().invoke(main, ["regress", "--scores", "demo"])
    assert scores.exit_code == 2
    assert "--scores needs --metrics" in scores.output and "setol correlate --scores demo" in scores.output
    alone = CliRunner().invoke(main, ["regress", *tables[:2]])
    assert alone.exit_code == 2
    assert "--metrics needs --scores" in alone.output


def test_results_bring_the_standard_errors_of_layer_means_along(tmp_path):
    random = np.random.default_rng(9)
    families = [f"series {family}" for family in range(7) for _ in range(6)]
    means = random.normal(4, 0.5, len(families))
    layers = [[one(f"w{place}", mean + random.normal(0, 0.4)) for place in range(6)] for mean in means]
    scores = [80 - 5 * mean + random.normal(0, 0.5) for mean in means]
    write(tmp_path / "results", layers, scores, families)
    words = ["regress", "--results", str(tmp_path / "results"), "--metric", "alpha_mean", "--control", "none"]
    result = CliRunner().invoke(main, [*words, "--json"])
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.output)["regressions"]
    rows = {row["method"]: row for row in found["metrics"][0]["rows"]}
    corrected, fixed = rows["de-attenuated"], rows["fixed effects"]
    assert 0.5 < corrected["reliability"] < 1
    assert abs(corrected["estimate"]) > abs(fixed["estimate"])
    assert rows["two-stage slope"]["p"] == pytest.approx(2 / 2**7)
    again = CliRunner().invoke(main, words)
    assert "5 tests in 1 look at these results" in again.output
    assert again.output.splitlines()[-1].startswith("next: setol sensitivity --results ")

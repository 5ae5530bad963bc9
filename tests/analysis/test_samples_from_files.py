"""Any two tables: how they are joined, and what is said of those that do not fit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis import AnalysisError
from analysis.samples.samples_from_files import Joined, Question, samples_from_files
from analysis.studies.correlate import correlate

METRICS = "model,alpha,beta\na,1,5\nb,2,\nc,3,7\nd,4,8\n"
SCORES = "model,err_percent\na,10\nb,20\nc,30\nd,40\n"
LONG = "model,dataset,metric,value,unit\n"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str | bytes, name: str = "t.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return written


def joined(write: Write, metrics: str, scores: str, params: str | None = None, /, **options: Any) -> Joined:
    given = None if params is None else write(params, "p.csv")
    return samples_from_files(write(metrics, "m.csv"), write(scores, "s.csv"), Question(**options), params=given)


def test_two_tables_are_joined_on_the_model_in_any_order(write: Write) -> None:
    found = joined(write, METRICS, "model,err_percent\nd,40\nc,30\nz,1\na,10\n")
    (sample,) = found.samples
    assert sample.models == ("d", "c", "a")
    assert sample.score.tolist() == [40, 30, 10]
    assert sample.columns["alpha"].tolist() == [4, 3, 1]
    assert (sample.target.score_metric, sample.target.unit, sample.target.higher_is_better) == ("err", "percent", False)
    assert found.metrics == ("alpha", "beta")
    assert found.notes == ("1 model has no score in s.csv: b", "1 model has no row in m.csv: z")


def test_one_file_may_be_both(write: Write) -> None:
    path = write("model,alpha,top1_percent\na,1,90\nb,2,91\n")
    (sample,) = samples_from_files(path, path, Question()).samples
    assert (sample.models, sorted(sample.columns)) == (("a", "b"), ["alpha", "depth", "log10_params"])
    assert sample.target.higher_is_better is True


def test_missing_and_infinite_metrics_are_missing(write: Write) -> None:
    found = joined(write, METRICS.replace("a,1", "a,inf"), SCORES)
    (sample,) = found.samples
    assert np.isnan(sample.columns["alpha"]).tolist() == [True, False, False, False]
    assert np.isnan(sample.columns["beta"]).tolist() == [False, True, False, False]
    assert found.notes == ("alpha is infinite in line 2: counted as missing",)


def test_long_scores_make_a_sample_each_and_errors_come_along(write: Write) -> None:
    rows = (
        "a,one,acc,.5,fraction,,100\nb,one,acc,.6,fraction,.1,\na,two,ppl,12,perplexity,,\nb,two,ppl,11,perplexity,,\n"
    )
    scores = "model,dataset,metric,value,unit,stderr,n_test\n" + rows
    one, two = joined(write, METRICS, scores).samples
    assert (one.target.dataset, one.target.higher_is_better) == ("one", True)
    assert (two.target.dataset, two.target.higher_is_better) == ("two", False)
    assert one.score_error == pytest.approx([0.05, 0.1], rel=1e-2)
    assert np.isnan(two.score_error).all()


def test_only_primary_scores_take_part_where_some_are_marked(write: Write) -> None:
    scores = "model,dataset,metric,value,unit,primary\na,d,acc,50,percent,true\na,d,top5,70,percent,false\n"
    (sample,) = joined(write, METRICS, scores).samples
    assert (sample.target.score_metric, sample.n) == ("acc", 1)


def test_groups_and_data_sets(write: Write) -> None:
    metrics = "model,dataset,group,alpha\na,x,f,1\nb,x,g,2\na,y,f,3\nb,y,,4\n"
    scores = "model,dataset,err_percent\na,x,10\nb,x,20\na,y,30\nb,y,40\n"
    x, y = joined(write, metrics, scores, by=("group",)).samples
    assert (x.target.dataset, x.families, x.columns["alpha"].tolist()) == ("x", ("f", "g"), [1, 2])
    assert (y.target.dataset, y.families, y.columns["alpha"].tolist()) == ("y", ("f", None), [3, 4])
    (both,) = joined(write, metrics, scores, by=("dataset", "group")).samples
    assert (both.target.dataset, both.families) == ("2 data sets", ("x / f", "x / g", "y / f", None))
    (only,) = joined(write, metrics, scores, by=("group",), dataset="y", family="f").samples
    assert (only.models, only.score.tolist()) == (("a",), [30])


def test_baselines_are_recognised_or_fetched_by_name(write: Write) -> None:
    (own,) = joined(write, "model,alpha,params,n_layers\na,1,1000,3\nb,2,100,4\n", SCORES).samples
    assert own.columns["log10_params"].tolist() == [3, 2]
    assert own.columns["depth"].tolist() == [3, 4]
    params = "model,params\na.tag,10\nb.one,100\nb.two,100\nc.one,10\nc.two,100\nd,1000\n"
    found = joined(write, METRICS, SCORES, params)
    sizes = found.samples[0].columns["log10_params"]
    assert sizes[[0, 1, 3]].tolist() == [1, 2, 3]  # a tag does not change the size of a network
    assert np.isnan(sizes[2])  # two networks are called c
    assert any("1 model has no number of parameters" in note and note.endswith(": c") for note in found.notes)


def test_a_catalog_alone_gives_the_baseline() -> None:
    found = samples_from_files(None, "demo", Question(dataset="cifar-10"))
    (sample,) = found.samples
    assert found.metrics == ()
    (group,) = correlate(sample, ()).groups
    assert [each.metric for each in group.correlations] == ["log10_params"]
    assert group.correlations[0].kendall_tau == pytest.approx(-1)


def test_parquet_is_read_as_csv_is(write: Write, tmp_path: Path) -> None:
    table = pa.table({"model": ["a", "b"], "alpha": [1.5, None], "nested": [[1], [2]], "top1_fraction": [0.5, 0.75]})
    pq.write_table(table, tmp_path / "t.parquet")
    (sample,) = samples_from_files(tmp_path / "t.parquet", tmp_path / "t.parquet", Question()).samples
    assert sample.columns["alpha"][0] == 1.5
    assert np.isnan(sample.columns["alpha"][1])
    assert sample.score.tolist() == [0.5, 0.75]


def test_duplicates_and_other_weights_are_left_out(write: Write) -> None:
    metrics = "model,alpha,duplicate_group,weights_sha256\na,1,t,aa\nb,2,t,bb\nc,3,,cc\nd,4,,dd\n"
    found = joined(write, metrics, "model,err_percent,weights_sha256\na,1,aa\nb,20,bb\nc,30,CC\nd,40,ee\n")
    assert found.samples[0].models == ("a", "c")
    assert found.notes == (
        "1 score was measured on other weights, left out: d",
        "1 score is of weights that are there under another name: left out",
    )


def test_names_are_data(write: Write) -> None:
    odd = ["<script>alert(1)</script>", "'; DROP TABLE models; --", "x\x1b[2J", '"quoted, with comma"']
    rows = "".join(
        f'"{name.replace(chr(34), chr(34) * 2)}",{index},{10 * index + 1}\n' for index, name in enumerate(odd)
    )
    path = write('model,"a""; SELECT 1; --",err_percent\n' + rows)
    found = samples_from_files(path, path, Question())
    assert found.samples[0].models == tuple(odd)
    assert found.metrics == ('a"; SELECT 1; --',)
    assert correlate(found.samples[0], found.metrics).groups[0].correlations[0].kendall_tau == 1


def test_small_errors_in_percent_have_to_be_meant(write: Write) -> None:
    scores = "model,err_percent\na,.1\nb,.2\nc,.3\n"
    with pytest.raises(AnalysisError, match="or --unit percent if errors are that small"):
        joined(write, METRICS, scores)
    assert joined(write, METRICS, scores, unit="percent").samples[0].n == 3


@pytest.mark.parametrize(
    ("scores", "options", "message"),
    [
        ("model,acc_percent\na,.91\nb,.92\n", {}, "all 2 values are at most 1 .*look like fractions.*--unit fraction"),
        (LONG + "a,d,acc,.9,percent\nb,d,acc,.8,percent\n", {}, "look like fractions.*fraction in the column unit"),
        ("model,acc_fraction\na,91\nb,.9\n", {}, "too large in 1 row .line 2: a 91.*are these percent"),
        ("model,acc_percent\na,101\n", {}, "is too large in 1 row"),
        ("model,acc_percent\na,-1\nb,50\n", {}, "is below 0 in 1 row"),
        ("model,loss_perplexity\na,.5\n", {}, "a perplexity is at least 1"),
        ("model,err_percent\na,nan\nb,20\nc,inf\n", {}, "not finite in 2 rows .line 2: a nan, line 4: c inf"),
        ("model,err_percent\na,ten\nb,20\n", {}, "needs numbers such as 91.2, got text in 1 row .line 2: 'ten'"),
        ("model,err\na,10\n", {"score": "err"}, "what is 'err' measured in. Need --unit with one of percent"),
        ("model,err_percent\na,10\n", {"unit": "percnt"}, "unknown unit 'percnt'; nearest: percent"),
        ("model,err_percent\na,10\n", {"score": "er_percent"}, "unknown column 'er_percent'; nearest: err_percent"),
        ("model,x,y\na,10,2\n", {}, "which column is the score. Need --score COLUMN .columns of numbers: x, y"),
        ("modell,err_percent\na,10\n", {}, "unknown column 'model'; nearest: modell"),
        ("model,err_percent\na,10\na,20\n", {}, "model 'a' has a second score .* in line 3, see line 2"),
        (LONG + "a,d,acc,50,percent\na,d,acc,60,percent\n", {}, "model 'a' has a second score for acc on d"),
        (LONG + "a,d,acc,50,\n", {}, "line 2 has no unit; need one of percent"),
        (LONG + "a,d,acc,50,prozent\n", {}, "line 2: unknown unit 'prozent'"),
        (LONG + "a,,acc,50,percent\n", {}, "has a value and no dataset"),
        ("model,err_percent\n,10\n", {}, "1 row has no model .line 2"),
        ("model,err_percent\nq,10\n", {}, "no model is in both m.csv .a, b, c, .* and s.csv .q"),
        (SCORES, {"by": ("series",)}, "--by: unknown column 'series'"),
        (SCORES, {"metrics": ("alpa",)}, "unknown column 'alpa'; nearest: alpha"),
        (SCORES, {"dataset": "imagenet"}, "unknown dataset 'imagenet'"),
        (SCORES, {"family": "f"}, "unknown family 'f'"),
        ("model,err_percent\na,1,2\n", {}, "line 2 has 3 cells where the header has 2"),
        ("model;err_percent\na;1\n", {}, "separated by semicolons, and need commas; in a spreadsheet, save it as CSV"),
        ('model,err_percent\na,"1,5"\nb,"-2,25"\n', {}, "line 2: '1,5', line 3: '-2,25'.; write decimal points, 1.5"),
        ("model,acc\na,91.5%\n", {"unit": "percent"}, "'91.5%'.; leave out the %, 91.5, and say --unit percent"),
        ("model,x,acc\na,1,91.5%\n", {}, "which column is the score. Need --score COLUMN .columns of numbers: acc, x"),
        ("model,acc\na,0.5\n", {}, "what is 'acc' measured in.*perhaps --unit fraction.*such as acc_fraction"),
        ("model,acc\na,50\n", {}, "what is 'acc' measured in.*perhaps --unit percent.*such as acc_percent"),
        ("model,a,a\na,1,2\n", {}, "column 'a' appears 2 times"),
        ("model,err_percent\n", {}, "has no rows below its header"),
        ("", {}, "is no table"),
        ("<html><body>Not found</body></html>", {}, "is no table: it is neither CSV text nor a Parquet file"),
        ("PAR1 nothing", {}, "begins like a Parquet file but cannot be read"),
        ('model,err_percent\n"a,1\n', {}, "cannot be read as CSV"),
    ],
)
def test_what_does_not_fit_is_said(write: Write, scores: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        joined(write, METRICS, scores, **options)


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ("model,alpha\na,1\na,2\n", "model 'a' is in line 2 and line 3; need one row"),
        ("model,text\na,x\nb,y\n", "m.csv has no column of numbers that could be a metric"),
        (b"\xff\xfe\x00m".decode("latin-1") + "\0", "is no table"),
    ],
)
def test_metrics_that_do_not_fit_are_said(write: Write, metrics: str, message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        joined(write, metrics, SCORES)


def test_the_only_column_of_numbers_is_the_score(write: Write) -> None:
    (sample,) = joined(write, METRICS, "model,series,acc,params\na,x,0.5,10\nb,x,0.6,20\n", unit="fraction").samples
    assert (sample.target.score_metric, sample.target.unit) == ("acc", "fraction")
    np.testing.assert_array_equal(sample.score, [0.5, 0.6])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("model,err_percent\ncaf\xe9,1\n".encode("latin-1"), "byte 0xe9 in it is no UTF-8. In a spreadsheet, save it"),
        ("model,err_percent\na,1\n".encode("utf-16"), "is in UTF-16, and need UTF-8: save it as CSV"),
        (b"PK\3\4\x14\0\6\0", "is a workbook or an archive and no table: save it as CSV"),
    ],
)
def test_files_of_spreadsheets_are_told_what_to_do(write: Write, tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "scores.csv"
    path.write_bytes(content)
    with pytest.raises(AnalysisError, match=message):
        samples_from_files(None, path, Question())


def test_a_column_with_some_text_is_named(write: Write) -> None:
    found = joined(write, "model,alpha,odd\na,1,1\nb,2,2\nc,3,n/a\n", SCORES)
    assert found.metrics == ("alpha",)
    assert "column odd is no metric: it has text among its numbers, such as 'n/a'" in found.notes


def test_files_that_are_not_there(tmp_path: Path, write: Write) -> None:
    with pytest.raises(AnalysisError, match="is neither a CSV or Parquet file nor a catalog: unknown catalog"):
        samples_from_files(None, str(tmp_path / "none.csv"), Question())
    with pytest.raises(AnalysisError, match="is not there; need a CSV or Parquet file"):
        samples_from_files(tmp_path / "none.csv", write(SCORES), Question())

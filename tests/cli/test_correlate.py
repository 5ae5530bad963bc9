"""`setol correlate` as it is typed: on results, on tables, on a catalog alone, and on what does not fit."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from setol_zoo.cli import main
from tests.analysis.synthetic import Synthetic, one_layer, score, weight_file
from tests.cli.terminal import Terminal


def setol(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["correlate", *map(str, arguments)])


def write_families(path: Path, families: int, *, effect: float = 0.0, models: int = 6) -> Path:
    """Models whose error falls with size; with `effect`, with the metric too."""
    rng = np.random.default_rng(families)
    lines = ["model,family,params,good,noise,err_percent"]
    for family in range(families):
        size, good, noise = rng.normal(size=(3, models))
        errors = 50 - 3 * size + effect * good + rng.normal(0, 0.5, models)
        for index in range(models):
            cells = (10 ** (6 + size[index] / 3), good[index], noise[index], errors[index])
            lines.append(f"m{family}_{index},f{family},{','.join(f'{cell:.5f}' for cell in cells)}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of nine models in two families, scores on four data sets."""
    folder = Synthetic(tmp_path_factory.mktemp("zoo"))
    folder.plan()
    files = [
        weight_file(f"m{index}", f"{index:064x}", family="fg"[index > 4], params=10**index + 1, pretrain="in1k")
        for index in range(9)
    ]
    rng = np.random.default_rng(0)
    names = ["one", "two", "three", "four"]
    scores = [score(file.name, float(rng.uniform(10, 30)), dataset=name) for name in names for file in files]
    folder.describe(files, [*scores, score("m0", 12.0, dataset="lonely")])
    for file in files:
        alpha = float(rng.uniform(2, 6))
        folder.publish(str(file.weights_sha256), one_layer(alpha, alpha_hat=2 * alpha))
    return folder.root


def test_what_is_added_to_size_comes_first(tmp_path: Path) -> None:
    path = write_families(tmp_path / "t.csv", 12, effect=3)
    out = setol("--metrics", path, "--scores", path).stdout.splitlines()
    assert out[0] == "err in percent on t.csv: 72 models in 12 families, lower is better"
    assert out[1].startswith("Does it add anything to size? Beyond size, within families: good (partial tau +0.")
    assert "exploratory" in " ".join(out[-2:])
    assert out[-1].startswith("next: setol correlate --metrics ")
    assert out[-1].endswith(" --all")


def test_a_metric_of_no_worth_is_not_found(tmp_path: Path) -> None:
    path = write_families(tmp_path / "t.csv", 12)
    found = json.loads(setol("--metrics", path, "--scores", path, "--json").stdout)
    (study,) = found["size"]
    assert {row["verdict"] for row in study["rows"]} == {"not seen to add anything"}
    together = {row["metric"]: row["tau"]["p"] for row in found["together"]}
    assert together["log10_params"] < 0.001
    assert min(together["good"], together["noise"]) > 0.05
    assert found["claim"]["primary"] is None


def test_a_screenful_of_60_families_and_all_of_them(tmp_path: Path) -> None:
    path = write_families(tmp_path / "t.csv", 60)
    short = setol("--metrics", path, "--scores", path).stdout
    assert len(short.splitlines()) < 45
    assert "... and 40 more rows" in short
    long = setol("--metrics", path, "--scores", path, "--all").stdout
    assert len(long.splitlines()) > 180
    assert long.splitlines()[-1].startswith("next: setol regress --metrics ")
    assert "f59" in long
    found = json.loads(setol("--metrics", path, "--scores", path, "--json").stdout)
    assert len(found["correlations"]) == 60 * 3


def test_results_show_the_largest_scores_and_name_the_others(zoo: Path) -> None:
    run = setol("--results", zoo)
    assert run.exit_code == 0, run.output
    assert run.stdout.count("Does it add anything to size?") == 3
    assert "not shown: 1 score: two (9)" in run.stdout
    assert "too few to judge: 1 score with 1 model in the largest family" in run.stdout
    assert setol("--results", zoo, "--all").stdout.count("Does it add anything to size?") == 4
    one = setol("--results", zoo, "--dataset", "two", "--family", "f", "--metric", "alpha_mean").stdout
    assert "err@1 in percent on two: 5 models in 1 family, lower is better" in one
    assert "alpha_hat_mean" not in one


def test_looks_at_results_are_counted(zoo: Path) -> None:
    options = ("--results", zoo, "--dataset", "one", "--json")
    first = json.loads(setol(*options).stdout)["claim"]["told"]
    again = json.loads(setol(*options).stdout)["claim"]["told"]
    other = json.loads(setol(*options, "--metric", "alpha_mean").stdout)["claim"]["told"]
    assert first == again
    assert other != again
    assert first.startswith("exploratory (the primary claim of protocol ")


def test_a_claim_that_was_fixed_in_advance_is_called_so(tmp_path: Path) -> None:
    from analysis.studies.protocol import protocol

    fixed = protocol()
    folder = Synthetic(tmp_path)
    folder.plan()
    rng = np.random.default_rng(1)
    files, scores, alphas = [], [], []
    for index in range(48):
        family, size, alpha = f"f{index // 6}", float(rng.normal()), float(rng.uniform(2, 6))
        params = int(10 ** (7 + size / 3))
        files.append(weight_file(f"m{index}", f"{index:064x}", family=family, params=params, pretrain="in1k"))
        value = 60 + 3 * size - 2 * alpha + float(rng.normal(0, 0.3))
        columns = {"dataset": fixed.dataset, "split": fixed.split, "metric": fixed.score_metric}
        scores.append(score(f"m{index}", value, higher_is_better=True, **columns))
        alphas.append(alpha)
    folder.describe(files, scores)
    for file, alpha in zip(files, alphas, strict=True):
        folder.publish(str(file.weights_sha256), one_layer(alpha, alpha_hat=alpha))
    told = json.loads(setol("--results", tmp_path, "--json").stdout)["claim"]
    assert told["primary"] == "shown"
    assert f"primary claim (protocol {fixed.sha256}: {fixed.column}, {fixed.dataset}): shown" in told["told"]
    part = json.loads(setol("--results", tmp_path, "--family", "f1", "--json").stdout)["claim"]
    assert part["primary"] is None


def test_a_catalog_alone_shows_what_size_says() -> None:
    run = setol("--scores", "demo", "--dataset", "cifar-10")
    assert run.exit_code == 0, run.output
    assert "log10_params" in run.stdout
    assert "baseline" in run.stdout


def test_unknown_size_is_said_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("model,a,err_percent\n" + "".join(f"m{index},{index},{10 + index}\n" for index in range(6)))
    out = setol("--metrics", path, "--scores", path).stdout
    assert "cannot be said" in out
    assert "--params with a table or catalog" in out
    assert "not chance, but size is unknown" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--by", "family"), "--by needs --scores"),
        (("--metrics", "m.csv"), "--metrics needs --scores"),
        (("--unit", "percent"), "--unit needs --scores"),
        (("--scores", "demo", "--config", "x"), "--config is for results"),
        (("--scores", "dmo"), "unknown catalog 'dmo'; nearest: demo"),
        (("--scores", "demo", "--dataset", "cifar"), "unknown dataset 'cifar'; nearest: cifar-10"),
        (("--scores", "demo", "--against", "alpha"), "--against needs --metrics: a table with a row a model"),
        (("--scores", "demo", "--metric", "alpha"), "and that column. demo has scores alone"),
        (("--scores", "demo", "--results", "r"), "are two sources, and a call takes one"),
    ],
)
def test_wrong_calls(options: tuple[str, ...], message: str) -> None:
    run = setol(*options)
    assert run.exit_code == 2, run.output
    assert message in run.stderr
    assert "Traceback" not in run.output


def test_size_that_orders_nothing_is_said_so() -> None:
    lines = setol("--scores", "pythia", "--dataset", "piqa").stdout.splitlines()
    assert lines[1] == "What there is to add to: Size alone orders nothing: it is the same for all models of a family."


def test_one_model_is_too_few_and_said_on_top(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("model,family,params,alpha,err_percent\na,f,10,2,3\n")
    lines = setol("--metrics", path, "--scores", path).stdout.splitlines()
    assert lines == [
        "too few to judge: 1 score with 1 model in the largest family; a family takes 4",
        "next: setol correlate --help",
    ]


def test_metrics_of_results_go_with_other_scores_as_the_refusal_says(zoo: Path, tmp_path: Path) -> None:
    refused = setol("--scores", "demo", "--results", zoo).stderr
    words = shlex.split(refused[refused.index("setol sql") :].strip())
    assert words[-2:] == [">", "metrics.csv"]
    table = CliRunner().invoke(main, [*words[1:-2], "--results", str(zoo)])
    metrics = tmp_path / "metrics.csv"
    metrics.write_text(table.stdout)
    scores = tmp_path / "scores.csv"
    scores.write_text("model,acc_fraction\n" + "".join(f"m{index},0.{50 + index}\n" for index in range(5)))
    run = setol("--metrics", metrics, "--scores", scores, "--metric", "alpha_mean")
    assert "acc in fraction on scores.csv: 5 models in 1 family" in run.stdout, run.output


def test_the_real_command_on_odd_names(tmp_path: Path) -> None:
    odd = ("<b>x</b>", "'; DROP TABLE models; --", "[red]markup[/red]", "clear\x1b[2J", "line\nbreak", "plain")
    rows = "".join(f'"{name}","f\x1b[31m",{index},{index + 10}\n' for index, name in enumerate(odd))
    path = tmp_path / "t.csv"
    path.write_text('model,family,"a[bold]",err_percent\n' + rows)
    words = [sys.executable, "-m", "setol_zoo.cli", "correlate", "--metrics", str(path), "--scores", str(path)]
    run = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert "\x1b" not in run.stdout
    assert "f\\x1b[31m" in run.stdout
    assert "a[bold]" in run.stdout


def test_lines_fit_a_terminal(tmp_path: Path, columns: int = 80) -> None:
    path = write_families(tmp_path / "t.csv", 30, effect=1)
    with Terminal("correlate", "--metrics", path, "--scores", path, "--against", "noise", columns=columns) as terminal:
        assert terminal.finish() == 0
        lines = terminal.text.splitlines()
    tables = [
        line for line in lines if line.startswith(("metric ", "family ", "good ", "noise ", "log10_params ", "f1"))
    ]
    assert len(tables) > 10
    assert max(map(len, tables)) <= columns
    assert sum(len(line) // columns + 1 for line in lines) < 60


def write_table(path: Path, change: str) -> Path:
    """Eight families of six models, with one thing wrong."""
    rng = np.random.default_rng(4)
    lines = ["model,family,params,alpha,acc_percent"]
    for place in range(48):
        accuracy = 60 + place % 6 + rng.normal()
        cells = {"model": f"m{place}", "family": f"f{place // 6}", "params": 10 ** (6 + place % 6 / 4)}
        cells |= {"alpha": rng.normal(), "acc": accuracy}
        if change == "equal scores":
            cells["acc"] = 70
        elif change == "equal metric":
            cells["alpha"] = 3
        elif change == "half" and place % 2:
            cells["alpha"] = ""
        elif change == "no family":
            cells["family"] = ""
        elif change == "fractions" and place % 5 == 0:
            cells["acc"] = accuracy / 100
        elif change == "no size" and place < 2:
            cells["params"] = -place
        lines.append(",".join(map(str, cells.values())))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("equal scores", "0 families have them here (not in 8: the score does not vary beyond the controls)."),
        ("equal metric", "0 families have them here (not in 8: the metric does not vary beyond the controls)."),
        ("half", "0 families have them here (not in 8: too few models)."),
        ("no family", "cannot be said: no model has a family.\n"),
        ("fractions", "10 scores acc on t.csv of at most 1 percent: are these fractions? (m0 0."),
        ("no size", "2 models have no number of parameters above 0 in t.csv: m0, m1"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: str, said: str) -> None:
    path = write_table(tmp_path / "t.csv", change)
    run = setol("--metrics", path, "--scores", path, "--score", "acc_percent")
    assert run.exit_code == 0, run.stderr
    assert said in run.stdout


def test_a_unit_that_contradicts_the_name_of_the_column(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", "nothing")
    run = setol("--metrics", path, "--scores", path, "--score", "acc_percent", "--unit", "perplexity")
    assert run.exit_code == 2
    assert "--unit perplexity is not what the name of column 'acc_percent' says: percent" in run.stderr


def test_every_p_counts_once_as_a_test(tmp_path: Path) -> None:
    path = write_families(tmp_path / "t.csv", 8)
    found = json.loads(setol("--metrics", path, "--scores", path, "--against", "noise", "--json").stdout)
    ps = [row["kendall_p"] for row in found["correlations"]]
    ps += [row["tau"]["p"] for row in found["together"]]
    ps += [row["difference"]["p"] for row in found["together"] if row["difference"]]
    ps += [row[name]["p"] for row in found["size"][0]["rows"] for name in ("partial", "bent", "over_size", "matched")]
    tests = len([p for p in ps if p is not None])
    assert tests > 24 + 3
    assert f" {tests} tests in this look" in found["claim"]["told"]

"""`setol theory` as a user types it."""

import json

import numpy as np
import pytest
from click.testing import CliRunner, Result

from setol_zoo.cli import main


def setol(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["theory", *map(str, arguments)])


def test_a_curve_by_several_theories_beside_what_is_measured(tmp_path):
    words = ("curve", "--examples", "20,60", "--measure", 4, "--method", "self_consistent", "--method", "paper")
    found = json.loads(setol(*words, "--plot", tmp_path, "--json").stdout)
    assert [row["examples"] for row in found["curve"]] == [20, 60]
    for row in found["curve"]:
        assert row["self_consistent"] == pytest.approx(row["measured"], rel=0.15)
    assert "cannot be trusted; use self_consistent" in found["warnings"][0]
    assert [(tmp_path / name).read_bytes()[1:4] for name in ("curve.png", "learnability.png")] == [b"PNG"] * 2
    shown = setol(*words)
    assert shown.stdout.splitlines()[0].split() == ["examples", "self_consistent", "paper", "measured", "error_of_it"]
    assert shown.stdout.splitlines()[-1] == "next: setol theory spectrum --dimension 15"


def test_the_papers_scale_is_one_over_the_dimension():
    words = ("spectrum", "-d", 50, "--weight-variance", 1, "--bias-variance", 1, "--json")
    short, long = (json.loads(setol(*words, "--input-scale", each).stdout) for each in ("1/d", "0.02"))
    assert short == long
    assert short["total"] == pytest.approx(3.26)


def test_the_order_reaches_the_target():
    found = setol("curve", "--method", "paper", "--order", 1, "--target", "3:1", "--examples", "100")
    assert "trimmed at order 3, the target's degree, rather than at 1" in found.stdout


def test_a_spectrum_says_what_each_degree_needs(tmp_path):
    found = json.loads(setol("spectrum", "--highest", 4, "--plot", tmp_path, "--json").stdout)
    assert [row["degeneracy"] for row in found["spectrum"]] == [1, 15, 119, 665, 2940]
    needed = [row["examples_to_learn"] for row in found["spectrum"]]
    assert needed == sorted(needed)
    assert sum(row["share"] for row in found["spectrum"]) + found["tail"] / found["total"] == pytest.approx(1)
    assert (tmp_path / "spectrum.png").exists()
    assert "which acts as ridge" in setol("spectrum", "--highest", 4).stdout


def test_an_absent_degree_is_never_learned():
    found = json.loads(setol("spectrum", "--hidden-layers", 1, "--kernel", "nngp", "--highest", 3, "--json").stdout)
    assert found["spectrum"][3]["examples_to_learn"] is None


def test_networks_are_ranked_and_measured(tmp_path):
    words = ("select", "--examples", 60, "--hidden-layers", 1, "--weight-variance", "0.5,2", "--bias-variance", 0.1)
    words += ("--kernel", "ntk", "--measure", 2, "--plot", tmp_path)
    found = json.loads(setol(*words, "--json").stdout)
    errors = [row["predicted"] for row in found["ranked"]]
    assert len(errors) == 2 * 2 * 3
    assert errors == sorted(errors)
    assert "over 12 candidates: Spearman" in found["agreement"]
    assert (tmp_path / "selection.png").exists()
    best = found["ranked"][0]
    told = setol(*words[:-4], "--top", 2).stdout.splitlines()
    assert "10 more rows" in "".join(told)
    assert told[-1].endswith(f"--activation {best['activation']} --kernel ntk --ridge {best['ridge']:.4g}")


def test_features_of_a_file(tmp_path):
    generator = np.random.default_rng(0)
    classes = np.arange(120) % 2
    features = generator.standard_normal((120, 8)) + 2 * classes[:, None] * np.eye(8)[0]
    np.savez(tmp_path / "a.npz", features=features, targets=classes)
    found = json.loads(setol("features", tmp_path / "a.npz", "--ridge", 0.1, "--plot", tmp_path, "--json").stdout)
    assert [row["examples"] for row in found["curve"]][-1] == 24
    assert max(abs(row["deviation"]) for row in found["curve"]) < 0.3
    assert found["curve"][-1]["misclassified"] < 0.35
    assert (tmp_path / "features.png").exists()
    shown = setol("features", tmp_path / "a.npz", "--kernel", "nngp", "--examples", "10,60", "--measure", 2)
    assert "beyond 24 examples, a fifth of the pool" in shown.stdout
    assert "kernel nngp; guessing the mean errs by 0.5\n" in shown.stdout


def test_digits_without_a_file():
    pytest.importorskip("sklearn")
    found = json.loads(setol("features", "--pool", 300, "--examples", "15,60", "--json").stdout)
    assert [abs(row["deviation"]) < 0.25 for row in found["curve"]] == [True, True]
    assert found["predicted_error"] == pytest.approx(found["measured_error"], abs=0.15)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("curve", "-d", 2), "need inputs in at least 3 dimensions (a circle has other harmonics), got 2."),
        (("curve", "--weight-variance", 0), "need a weight_variance above 0"),
        (("curve", "--bias-variance", "-1"), "need a bias_variance of 0 or more, got -1.0."),
        (("curve", "--hidden-layers", 101), "101 is not in the range 0<=x<=100"),
        (("curve", "--input-scale", "x"), "need a number above 0, or 1/d; got 'x'"),
        (("curve", "--examples", 0), "need numbers of examples that are finite and above 0"),
        (("curve", "--examples", "5:2:3"), "such as 100:3500:12, or 100,250,500; got '5:2:3'"),
        (("curve", "--target", "1:inf"), "need a finite target power of 0 or more"),
        (("curve", "--target", "one"), "need degree:power, such as 1:0.5,2:0.5; got 'one'"),
        (("curve", "--target", "50:1"), "need target power for at most 41 degrees"),
        (("curve", "--ridge", "-1"), "need a finite ridge of 0 or more, got -1.0."),
        (("curve", "--activation", "linear", "--examples", 100), "need a ridge above 0, fewer examples"),
        (("spectrum", "--ridge", "-1"), "need a ridge of 0 or more, got -1.0."),
        (("select", "--activation", "gelu"), "unknown activation 'gelu'; known: relu, erf, linear."),
        (("select", "--hidden-layers", "1,x"), "need values with commas between them; got '1,x'"),
        (("features", "missing.npz"), "cannot read missing.npz"),
        (("features", "--targets", "y.npy"), "--targets needs FEATURES that they belong to"),
    ],
)
def test_wrong_calls_say_what_to_do(words, told):
    found = setol(*words)
    assert found.exit_code == 2, found.output
    assert told in " ".join(found.stderr.split())
    assert "Traceback" not in found.output


def test_a_kernel_that_is_not_positive_is_refused(tmp_path):
    kernel = np.diag([1.0] * 29 + [-1.0])
    np.savez(tmp_path / "k.npz", kernel=kernel, targets=np.arange(30) % 2)
    found = setol("features", tmp_path / "k.npz")
    assert found.exit_code == 2
    assert "need a positive kernel" in found.stderr
    assert "add what is missing to the diagonal" in found.stderr

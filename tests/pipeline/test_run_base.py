"""`setol run --base`: the spectra of differences to one model, for a whole catalog."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import setol_zoo as zoo
from analysis import open_results
from catalogs.identity import spectra_id
from catalogs.paths import catalog_of_paths
from catalogs.places import cache_directory
from pipeline.base_model import BaseModel, base_model
from pipeline.display.summary import RunSummary
from pipeline.drive import RunRequest, drive
from pipeline.errors import OptionError
from pipeline.execution.job import Job
from pipeline.execution.serial import run_serially
from pipeline.options import MetricOptions, Options, SpectrumOptions, stored_spectrum
from pipeline.planning.identify import identify_base
from pipeline.refit import RefitRequest, refit
from pipeline.store.folder import ResultsFolder
from tests.cli.test_commands import setol
from tests.conftest import Silent
from tests.sources.conftest import environment, weights
from tests.sources.conftest import setol as setol_on_hub
from tests.sources.hub_standin import HubStandin, sha256

SHA = "a" * 64


@pytest.fixture
def models(tmp_path) -> dict[str, Path]:
    """A start, two models trained from it, the start again as two shards, and one of another architecture."""
    generator = torch.Generator().manual_seed(3)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    start = {"conv.weight": random(64, 60, 3, 3), "up.weight": random(120, 64), "up.bias": random(120)}
    start["down.weight"] = random(64, 120)
    tensors = {"start": start, "other": {"fc.weight": random(60, 50)}}
    for name in ("first", "second"):
        tensors[name] = {key: tensor + random(*tensor.shape) / 10 for key, tensor in start.items()}
    paths = {name: tmp_path / f"{name}.safetensors" for name in tensors}
    for name, path in paths.items():
        save_file(tensors[name], path)
    paths["shards"] = tmp_path / "shards" / "model.safetensors.index.json"
    paths["shards"].parent.mkdir()
    places = {"conv.weight": 1, "up.weight": 2, "up.bias": 1, "down.weight": 2}
    names = {number: f"model-0000{number}-of-00002.safetensors" for number in (1, 2)}
    for number, name in names.items():
        shard = {key: start[key] for key, place in places.items() if place == number}
        save_file(shard, paths["shards"].parent / name)
    paths["shards"].write_text(json.dumps({"weight_map": {key: names[place] for key, place in places.items()}}))
    return paths


def base_at(path: Path) -> BaseModel:
    return identify_base(catalog_of_paths([str(path)]).files, cache_directory())


def run_minus(models: list[Path], base: Path | BaseModel | None, folder: Path) -> RunSummary:
    subtracted = base_at(base) if isinstance(base, Path) else base
    request = RunRequest(
        catalog_of_paths(list(map(str, models))),
        ResultsFolder(folder),
        cache_directory(),
        Options(SpectrumOptions(base=subtracted)),
        device="cpu",
    )
    return drive(request, run_serially, Silent())


def spectra(folder: Path, config: str, model: str) -> dict[str, np.ndarray]:
    rows = open_results([folder], config).rows(
        f"SELECT s.tensor, s.evals FROM spectra s JOIN models m ON m.model = s.model "
        f"WHERE m.name = '{model}' AND s.role = 'analyzed' ORDER BY s.tensor"
    )
    return {row["tensor"]: np.array(row["evals"]) for row in rows}


def test_the_numbers_are_those_of_analyze(models, tmp_path):
    folder = tmp_path / "r"
    summary = run_minus([models["first"], models["second"]], models["start"], folder)
    assert (summary.computed, summary.failures) == (2, ())
    for name in ("first", "second"):
        one = zoo.analyze(models[name], base=models["start"], device="cpu", threads=1)
        found = spectra(folder, summary.config, name)
        assert sorted(found) == ["conv.weight", "down.weight", "up.weight"]
        layers = open_results([folder], summary.config).rows(f"FROM layers WHERE name = '{name}' ORDER BY layer")
        expected = one.layers.sort_values("layer")
        assert [row["layer"] for row in layers] == expected["layer"].tolist()
        assert [row["alpha"] for row in layers] == expected["alpha"].tolist()
        for tensor, evals in found.items():
            factor = 0.5 if tensor == "conv.weight" else 1.0  # of kernels, by default
            expected = one.spectrum(tensor.removesuffix(".weight"))
            np.testing.assert_array_equal(np.sort(evals) * factor, np.sort(expected))
    assert run_minus([models["first"], models["second"]], models["start"], folder).reused == 2


def test_plain_spectra_and_differences_lie_beside_each_other(models, tmp_path):
    folder, both = tmp_path / "r", [models["first"], models["second"]]
    plain, minus = run_minus(both, None, folder), run_minus(both, models["start"], folder)
    assert plain.config != minus.config
    assert (plain.computed, minus.computed) == (2, 2)
    assert len(list((folder / "spectra" / "v1").iterdir())) == 4
    norms = {}
    for config in (plain.config, minus.config):
        opened = open_results([folder], config)
        assert [row["name"] for row in opened.rows("FROM models ORDER BY name")] == ["first", "second"]
        for view in ("layers", "spectra", "model_metrics"):
            counts = opened.rows(f"SELECT model, count(*) AS n FROM {view} GROUP BY model")
            assert len(counts) == 2
        assert opened.rows("SELECT count(*) AS n FROM layers")[0]["n"] == 6
        norms[config] = opened.rows("SELECT avg(log_norm) AS mean FROM layers")[0]["mean"]
    assert norms[minus.config] == pytest.approx(norms[plain.config] - 2, abs=0.2)  # a tenth as large, squared
    assert open_results([folder]).config == minus.config  # what was asked for last


def test_shards_of_a_base_are_one_model(models, tmp_path):
    sharded = base_at(models["shards"])
    assert len(sharded.files) == 2
    assert base_model(sharded.files[::-1]).sha256 == sharded.sha256
    one, other = tmp_path / "one", tmp_path / "other"
    whole, parted = run_minus([models["first"]], models["start"], one), run_minus([models["first"]], sharded, other)
    assert (parted.computed, parted.failures) == (1, ())
    expected, found = spectra(one, whole.config, "first"), spectra(other, parted.config, "first")
    assert sorted(found) == sorted(expected) == ["conv.weight", "down.weight", "up.weight"]
    for tensor, evals in found.items():
        np.testing.assert_array_equal(evals, expected[tensor])


def test_a_model_that_does_not_fit_fails_and_the_base_itself_is_nothing(models, tmp_path):
    folder = tmp_path / "r"
    summary = run_minus([models["first"], models["other"], models["start"]], models["start"], folder)
    assert summary.computed == 2
    (failure,) = summary.failures
    assert failure.error.startswith(
        "other and its base have no matrix in common: fc.weight [60, 50] is not in the base"
    )
    assert not failure.transient
    opened = open_results([folder], summary.config)
    zeros = opened.rows("SELECT layer, status, reason, alpha FROM layers WHERE name = 'start' ORDER BY layer")
    assert [row["layer"] for row in zeros] == ["conv", "down", "up"]
    assert {(row["status"], row["reason"], row["alpha"]) for row in zeros} == {("failed", "zero_matrix", None)}
    (row,) = opened.rows("SELECT status, n_analyzed, coverage FROM models WHERE name = 'start'")
    assert row == {"status": "done", "n_analyzed": 3, "coverage": 1.0}


def test_an_adapter_is_refused(models, tmp_path):
    generator = torch.Generator().manual_seed(4)
    factors = {"A": torch.randn(4, 64, generator=generator), "B": torch.randn(120, 4, generator=generator)}
    save_file({f"up.lora_{side}.weight": each for side, each in factors.items()}, tmp_path / "adapter.safetensors")
    summary = run_minus([tmp_path / "adapter.safetensors", models["first"]], models["start"], tmp_path / "r")
    assert summary.computed == 1
    (failure,) = summary.failures
    assert failure.error == "adapter is an adapter, a difference by itself: analyze it without a base."


def test_a_base_that_cannot_be_had_ends_the_call(models, tmp_path):
    folder = tmp_path / "r"
    none = setol("run", models["first"], "--base", tmp_path / "nope.pt", "--results", folder, "--executor", "serial")
    assert none.exit_code == 2
    assert f"Error: the base path:{tmp_path}/nope.pt cannot be had: no such file" in none.stderr
    assert not folder.exists()
    changed = base_at(models["start"])
    models["start"].write_bytes(models["other"].read_bytes())
    with pytest.raises(OptionError, match=r"the base path:.*start.safetensors cannot be had: .*sha256"):
        run_minus([models["first"]], changed, folder)
    assert open_results([folder]).rows("FROM attempts") == []


def test_without_a_base_nothing_is_renamed():
    plain = Options()
    assert plain.content["spectrum"] == {"precision": "float64"}
    assert "base" not in plain.content
    assert plain.config == Options(SpectrumOptions(base=None)).config
    named = Options(SpectrumOptions(base=BaseModel("path:start.pt", "5" * 64)))
    assert named.content["spectrum"] == {"precision": "float64", "base": "5" * 64}
    assert named.content["base"] == "path:start.pt"
    assert spectra_id(SHA, named.content) != spectra_id(SHA, plain.content)
    assert named.config == Options(SpectrumOptions(base=BaseModel("hub:org/start@main", "5" * 64))).config
    assert stored_spectrum(json.loads(json.dumps(named.content))) == named.spectrum


def test_the_job_is_small(models, tmp_path):
    options = Options(SpectrumOptions(base=base_at(models["shards"])))
    job = Job(ResultsFolder(tmp_path / "r"), cache_directory(), options.config, options)
    content = pickle.dumps(job)
    assert pickle.loads(content) == job
    assert len(content) < 5000


def test_refit_names_the_run_and_takes_what_it_makes(models, tmp_path):
    folder = tmp_path / "r"
    run_minus([models["first"]], None, folder)
    asked = ("refit", "--results", folder, "--base", models["start"])
    before = setol(*asked)
    assert before.exit_code == 2
    flags = f"--base path:{models['start']} --results {folder}"
    assert f"has spectra with precision float64, base path:{models['start']}: they need the weights" in before.stderr
    assert f"`setol run path:{models['first']} {flags}`" in before.stderr
    made = setol("run", f"path:{models['first']}", *flags.split(), "--executor", "serial")
    assert made.exit_code == 0, made.output
    models["start"].rename(models["start"].with_name("moved.safetensors"))  # its content counts, and is known
    later = setol(*asked[:3], "--min-evals", 40)
    assert later.exit_code == 0, later.output
    assert "1 weight file computed" in later.stdout
    stored = max(ResultsFolder(folder).options().values(), key=lambda each: each["planned"])
    assert (stored["base"], stored["metrics"]["min_evals"]) == (f"path:{models['start']}", 40)
    asked_for = RefitRequest(ResultsFolder(folder), MetricOptions(min_evals=41), stored_spectrum(stored))
    assert refit(asked_for, run_serially, Silent()).computed == 1


def test_status_repeats_the_base(models, tmp_path):
    folder = tmp_path / "r"
    words = ("run", models["first"], "--base", models["start"], "--results", folder, "--executor", "serial")
    assert setol(*words).exit_code == 0
    for path in (folder / "layers" / "v1").iterdir():
        path.unlink()
    told = setol("status", "--results", folder).stdout.splitlines()[-1]
    assert f"--base path:{models['start']}" in told
    again = setol(*told.removeprefix("next: setol ").split(), "--executor", "serial")
    assert "1 weight file computed" in again.stdout, again.output
    assert len(list((folder / "options").iterdir())) == 1


def test_a_base_of_the_hub_is_fetched_once_and_removed(tmp_path):
    hub = HubStandin()
    try:
        base = weights(60)
        hub.add("zoo/start", {"model.safetensors": base})
        for seed, name in enumerate(("first", "second"), start=61):
            hub.add(f"zoo/{name}", {"model.safetensors": weights(seed)})
        env = environment(hub, tmp_path)
        words = ("zoo/first", "zoo/second", "--base", "zoo/start", "--results", tmp_path / "r")
        plan = setol_on_hub(env, "plan", *words, "--json")
        assert plan.returncode == 0, plan.stderr
        told = json.loads(plan.stdout)
        fetched = [row for row in told["files"] if row["fetch"]]
        assert [row["to_do"] for row in fetched] == ["compute", "compute", "subtract"]
        rate = told["workers"]["network"]
        assert told["forecast"]["network_seconds"] == pytest.approx(sum(row["bytes"] for row in fetched) / rate)
        assert f"minus a base of {len(base) / 1e3:.0f} kB to fetch once" in setol_on_hub(env, "plan", *words).stdout
        before = hub.bytes_sent("zoo/start")
        run = setol_on_hub(env, "run", *words, "--executor", "serial")
        assert run.returncode == 0, run.stderr
        assert hub.bytes_sent("zoo/start") - before == len(base)
        left = [path for path in (tmp_path / "hf").rglob("*") if path.name == sha256(base)]
        assert left == []
        again = setol_on_hub(env, "run", *words, "--executor", "serial", "--min-evals", 40)
        assert again.returncode == 0, again.stderr
        assert hub.bytes_sent("zoo/start") - before == len(base)  # stored spectra need no base
    finally:
        hub.close()


@pytest.mark.ray
def test_on_ray(models, tmp_path):
    pytest.importorskip("ray", reason="needs Ray")
    folder, alone = tmp_path / "r", tmp_path / "alone"
    named = [models["first"], models["second"], models["other"]]
    command = [sys.executable, "-m", "setol_zoo.cli", "run", *named, "--base", models["shards"]]
    command += ["--results", folder, "--cpus", 1, "--device", "cpu", "--json"]
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=200, check=False)
    assert run.returncode == 1, run.stderr
    summary = json.loads(run.stdout)
    assert summary["computed"] == 2
    assert ["no matrix in common" in failure["error"] for failure in summary["failures"]] == [True]
    expected = run_minus([models["first"]], models["shards"], alone)
    assert expected.config == summary["config"]
    found = spectra(folder, summary["config"], "first")
    assert sorted(found) == ["conv.weight", "down.weight", "up.weight"]
    for tensor, evals in spectra(alone, expected.config, "first").items():
        np.testing.assert_array_equal(found[tensor], evals)

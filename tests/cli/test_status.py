"""`setol status` of an unfinished folder ends with the command that finishes it."""

import shlex
import shutil
from dataclasses import fields, replace
from pathlib import Path

import pytest

from analysis import open_results
from catalogs import load_catalog
from catalogs.paths import catalog_of_paths
from pipeline.base_model import BaseModel
from pipeline.options import MetricOptions, Options, SpectrumOptions, preset
from setol_zoo.cli.again import command_again, command_once_mended, what_cannot_be_typed
from setol_zoo.cli.options import METRIC_OPTIONS, SPECTRUM_OPTIONS
from tests.analysis.synthetic import Synthetic, sha, weight_file
from tests.cli.test_commands import setol
from tests.conftest import run_here
from tests.random_models import write_models

CHANGED = {
    **{"kernels": "slices", "kernel_factor": 1.0, "factor_by_taps": True, "least_eigenvalue": 1e-3, "min_evals": 9},
    **{"small_sample": True, "fingers": "clip", "bulk": "quantile", "tracy_widom_level": 0.9, "detail": "full"},
    **{"bootstrap": 7, "seed": 3, "precision": "float32", "permutations": 2, "vectors": True, "windows": True},
    "base": BaseModel("path:start.safetensors", "5" * 64),
}
"""A value of every option that is not its default."""


def unfinished(tmp_path: Path, options: MetricOptions | None = None, count: int = 3) -> tuple[Path, list[Path]]:
    """A folder whose first model's metrics are gone, and the models."""
    models = write_models(tmp_path, count, layers=1, size=60, seed=5)
    folder = tmp_path / "my results"
    run_here(catalog_of_paths(list(map(str, models))), folder, options)
    for path in (folder / "layers" / "v1").iterdir():
        path.unlink()
    return folder, models


def last_line(*arguments: object) -> list[str]:
    return shlex.split(setol(*arguments).stdout.splitlines()[-1].removeprefix("next: setol "))


@pytest.mark.parametrize(
    "options",
    [MetricOptions(), preset("weightwatcher"), preset("weightwatcher", min_evals=20), MetricOptions(kernel_factor=1.0)],
)
def test_the_command_that_it_names_finishes_the_folder(tmp_path, options):
    folder, models = unfinished(tmp_path, options)
    run = setol("status", "--results", folder)
    assert run.exit_code == 1
    assert "not finished: 3 models of 3; the next command goes on" in run.stdout
    command = last_line("status", "--results", folder)
    assert command[:4] == ["run", *(f"path:{path}" for path in models)]
    again = setol(*command, "--executor", "serial")
    assert "3 weight files computed" in again.stdout, again.output
    assert len(list((folder / "options").iterdir())) == 1  # the same options, found again
    assert last_line("status", "--results", folder) == ["report", "--results", str(folder)]


def test_a_built_in_catalog_is_named(tmp_path):
    folder = Synthetic(tmp_path / "r")
    demo = load_catalog("demo")
    folder.plan()
    folder.describe(list(demo.files))
    path = next((tmp_path / "r" / "options").iterdir())
    path.write_text(path.read_text().replace('"synthetic"', '"demo"'))
    words = command_again(open_results(tmp_path / "r"), Path("r"))
    assert words == ["run", "--catalog", "demo", "--results", Path("r")]


OPTIONS = {
    "detail": ("--detail", "full"),
    "bulk and fingers": ("--bulk", "quantile", "--fingers", "clip"),
    "bootstrap": ("--bootstrap", 3, "--min-evals", 20),
    "precision": ("--precision", "float32"),
    "permutations and windows": ("--permutations", 1, "--windows"),
    "vectors": ("--vectors", "--kernel-factor", 1.0),
    "slices": ("--preset", "natcomm2021", "--detail", "standard"),
    "preset": ("--preset", "weightwatcher", "--fingers", "clip_weightwatcher"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_the_command_has_every_option_of_the_configuration(tmp_path, name):
    first, last = write_models(tmp_path, 2, layers=1, size=60, seed=5)
    content = last.read_bytes()
    folder = tmp_path / "r"
    assert setol("run", first, last, *OPTIONS[name], "--results", folder, "--executor", "serial").exit_code == 0
    for stage in ("layers", "spectra"):  # of one model alone
        next((folder / stage / "v1").iterdir()).unlink()
    options = list((folder / "options").iterdir())
    again = setol(*last_line("status", "--results", folder), "--executor", "serial")
    assert again.exit_code == 0, again.output
    assert list((folder / "options").iterdir()) == options
    assert last_line("status", "--results", folder) == ["report", "--results", str(folder)]
    assert last.read_bytes() == content


def test_every_option_of_the_dataclasses_is_typed_or_told(tmp_path):
    for field in [*fields(MetricOptions), *fields(SpectrumOptions)]:
        options = Options(metrics=MetricOptions(), spectrum=SpectrumOptions())
        changed = CHANGED.get(field.name)
        assert changed is not None, f"{field.name} is new: what does `setol status` say of it?"
        part = "spectrum" if field.name in {each.name for each in fields(SpectrumOptions)} - {"seed"} else "metrics"
        options = replace(options, **{part: replace(getattr(options, part), **{field.name: changed})})
        folder = Synthetic(tmp_path / field.name)
        planned = {"catalog": "own", "planned": "2026-01-01T00:00:00.000000+00:00"}
        folder.folder.save_options(options.config, {**options.content, **planned})
        folder.describe([weight_file("m", sha("a"))])
        opened = open_results(tmp_path / field.name)
        words, why = command_again(opened, Path("r")), what_cannot_be_typed(opened)
        if field.name in (*METRIC_OPTIONS, *SPECTRUM_OPTIONS, "base"):
            assert f"--{field.name.replace('_', '-')}" in words
            assert why is None
        else:
            assert why == f"no option of `setol run` sets {field.name} {changed}"


def test_an_option_that_cannot_be_typed_is_told(tmp_path):
    folder, _ = unfinished(tmp_path, MetricOptions(tracy_widom_level=0.95))
    told = setol("status", "--results", folder).stdout.splitlines()[-2]
    assert told.endswith(": no option of `setol run` sets tracy_widom_level 0.95; the next command starts another one")


def test_options_of_another_version_are_told(tmp_path):
    folder, _ = unfinished(tmp_path)
    (path,) = (folder / "options").iterdir()
    path.write_text(path.read_text().replace('"metrics_version": ', '"metrics_version": 9'))
    told = setol("status", "--results", folder).stdout.splitlines()[-2]
    assert told.endswith(": it was made by another version of setol-zoo; the next command starts another one")


def test_what_failed_for_good_is_not_proposed_again(tmp_path):
    (good,) = write_models(tmp_path, 1, layers=1, size=60, seed=5)
    (bad := tmp_path / "empty.safetensors").touch()
    folder = tmp_path / "r"
    run = setol("run", good, bad, "--results", folder, "--executor", "serial")
    assert run.stdout.splitlines()[-1] == f"next: setol status --results {folder}"
    told = setol("status", "--results", folder)
    assert told.exit_code == 1
    *_, unfinished_line, for_good, last = told.stdout.splitlines()
    assert unfinished_line == "not finished: 1 model of 2"
    command = f"setol run path:{bad} --retry-failed --results {folder}"
    assert for_good == f"failed for good: 1 model; once the files are mended: {command}"
    assert last == f"next: setol report --results {folder}"
    bad.write_bytes(good.read_bytes().replace(b"fc0", b"fc1"))
    mended = setol(*shlex.split(command)[1:], "--executor", "serial")
    assert "1 weight file computed" in mended.stdout, mended.output
    assert setol("status", "--results", folder).exit_code == 0


def test_what_may_pass_is_proposed_without_what_failed_for_good(tmp_path):
    folder = Synthetic(tmp_path / "r")
    folder.plan()
    files = [weight_file(f"m{i}", sha("abcdefg"[i])) for i in range(4)]
    folder.describe(files)
    failed = {"outcome": "failed", "error": "x", "error_type": "CheckpointError"}
    folder.attempt(files[1], transient=True, **failed)
    folder.attempt(files[2], transient=False, **failed)
    opened = open_results(tmp_path / "r")
    assert command_again(opened, Path("r")) == ["run", "path:m0", "path:m1", "path:m3", "--results", Path("r")]
    assert command_once_mended(opened, Path("r")) == ["run", "path:m2", "--retry-failed", "--results", Path("r")]
    folder.describe([weight_file(f"n{i}", sha("hijklm"[i])) for i in range(6)])
    words = command_again(open_results(tmp_path / "r"), Path("r"))
    assert words == ["run", "--catalog", "CATALOG", "--results", Path("r")]


def test_a_shard_that_failed_for_good_does_not_hide_one_to_do(tmp_path):
    folder = Synthetic(tmp_path / "r")
    folder.plan()
    shards = [weight_file("m", sha(letter), file=f"/zoo/{letter}") for letter in "ab"]
    folder.describe(shards)
    folder.attempt(shards[0], outcome="failed", error="x", error_type="CheckpointError", transient=False)
    assert command_again(open_results(tmp_path / "r"), Path("r")) == ["run", "path:m", "--results", Path("r")]


def test_next_commands_keep_to_the_configuration_that_was_asked_for(tmp_path):
    models = write_models(tmp_path, 2, layers=1, size=60, seed=5)
    folder = tmp_path / "r"
    assert setol("run", *models, "--results", folder, "--executor", "serial").exit_code == 0
    part = setol("run", models[0], "--results", folder, "--executor", "serial", "--min-evals", 20)
    config = part.stdout.split("configuration ")[1][:12]
    command = ["--results", str(folder), "--config", config]
    assert shlex.split(part.stdout.splitlines()[-1])[2:] == ["report", *command]  # not complete, so not the default
    assert last_line("report", *command) == ["correlate", *command]
    assert (folder / f"report-{config}.html").exists()
    assert not (folder / "report.html").exists()
    assert last_line("correlate", *command) == ["report", *command]
    assert last_line("report", "--results", folder) == ["correlate", "--results", str(folder)]
    assert open_results(folder).config != config


def test_a_model_that_was_in_memory_cannot_be_read_again(tmp_path):
    folder = Synthetic(tmp_path / "r")
    folder.plan()
    folder.describe([weight_file("m", sha("a"), model="memory:m@aaaaaaaaaaaa", file="m")])
    assert command_again(open_results(tmp_path / "r"), Path("r")) is None


def test_one_file_gone_names_one_model(tmp_path):
    folder, models = unfinished(tmp_path)
    shutil.rmtree(folder)
    run_here(catalog_of_paths(list(map(str, models))), folder)
    (folder / "layers" / "v1").joinpath(next((folder / "layers" / "v1").iterdir()).name).unlink()
    command = last_line("status", "--results", folder)
    assert len([word for word in command if word.startswith("path:")]) == 1

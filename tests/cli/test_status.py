"""`setol status` of an unfinished folder ends with the command that finishes it."""

import shlex
import shutil
from pathlib import Path

import pytest

from analysis import open_results
from catalogs import load_catalog
from catalogs.paths import catalog_of_paths
from pipeline.options import MetricOptions, preset
from setol_zoo.cli.again import command_again
from tests.analysis.synthetic import Synthetic, sha, weight_file
from tests.cli.test_commands import setol
from tests.conftest import run_here
from tests.random_models import write_models


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


def test_failures_for_good_need_a_retry_and_many_models_their_catalog(tmp_path):
    folder = Synthetic(tmp_path / "r")
    folder.plan()
    files = [weight_file(f"m{i}", sha("abcdef"[i])) for i in range(6)]
    folder.describe(files)
    folder.attempt(files[2], outcome="failed", error="cut", error_type="CheckpointError", transient=False)
    words = command_again(open_results(tmp_path / "r"), Path("r"))
    assert words == ["run", "--catalog", "CATALOG", "--retry-failed", "--results", Path("r")]


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

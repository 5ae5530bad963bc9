"""`setol status --check` reads every file of results, and the next run makes anew what it found damaged."""

import json
import random
import shlex
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from catalogs.paths import catalog_of_paths
from pipeline.options import MetricOptions
from pipeline.store.check import Said, check_files, fault_of
from pipeline.store.folder import ResultsFolder
from tests.cli.test_commands import setol
from tests.conftest import run_here
from tests.random_models import write_models

STAGES = ("spectra/v1", "layers/v1")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """Results of two models that nothing has happened to, beside the models."""
    home = tmp_path_factory.mktemp("whole")
    models = write_models(home, 2, layers=2, size=60, seed=4)
    run_here(catalog_of_paths(list(map(str, models))), home / "r")
    return home / "r"


@pytest.fixture
def folder(whole, tmp_path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "r"))


def files(folder: Path, stage: str) -> list[Path]:
    return sorted((folder / stage).glob("*.parquet"))


def flip(path: Path, position: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


def test_a_flipped_bit_is_named_and_healed(folder):
    before = {path: path.read_bytes() for stage in STAGES for path in files(folder, stage)}
    broken = [files(folder, STAGES[0])[0], files(folder, STAGES[1])[1]]
    for path in broken:
        flip(path, path.stat().st_size // 4)
    said = setol("status", "--check", "--results", folder)
    assert said.exit_code == 1
    for path in broken:
        (line,) = [line for line in said.stdout.splitlines() if str(path) in line]
        assert line.endswith("): set aside")
        assert not path.exists()
        assert path.with_name(f"{path.name}.damaged").exists()
    assert "read: 4 files of spectra and metrics, " in said.stdout
    assert "; 2 damaged" in said.stdout
    again = setol("status", "--check", "--results", folder, "--json")  # nothing is damaged, and something is not there
    assert again.exit_code == 1
    checked = json.loads(again.stdout)["checked"]
    assert (checked["files"], checked["damaged"]) == (2, [])
    command = shlex.split(said.stdout.splitlines()[-1].removeprefix("next: setol "))
    assert command[0] == "run"
    run = setol(*command, "--executor", "serial")
    assert run.exit_code == 0, run.output
    assert {path: path.read_bytes() for stage in STAGES for path in files(folder, stage)} == before
    healed = setol("status", "--check", "--results", folder)
    assert (healed.exit_code, "; 0 damaged" in healed.stdout) == (0, True), healed.output


def test_every_bit_of_a_file_counts(whole):
    """Of values, their headers and sums, statistics, the schema, lengths and marks."""
    chance = random.Random(0)
    for stage in STAGES:
        content = files(whole, stage)[0].read_bytes()
        name = f"{stage}/x.parquet"
        said = Said(pq.read_table(pa.BufferReader(content))["weights_sha256"][0].as_py(), current=True)
        assert fault_of(pa.py_buffer(content), name, said) is None
        for position in chance.sample(range(content.find(b"parquet-cpp-arrow")), 60):
            other = bytearray(content)
            other[position] ^= 1 << chance.randrange(8)
            assert fault_of(pa.py_buffer(bytes(other)), name, said), f"byte {position} of {len(content)}"


def test_content_under_the_name_of_another(folder):
    first, second = files(folder, "layers/v1")
    first.write_bytes(second.read_bytes())
    (damage,) = check_files(ResultsFolder(folder)).damaged
    assert damage.path == first
    assert " is of the weights " in f" {damage.error}"
    assert "and its name is that of " in damage.error


def test_columns_of_another_type(folder):
    path = files(folder, "layers/v1")[0]
    table = pq.read_table(path)
    index = table.schema.get_field_index("alpha")
    pq.write_table(table.set_column(index, "alpha", pc.cast(table["alpha"], pa.float32())), path)
    (damage,) = check_files(ResultsFolder(folder)).damaged
    assert damage.error == "its column alpha is float, and not double"


def test_other_configurations_have_their_command(folder, whole):
    models = sorted(whole.parent.glob("*.safetensors"))
    run_here(catalog_of_paths(list(map(str, models))), folder, MetricOptions(min_evals=20))
    newer = [
        path
        for path in files(folder, "layers/v1")
        if path.name not in {each.name for each in files(whole, "layers/v1")}
    ]
    older = files(whole, "layers/v1")[0]
    for path in (*newer, folder / "layers/v1" / older.name):
        flip(path, path.stat().st_size // 4)
    said = setol("status", "--check", "--results", folder)
    commands = [line.partition(" setol ")[2] for line in said.stdout.splitlines() if " setol " in line]
    assert len(commands) == 2
    assert sorted("--min-evals 20" in command for command in commands) == [False, True]
    assert all(command.startswith("run path:") for command in commands)


def test_files_of_other_code_are_read_and_left(folder):
    """Fewer columns, written by another program: nothing says that they are damaged."""
    path = files(folder, "layers/v1")[0]
    pq.write_table(pq.read_table(path).drop_columns(["raw_alpha"]), path)
    assert check_files(ResultsFolder(folder)).damaged == ()

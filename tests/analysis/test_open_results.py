"""Which folders, files and configuration are opened, and the spectrum of a layer."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis import AnalysisError, open_results
from catalogs import CATALOG_SCHEMA, SCORES_SCHEMA
from catalogs.identity import fit_id
from pipeline.options import MetricOptions, Options
from pipeline.store.records import ATTEMPTS_SCHEMA, LAYERS_SCHEMA, SPECTRA_SCHEMA
from tests.analysis.synthetic import CONFIG, Synthetic, one_layer, score, sha, tensor, weight_file

OTHER = "facade000002"
SECOND = MetricOptions(min_evals=20)
EARLY, LATE = "2026-01-01T00:00:00.000000+00:00", "2026-02-01T00:00:00.000000+00:00"


@pytest.mark.parametrize(
    ("table", "schema"),
    [
        ("stored.spectra", SPECTRA_SCHEMA),
        ("stored.layers", LAYERS_SCHEMA),
        ("stored.attempts", ATTEMPTS_SCHEMA),
        ("stored.catalog", CATALOG_SCHEMA),
        ("stored.scores", SCORES_SCHEMA),
    ],
)
def test_stored_columns_are_those_of_the_job(rich: Path, table: str, schema: pa.Schema) -> None:
    found = open_results(rich).sql(f"FROM {table} LIMIT 0").schema
    assert [(field.name, field.type) for field in found] == [(field.name, field.type) for field in schema]


def test_a_run_of_failures_has_all_views_with_their_columns(tmp_path: Path, rich: Path) -> None:
    folder = Synthetic(tmp_path / "failed")
    folder.plan()
    file = weight_file("a", sha("a"))
    folder.describe([file])
    folder.attempt(file, outcome="failed", error="cut short", error_type="CheckpointError", transient=False)
    failed, whole = open_results(folder.root), open_results(rich)
    for view in ("layers", "spectra", "scores", "skipped", "model_metrics", "scored_models"):
        table = failed.sql(f"FROM {view}")
        assert len(table) == 0
        assert table.schema == whole.sql(f"FROM {view}").schema
    assert failed.rows("SELECT status, n_tensors, coverage, error FROM models") == [
        {"status": "failed", "n_tensors": 0, "coverage": None, "error": "cut short"}
    ]
    assert failed.configuration.complete


def two_configurations(root: Path, *, second_complete: bool) -> None:
    folder = Synthetic(root)
    folder.plan(CONFIG, planned=EARLY)
    folder.plan(OTHER, SECOND, planned=LATE)
    folder.describe([weight_file("a", sha("a")), weight_file("b", sha("b"))], [score("a", 1.0), score("b", 2.0)])
    for content, alpha in ((sha("a"), 2.0), (sha("b"), 3.0)):
        folder.publish(content, one_layer(alpha))
    for content, alpha in ((sha("a"), 20.0), (sha("b"), 30.0))[: 2 if second_complete else 1]:
        folder.publish(content, one_layer(alpha), config=OTHER, metrics=SECOND)


def test_the_newest_complete_configuration_is_shown_and_no_model_twice(tmp_path: Path) -> None:
    two_configurations(tmp_path, second_complete=True)
    results = open_results(tmp_path)
    assert results.config == OTHER
    assert [each.name for each in results.configs] == [OTHER, CONFIG]
    assert results.rows("SELECT name, alpha FROM layers ORDER BY name") == [
        {"name": "a", "alpha": 20.0},
        {"name": "b", "alpha": 30.0},
    ]
    assert len(results.sql("FROM scored_models")) == len(results.sql("FROM models")) == 2
    assert open_results(tmp_path, CONFIG).rows("SELECT sum(alpha) AS s FROM layers") == [{"s": 5.0}]


def test_a_newer_configuration_that_is_not_complete_waits(tmp_path: Path) -> None:
    two_configurations(tmp_path, second_complete=False)
    assert open_results(tmp_path).config == CONFIG
    assert [each.n_done for each in open_results(tmp_path).configs] == [1, 2]


def test_what_failed_for_good_does_not_keep_a_configuration_from_being_complete(tmp_path: Path) -> None:
    two_configurations(tmp_path, second_complete=False)
    folder, failed = Synthetic(tmp_path), {"config": OTHER, "metrics": SECOND, "outcome": "failed", "error": "x"}
    folder.attempt(weight_file("b", sha("b")), transient=False, started=EARLY, **failed)
    assert open_results(tmp_path).config == OTHER
    folder.attempt(weight_file("b", sha("b")), transient=True, started=LATE, **failed)
    assert open_results(tmp_path).config == CONFIG


def test_what_has_no_spectra_fails_every_configuration_with_the_same_spectra(tmp_path: Path) -> None:
    two_configurations(tmp_path, second_complete=False)
    folder, bad = Synthetic(tmp_path), weight_file("c", sha("c"))
    folder.describe([weight_file("d", None), bad])
    failed = {"outcome": "failed", "error": "0 bytes", "error_type": "CheckpointError", "transient": False}
    folder.attempt(bad, started=EARLY, **failed)
    folder.attempt(weight_file("d", None), started=EARLY, **failed)
    folder.publish(sha("b"), one_layer(30.0), config=OTHER, metrics=SECOND)
    assert open_results(tmp_path).config == OTHER
    for name in (CONFIG, OTHER):
        results = open_results(tmp_path, name)
        assert results.rows("SELECT name, status, error FROM models WHERE status <> 'done' ORDER BY name") == [
            {"name": "c", "status": "failed", "error": "0 bytes"},
            {"name": "d", "status": "failed", "error": "0 bytes"},
        ]
        assert [row["config"] for row in results.rows("FROM attempts")] == [CONFIG] * 2 * (name == CONFIG)
    path = next((tmp_path / "options").glob(f"{OTHER}*"))
    path.write_text(path.read_text().replace('"precision": "float64"', '"precision": "float32"'))
    statuses = open_results(tmp_path, OTHER).rows("SELECT status FROM models WHERE name IN ('c', 'd') ORDER BY name")
    assert [row["status"] for row in statuses] == ["pending", "failed"]  # other spectra may be had of the one


def test_what_failed_behind_its_spectra_fails_one_configuration_alone(tmp_path: Path) -> None:
    two_configurations(tmp_path, second_complete=False)
    folder = Synthetic(tmp_path)
    failed = {"outcome": "failed", "error": "x", "error_type": "ValueError", "transient": False}
    folder.attempt(weight_file("b", sha("b")), started=EARLY, **failed)
    status = open_results(tmp_path, OTHER).rows("SELECT status FROM models WHERE name = 'b'")
    assert status == [{"status": "pending"}]


def test_without_a_complete_configuration_the_newest_is_shown(tmp_path: Path) -> None:
    two_configurations(tmp_path, second_complete=False)
    Synthetic(tmp_path).describe([weight_file("c", sha("c"))])
    assert open_results(tmp_path).config == OTHER


def test_a_configuration_is_known_by_the_beginning_of_its_name(tmp_path: Path) -> None:
    two_configurations(tmp_path, second_complete=True)
    assert open_results(tmp_path, "c0f").config == CONFIG
    with pytest.raises(AnalysisError, match=f"unknown configuration 'c0ffee00000X'; nearest: {CONFIG}"):
        open_results(tmp_path, "c0ffee00000X")
    Synthetic(tmp_path).plan("c0ffff")
    with pytest.raises(AnalysisError, match="'c0ff' is the beginning of"):
        open_results(tmp_path, "c0ff")


def test_spectra_of_an_older_code_are_not_mixed_in(tmp_path: Path) -> None:
    folder = Synthetic(tmp_path)
    folder.plan()
    folder.describe([weight_file("a", sha("a"))])
    folder.publish(sha("a"), one_layer(2.0))
    folder.plan("0ld", spectra_version=0, planned=EARLY)
    assert len(open_results(tmp_path, "c0ffee").sql("FROM spectra")) == 1
    assert len(open_results(tmp_path, "0ld").sql("FROM spectra")) == 0


def test_several_folders_count_what_they_share_once(tmp_path: Path) -> None:
    for name, models in (("one", "ab"), ("two", "bc")):
        folder = Synthetic(tmp_path / name)
        folder.plan()
        files = [weight_file(model, sha(model), family=name) for model in models]
        folder.describe(files, [score(model, float(len(name))) for model in models])
        for model in models:
            folder.publish(sha(model), one_layer(2.0))
    results = open_results([tmp_path / "one", tmp_path / "two"])
    assert results.rows("SELECT name, family FROM scored_models ORDER BY name") == [
        {"name": "a", "family": "one"},
        {"name": "b", "family": "one"},
        {"name": "c", "family": "two"},
    ]
    assert len(results.sql("FROM spectra")) == len(results.sql("FROM layers")) == len(results.sql("FROM scores")) == 3


def test_a_column_that_older_files_lack_is_null(tmp_path: Path) -> None:
    folder = Synthetic(tmp_path)
    folder.plan()
    folder.describe([weight_file("a", sha("a")), weight_file("b", sha("b"))])
    folder.publish(sha("a"), one_layer(2.0, entropy=0.5))
    folder.publish(sha("b"), one_layer(3.0, entropy=0.7))
    path = tmp_path / "layers" / "v1" / f"{fit_id(sha('a'), Options().content)}.parquet"
    table = pq.read_table(path).drop_columns(["entropy"]).append_column("later", pa.array([1.0]))
    pq.write_table(table, path)
    assert open_results(tmp_path).rows("SELECT alpha, entropy FROM layers ORDER BY name") == [
        {"alpha": 2.0, "entropy": None},
        {"alpha": 3.0, "entropy": 0.7},
    ]


def test_files_still_being_written_are_not_read(rich: Path) -> None:
    (rich / "attempts" / ".half.parquet").write_bytes(b"half")
    (rich / "layers" / "v1" / ".half.parquet.tmp").write_bytes(b"half")
    assert len(open_results(rich).sql("FROM attempts")) == 5


def test_folders_that_are_no_results_say_what_to_run(tmp_path: Path, rich: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.txt").touch()
    for name, message in (
        ("nowhere", "there is no folder .*, or fill this one: setol run --catalog demo --results .*/nowhere$"),
        ("empty", "is empty. .*, or fill this one: setol run --catalog demo --results .*/empty$"),
        ("other", "is not a results folder: it has no catalog. Name a folder that `setol run` has filled.$"),
        ("other/x.txt", "is no folder. Name a folder that `setol run` has filled.$"),
    ):
        with pytest.raises(AnalysisError, match=message):
            open_results(tmp_path / name)
    with pytest.raises(AnalysisError, match="at least one results folder"):
        open_results([])
    next((rich / "options").iterdir()).unlink()
    with pytest.raises(AnalysisError, match=r"has no options/\*.json. .* call it again, with --results "):
        open_results(rich)


def test_results_inside_the_folder_are_offered(tmp_path: Path, rich: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zoo = tmp_path / "zoo"
    (zoo / "notes" / "options").mkdir(parents=True)  # no catalog
    (zoo / "x.txt").touch()
    (zoo / "broken").symlink_to(zoo / "nowhere")
    shutil.copytree(rich, zoo / "demo")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AnalysisError, match=r"setol run` has filled; inside this one: --results zoo/demo$"):
        open_results(zoo)
    open_results("zoo/demo")
    for name in ("a b", "c", "e"):
        shutil.copytree(rich, zoo / name)
    with pytest.raises(AnalysisError, match=r"--results 'zoo/a b', --results zoo/c, --results zoo/demo and 1 more$"):
        open_results(zoo)
    monkeypatch.chdir(zoo / "c")
    with pytest.raises(AnalysisError, match=r"--results \., --results /"):
        open_results(zoo)


def test_a_damaged_file_is_named(rich: Path) -> None:
    path = next((rich / "layers" / "v1").glob("*.parquet"))
    path.write_bytes(b"PAR1")
    with pytest.raises(AnalysisError, match=re.escape(f"{path} cannot be read: ") + ".* call it again, with --results"):
        open_results(rich)


def test_a_damaged_file_of_spectra_is_named_by_the_query_that_needs_it(rich: Path) -> None:
    path = next((rich / "spectra" / "v1").glob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-20])
    results = open_results(rich)
    told = re.escape(f"{path} cannot be read: ") + f".* call it again, with --results {re.escape(str(rich))}$"
    with pytest.raises(AnalysisError, match=told):
        results.sql("SELECT count(*) FROM spectra")


def test_damaged_options_are_named(rich: Path) -> None:
    path = rich / "options" / f"{CONFIG}.json"
    path.write_text('{"planned": "2026"}')
    with pytest.raises(AnalysisError, match="lacks spectrum, spectra_version"):
        open_results(rich)
    path.write_text("{")
    with pytest.raises(AnalysisError, match="cannot be read"):
        open_results(rich)


def test_spectrum_is_pooled_ascending_and_scaled(rich: Path) -> None:
    results = open_results(rich)
    for model, layer in (("a", "emb"), ("path:a", "emb.weight"), ("b", "emb"), ("a", "head")):
        np.testing.assert_array_equal(results.spectrum(model, layer), [0.5, 2.0, 2.5, 4.5])


def test_spectrum_of_a_part(tmp_path: Path) -> None:
    folder = Synthetic(tmp_path)
    folder.plan()
    folder.describe([weight_file("a", sha("a"))])
    parts = [tensor("qkv.weight", [12, 3], part=part, evals=[value] * 3) for part, value in (("q", 1.0), ("k", 2.0))]
    folder.publish(sha("a"), [(part, {"alpha": 2.0}) for part in parts])
    results = open_results(tmp_path)
    np.testing.assert_array_equal(results.spectrum("a", "qkv", "k"), [2.0, 2.0, 2.0])
    with pytest.raises(AnalysisError, match="need the part, one of q, k"):
        results.spectrum("a", "qkv")
    with pytest.raises(AnalysisError, match="unknown part 'v'; known: q, k"):
        results.spectrum("a", "qkv", "v")


def test_spectrum_says_what_it_does_not_have(rich: Path) -> None:
    results = open_results(rich)
    for arguments, message in (
        (("aa", "emb"), "unknown model 'aa'"),
        (("a", "embb"), "unknown layer 'embb'; nearest: emb"),
        (("a", "bias"), "bias has no spectrum. Fewer than two axes"),
        (("a", "emb", "q"), "emb has no parts"),
        (("d", "emb"), "d has no spectra yet"),
    ):
        with pytest.raises(AnalysisError, match=message):
            results.spectrum(*arguments)


def test_two_models_of_one_name_need_their_keys(tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = Synthetic(tmp_path / name)
        folder.plan()
        folder.describe([weight_file("a", sha(name[0]), model=f"path:{name}/a")])
        folder.publish(sha(name[0]), one_layer(2.0))
    results = open_results([tmp_path / "one", tmp_path / "two"])
    with pytest.raises(AnalysisError, match="several models are called a: path:one/a, path:two/a"):
        results.spectrum("a", "w")
    assert len(results.spectrum("path:two/a", "w")) == 3


def test_analysis_works_where_torch_and_ray_are_blocked(rich: Path) -> None:
    script = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "ray", "checkpoints", "pipeline", "setol_zoo"):
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Blocked())
from analysis import open_results
from analysis.studies.correlate import METRICS, correlate
from analysis.reporting.report import report_html
from analysis.samples.samples_from_results import samples_from_results
results = open_results(sys.argv[1])
for sample in samples_from_results(results, metrics=METRICS):
    assert correlate(sample, METRICS).groups
assert "weight matrices" in report_html(results)
"""
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", script, str(rich)], cwd=root, check=True, timeout=120)

"""Where the architecture comes into a job: what is planned, what the results are called, what their rows say."""

import json
from importlib.metadata import version
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file

from analysis import open_results
from catalogs import WeightFile
from catalogs.identity import fit_id, layouts_of, spectra_id
from catalogs.paths import catalog_of_paths
from checkpoints.errors import CheckpointError
from checkpoints.libraries import architecture_facts, layout_of
from checkpoints.tensors import TensorHeader
from pipeline.options import Options
from pipeline.planning.plan import make_plan
from tests.conftest import run_here

HEADS, WIDTH = 4, 80
NEOX = {
    **{"model_type": "gpt_neox", "architectures": ["GPTNeoXForCausalLM"], "hidden_size": WIDTH, "vocab_size": 90},
    **{
        "num_attention_heads": HEADS,
        "num_hidden_layers": 1,
        "intermediate_size": 8,
        "bos_token_id": 0,
        "eos_token_id": 1,
    },
}
FUSED = "gpt_neox.layers.0.attention.query_key_value.weight"


@pytest.fixture
def model(tmp_path) -> Path:
    generator = torch.Generator().manual_seed(1)
    folder = tmp_path / "model"
    folder.mkdir()
    scale = torch.linspace(0.5, 2, 3 * WIDTH)[:, None]  # so that query, key and value have different spectra
    tensors = {
        FUSED: torch.randn(3 * WIDTH, WIDTH, generator=generator) * scale,
        "gpt_neox.embed_in.weight": torch.randn(90, WIDTH, generator=generator),
        "mine.weight": torch.randn(70, 60, generator=generator),
    }
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(NEOX), encoding="utf-8")
    return folder


def row(path: Path, **changes) -> WeightFile:
    return WeightFile(model=f"path:{path}", name="m", file=str(path), weights_sha256="ab" * 32, **changes)


def test_spectra_of_a_path_with_a_config_are_those_of_its_heads(model, tmp_path):
    summary = run_here(catalog_of_paths([str(model)]), tmp_path / "r")
    assert (summary.computed, summary.failures) == (1, ())
    results = open_results(tmp_path / "r")
    told = results.rows("SELECT tensor, part, kind, layout FROM spectra ORDER BY tensor, part")
    assert [(row["tensor"], row["part"], row["kind"], row["layout"]) for row in told] == [
        ("gpt_neox.embed_in.weight", None, "embedding", "architecture"),
        *((FUSED, part, "linear", "architecture") for part in "kqv"),
        ("mine.weight", None, "linear", "name"),
    ]
    weight = load_file(model / "model.safetensors")[FUSED].double().reshape(HEADS, 3, WIDTH // HEADS, WIDTH)
    for position, part in enumerate("qkv"):
        matrix = weight[:, position].reshape(WIDTH, WIDTH)
        evals = results.spectrum("model", FUSED, part)
        assert evals == pytest.approx(torch.linalg.svdvals(matrix).square().sort().values.numpy(), rel=1e-9, abs=1e-9)
    (file,) = pq.read_table(tmp_path / "r" / "catalog").to_pylist()
    assert file["layout"].startswith(f"transformers {version('transformers')} gpt_neox ")
    names = {path.stem for path in (tmp_path / "r" / "spectra" / "v1").iterdir()}
    assert names == {spectra_id(file["weights_sha256"], Options().content, file["layout"])}


def test_a_second_run_computes_nothing_and_another_configuration_does(model, tmp_path):
    catalog = catalog_of_paths([str(model)])
    assert run_here(catalog, tmp_path / "r").computed == 1
    assert run_here(catalog, tmp_path / "r").reused == 1
    (model / "config.json").write_text(json.dumps(NEOX | {"num_attention_heads": 2}), encoding="utf-8")
    assert run_here(catalog, tmp_path / "r").computed == 1
    (model / "config.json").unlink()
    assert run_here(catalog, tmp_path / "r").computed == 1
    assert len(list((tmp_path / "r" / "spectra" / "v1").iterdir())) == 3
    assert {row["layout"] for row in open_results(tmp_path / "r").rows("SELECT layout FROM spectra")} == {"name"}


def test_one_content_with_and_without_a_configuration_is_laid_out_once(model, tmp_path):
    alone = tmp_path / "alone" / "copy.safetensors"
    alone.parent.mkdir()
    alone.write_bytes((model / "model.safetensors").read_bytes())
    summary = run_here(catalog_of_paths([str(alone), str(model)]), tmp_path / "r")
    assert (summary.computed, summary.failures) == (1, ())
    results = open_results(tmp_path / "r")
    assert results.configuration.complete
    counts = results.rows("SELECT name, count(*) AS n FROM spectra GROUP BY name ORDER BY name")
    assert [(row["name"], row["n"]) for row in counts] == [("copy", 5), ("model", 5)]


def test_ids_without_an_architecture_are_what_they_were():
    content = Options().content
    assert spectra_id("ab" * 32, content) == spectra_id("ab" * 32, content, None)
    assert fit_id("ab" * 32, content) == fit_id("ab" * 32, content, None)
    assert len({spectra_id("ab" * 32, content, layout) for layout in (None, "timm 1 a", "timm 2 a")}) == 3
    assert len({fit_id("ab" * 32, content, layout) for layout in (None, "timm 1 a", "timm 2 a")}) == 3


def test_the_first_name_with_an_architecture_decides():
    assert layouts_of([("a", None), ("a", "x"), ("a", "y"), ("b", None), (None, "z")]) == {"a": "x"}


def test_results_from_before_there_were_layouts_can_be_read(model, tmp_path):
    (model / "config.json").unlink()
    catalog = catalog_of_paths([str(model)])
    run_here(catalog, tmp_path / "r")
    for path in [*(tmp_path / "r" / "catalog").iterdir(), *(tmp_path / "r" / "spectra" / "v1").iterdir()]:
        pq.write_table(pq.read_table(path).drop_columns(["layout"]), path)
    assert run_here(catalog, tmp_path / "r").reused == 1
    assert {row["layout"] for row in open_results(tmp_path / "r").rows("SELECT layout FROM spectra")} == {None}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (json.dumps(NEOX), f"transformers {version('transformers')} gpt_neox "),
        (json.dumps({"architecture": "resnet18", "num_classes": 10}), f"timm {version('timm')} resnet18 "),
        (json.dumps({"model_type": "of_my_own", "auto_map": {"AutoModel": "modeling.Mine"}}), None),
        (json.dumps({"hidden_size": 3}), None),
        (json.dumps(["model_type"]), None),
        (json.dumps({"model_type": 3}), None),
        ("{", None),
    ],
)
def test_what_a_config_beside_the_file_tells(content, told, tmp_path):
    (tmp_path / "config.json").write_text(content, encoding="utf-8")
    found = layout_of(row(tmp_path / "model.safetensors"))
    assert found is None if told is None else found is not None and found.startswith(told)


def test_models_by_name_are_told_by_name_and_version():
    timm = WeightFile(model="timm:resnet50.a1_in1k", name="r", file="x")
    assert layout_of(timm) == f"timm {version('timm')} resnet50.a1_in1k"
    torchvision = WeightFile(model="torchvision:resnet50@IMAGENET1K_V2", name="r", file="x")
    assert layout_of(torchvision) == f"torchvision {version('torchvision')} resnet50"
    assert layout_of(WeightFile(model="wheel:gnnrl/resnet20@1.0.9", name="r", file="x")) is None


def test_other_classes_than_usual_are_built_from_timms_configuration(tmp_path):
    content = {"architecture": "resnet18", "num_classes": 10, "model_args": {"in_chans": 1}}
    (tmp_path / "config.json").write_text(json.dumps(content), encoding="utf-8")
    file = row(tmp_path / "model.safetensors")
    file = row(tmp_path / "model.safetensors", layout=layout_of(file))
    first = TensorHeader("conv1.weight", "float32", (64, 1, 7, 7))
    assert set(architecture_facts(file, [first])) == {"conv1.weight"}


def test_another_version_than_in_the_plan_is_refused(model):
    file = row(model / "model.safetensors", layout="transformers 4.0.0 gpt_neox 0123456789ab")
    with pytest.raises(CheckpointError, match=r"planned to be laid out by transformers 4\.0\.0 .* same versions"):
        architecture_facts(file, [])


def test_what_the_library_cannot_build_is_told_by_names(model, tmp_path):
    (model / "config.json").write_text(json.dumps(NEOX | {"hidden_size": "wide"}), encoding="utf-8")
    assert run_here(catalog_of_paths([str(model)]), tmp_path / "r").failures == ()
    assert {row["layout"] for row in open_results(tmp_path / "r").rows("SELECT layout FROM spectra")} == {"name"}


def test_planning_groups_by_content():
    files = [row(Path("/x/a"), layout=None), row(Path("/x/b"), layout="timm 1 a")]
    plan = make_plan(files, Options(), finished=(), failed=())
    assert [unit.file.layout for unit in plan.units] == ["timm 1 a"]
    assert len(plan.files) == 2


def test_an_adapter_without_a_pair_fails_with_what_to_do(tmp_path):
    path = tmp_path / "adapter_model.safetensors"
    stem = "base_model.model.layers.0.q_proj"
    save_file({f"{stem}.lora_A.weight": torch.ones(4, 60), f"{stem}.lora_B.weight": torch.ones(60, 5)}, path)
    (failure,) = run_here(catalog_of_paths([str(path)]), tmp_path / "r").failures
    assert "an adapter of which nothing can be analyzed: 2 factors" in failure.error
    assert not failure.transient

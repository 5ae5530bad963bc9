"""The report of a sweep: HTML that stands alone, Markdown, and lines for a terminal."""

import re
from html.parser import HTMLParser

import pytest

from setol_zoo.lab.lab_tables import Tables
from setol_zoo.lab.report import drawing, picture_file, report
from tests.lab.made_tables import both_sweeps, made_tables

TABLES = made_tables(seeds=2, settings=both_sweeps((1, 32)))


class Reader(HTMLParser):
    """Text and tags of a page; every tag that is opened has to be closed."""

    VOID = frozenset({"meta", "br", "path", "use", "rect", "image"})

    def __init__(self, page: str):
        super().__init__()
        self.open, self.tags, self.texts = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.VOID:
            return
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def made():
    return report(TABLES, "mlp3")


@pytest.fixture(scope="module")
def page(made, tmp_path_factory):
    path = made.write(tmp_path_factory.mktemp("report") / "deep" / "mlp3.html")
    return path.read_text(encoding="utf-8")


def test_the_page_stands_alone(page):
    read = Reader(page)
    assert read.open == []
    assert not [tag for tag, _ in read.tags if tag in ("script", "link", "iframe")]
    assert not re.search(r"(src|href)=\"(?!#)", page)


def test_every_judged_claim_is_in_it_with_its_figure(made, page):
    assert len(made.judged) == 7
    for claim in made.judged:
        assert f'id="{claim.name}"' in page
        for picture in claim.pictures:
            assert f'data-name="{picture.name}"' in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_what_is_not_there_is_named(made, page):
    (missing,) = made.open
    assert missing.name == "overloading"
    assert "No network of which only fc1 and fc2 was trained." in page


def test_the_same_tables_give_the_same_words_and_pictures(made, page):
    again = report(TABLES, "mlp3")
    assert again.markdown("figures") == made.markdown("figures")
    assert again.lines() == made.lines()
    assert drawing(again.claims[0].pictures[0]) in page


def test_lines_tell_each_claim_once(made):
    lines = made.lines()
    for claim in made.claims:
        assert [line for line in lines if line.startswith(f"{claim.title}: {claim.outcome}")]


def test_markdown_has_the_tables_and_names_the_pictures(made):
    text = made.markdown("figures")
    rows = re.findall(r"^\|.*\|$", text, flags=re.MULTILINE)
    assert len(rows) > 30
    for block in re.findall(r"(?:^\|.*\|\n)+", text, flags=re.MULTILINE):
        widths = {line.count("|") for line in block.splitlines()}
        assert len(widths) == 1
    for claim in made.judged:
        assert f"## {claim.title}" in text
        assert all(f"](figures/{picture.name}.png)" in text for picture in claim.pictures)
    assert "](" not in made.markdown()


def test_no_network_at_all():
    empty = report(Tables(TABLES.networks.slice(0, 0), TABLES.layers.slice(0, 0)), "mlp3")
    assert empty.facts == ("No trained network.",)
    assert not empty.judged
    assert "No trained network." in empty.html()


def test_a_picture_as_a_file_is_small(made):
    (picture,) = made.claims[0].pictures
    written = picture_file(picture)
    assert written.startswith(b"\x89PNG") and 5_000 < len(written) < 60_000

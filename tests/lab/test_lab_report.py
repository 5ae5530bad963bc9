"""The report of a sweep: HTML that stands alone, Markdown, and lines for a terminal."""

import re
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner

from setol_zoo.cli.lab_report import report as command
from setol_zoo.lab.claims.records import Outcome
from setol_zoo.lab.experiments import EXPERIMENTS
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
    assert "No network was trained with fc1 alone, or fc2 alone, learning." in page


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


def test_open_claims_have_their_reason_in_the_table(made, page):
    opened = [claim for claim in made.claims if claim.outcome is Outcome.OPEN]
    assert opened
    for claim in opened:
        assert f"| {claim.title} | open: {' '.join(claim.missing)} |" in made.markdown()
        assert f">open: {' '.join(claim.missing)}</td>" in page


def test_the_command_names_the_experiments():
    refused = CliRunner().invoke(command, [])
    assert refused.exit_code == 2
    assert refused.stderr == f"Error: need an experiment, one or more of {', '.join(EXPERIMENTS)}; got none.\n"
    text = CliRunner().invoke(command, ["--help"]).stdout
    assert all(re.search(rf"\b{name}\b", text) for name in EXPERIMENTS)


def test_the_command_tells_claims_in_their_order_and_where_the_words_are(tmp_path):
    told = CliRunner().invoke(command, ["mlp3", "--output", str(tmp_path / "a.html")])
    assert told.exit_code == 0, told.output
    facts, *claims, end = told.stdout.split("\n\n")
    assert "trained networks" in facts and "docs/metrics.md" in end
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    places = [page.index(claim.split(": ")[0]) for claim in claims]
    assert len(claims) == 8 and places == sorted(places)
    assert re.fullmatch(r"report: \S*a\.html \(\d+ kB\); open it in a browser", end.splitlines()[-1])

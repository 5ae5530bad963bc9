"""`setol sql` without a query: the prompt on a terminal, standard input elsewhere."""

import json

import pytest
from click.testing import CliRunner

from analysis import open_results
from setol_zoo.cli import main
from setol_zoo.cli.prompt import EXAMPLES, split_statements
from tests.cli.terminal import Terminal
from tests.cli.test_commands import model, results  # noqa: F401 - fixtures


def ask(text: str, *options: object):
    return CliRunner().invoke(main, ["sql", *map(str, options)], input=text)


@pytest.mark.parametrize(
    ("text", "statements", "rest"),
    [
        ("SELECT 1;", ["SELECT 1"], ""),
        ("SELECT 1; SELECT 2", ["SELECT 1"], "SELECT 2"),
        ("SELECT ';' ;x", ["SELECT ';'"], "x"),
        ("SELECT 'it''s;' ;", ["SELECT 'it''s;'"], ""),
        ('SELECT ";""" FROM a;', ['SELECT ";""" FROM a'], ""),
        ("SELECT 1 -- no; end\n;", ["SELECT 1 -- no; end"], ""),
        ("SELECT /* ; */ 1;", ["SELECT /* ; */ 1"], ""),
        ("SELECT 'open;", [], "SELECT 'open;"),
        ("/* open;", [], "/* open;"),
        (";; ;", [], ""),
        ("SELECT 1; -- the end", ["SELECT 1"], ""),
        ("-- first\n/* and\nthen */", [], ""),
        ("/* nothing */ ; SELECT 1;", ["SELECT 1"], ""),
        ("", [], ""),
    ],
)
def test_statements_end_at_semicolons_outside_of_texts(text, statements, rest):
    assert split_statements(text) == (statements, rest)


def test_the_examples_have_answers(results, rich_results):  # noqa: F811
    for folder in (results, rich_results):
        opened = open_results(folder)
        for example in EXAMPLES:
            (statement,), rest = split_statements(example)
            assert rest == ""
            assert opened.sql(statement).num_columns > 1, example


@pytest.fixture(scope="module")
def rich_results(tmp_path_factory):
    from tests.analysis.conftest import write_rich

    return write_rich(tmp_path_factory.mktemp("rich") / "r")


def test_standard_input_is_answered_statement_by_statement(results):  # noqa: F811
    run = ask("SELECT layer FROM layers ORDER BY layer;\nSELECT 7 AS seven", "--results", results, "--json")
    assert run.exit_code == 0, run.output
    first, end = json.JSONDecoder().raw_decode(run.stdout)
    second, _ = json.JSONDecoder().raw_decode(run.stdout[end:].strip())
    assert (first, second) == ([{"layer": "fc1"}, {"layer": "fc2"}], [{"seven": 7}])


def test_an_error_does_not_stop_the_next_statement(results):  # noqa: F811
    run = ask("SELECT alhpa FROM layers; DROP VIEW layers; SELECT 7 AS seven;", "--results", results)
    assert run.exit_code == 2
    assert run.stdout.split() == ["seven", "7"]
    first, second = run.stderr.splitlines()
    assert first.startswith("Error: unknown column 'alhpa'; nearest: alpha")
    assert second == "Error: need exactly one SELECT statement on the views, got DROP. Results are only read."


def test_the_commands_of_the_prompt_work_on_standard_input(results):  # noqa: F811
    commands = "-- a script\n.tables\n.schema scores\n.schema\n.examples\n.help\n"
    run = ask(f"{commands}SELECT layer,\n7 AS seven FROM layers ORDER BY layer LIMIT 1\n", "--results", results)
    assert run.exit_code == 0, run.output
    lines = run.stdout.splitlines()
    assert lines[:3] == ["models", "layers", "model_metrics"]
    assert "scores: what was published about the models." in lines
    (layers,) = [line for line in lines if line.startswith("  layers  ")]
    assert layers.endswith(open_results(results).sql("FROM layers LIMIT 0").column_names[-1])  # whole, not wrapped
    assert EXAMPLES[-1] in lines
    assert lines[-1].split() == ["fc1", "7"]


def test_a_wrong_command_on_standard_input_is_an_error_and_quit_ends(results):  # noqa: F811
    run = ask(".shema\n.schema layrs\nSELECT 7 AS seven;\n.quit\nSELECT 8 AS eight;", "--results", results)
    assert run.exit_code == 2
    assert run.stdout.split() == ["seven", "7"]
    first, second = run.stderr.splitlines()
    assert first.startswith("Error: unknown command '.shema'; nearest: .schema")
    assert second.startswith("Error: unknown view 'layrs'; nearest: layers")


def test_rows_to_a_pipe_are_lines_however_wide(results):  # noqa: F811
    wide = ", ".join(f"'{'x' * 60}' AS c{i}" for i in range(20))
    run = ask("", f"SELECT {wide}, 'two' || chr(10) || 'lines' AS c20", "--results", results)
    header, row = run.stdout.splitlines()
    assert header.split() == [f"c{i}" for i in range(21)]
    assert row == "  ".join(["x" * 60] * 20 + ["two lines"])


def test_nothing_to_answer_says_what_to_do(results):  # noqa: F811
    run = ask(" \n", "--results", results)
    assert run.exit_code == 2
    assert 'need a query: setol sql "SELECT ..."' in run.stderr


def test_a_query_without_quotes(results):  # noqa: F811
    run = ask("", "FROM", "models", "SELECT", "name", "--results", results)
    assert run.stdout.split() == ["name", "toy"]


def test_the_prompt(results, tmp_path):  # noqa: F811
    with Terminal("sql", "--results", results, home=tmp_path) as terminal:
        start = terminal.wait_for("setol> ")
        assert start.count("\n") < 25
        assert "layers         model, name, family, file" in start
        assert EXAMPLES[0] in start
        terminal.type("SELECT layer,\n")
        terminal.wait_for("...> ")
        terminal.type("n_evals FROM layers ORDER BY layer; SELECT 7 AS seven;\n")
        answer = terminal.wait_for("setol> ")
        assert answer.split("layer;")[1].split("\n", 1)[1].split() == (
            ["layer", "n_evals", "fc1", "80", "fc2", "60", "seven", "7", "setol>"]
        )
        terminal.type("SELECT nam FROM models;\n")
        assert "Error: unknown column 'nam'; nearest: name" in terminal.wait_for("setol> ")
        terminal.type("SELECT 'half")
        terminal.wait_for("'half")  # before, the line editor may not listen yet
        terminal.type_until("\x03", "setol> ")
        terminal.type("FROM layers LIMIT 1;\n")
        wide = terminal.wait_for("setol> ")  # 40 columns do not fit: one below the other
        assert "row 1 of 1" in wide
        assert max(map(len, wide.splitlines())) <= 100
        terminal.type(".schema layers\n")
        assert "aspect_ratio: Q = n_rows / n_cols" in terminal.wait_for("setol> ")
        terminal.type(".shema\n")
        assert "unknown command '.shema'; nearest: .schema" in terminal.wait_for("setol> ")
        terminal.type(".examples\n")
        assert EXAMPLES[-1] in terminal.wait_for("setol> ")
        terminal.type(".quit\n")
        assert terminal.finish() == 0
    assert "SELECT nam FROM models;" in (tmp_path / "setol-zoo" / "sql_history").read_text()


def test_the_end_of_input_leaves_the_prompt(results, tmp_path):  # noqa: F811
    with Terminal("sql", "--results", results, home=tmp_path) as terminal:
        terminal.wait_for("setol> ")
        terminal.type("\x04")
        assert terminal.finish() == 0

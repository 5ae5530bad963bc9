import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import OptionError
from pipeline.planning.share import Share, parse_share

contents = st.sets(st.text("0123456789abcdef", min_size=64, max_size=64), max_size=60)


@given(contents, st.integers(1, 12), contents)
def test_shares_are_disjoint_complete_and_the_same_whatever_else_is_there(files, count, others):
    shares = [Share(number, count) for number in range(1, count + 1)]
    taken = [{file for file in files if share.has(file)} for share in shares]
    assert sum(map(len, taken)) == len(files)
    assert set().union(*taken) == files
    for share, own in zip(shares, taken, strict=True):
        assert {file for file in files | others if share.has(file)} & files == own


def test_shares_of_many_files_are_of_about_one_size():
    files = [f"{i:064x}" for i in range(4000)]  # contents that differ in their last digits only
    sizes = [sum(Share(number, 8).has(file) for file in files) for number in range(1, 9)]
    assert all(abs(size - 500) < 5 * (500 * 7 / 8) ** 0.5 for size in sizes)


def test_which_share_has_a_file_is_the_same_on_every_machine_and_in_every_version():
    assert [Share(number, 3).has("ab" * 32) for number in (1, 2, 3)] == [False, True, False]


@pytest.mark.parametrize(("text", "share"), [("1/1", Share(1, 1)), ("3/8", Share(3, 8)), (" 2 / 2 ", Share(2, 2))])
def test_shares_that_are(text, share):
    assert parse_share(text) == share


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0/3", r"from 1/3 to 3/3, as they are counted from 1; got '0/3'.*--array=1-3"),
        ("4/3", r"from 1/3 to 3/3; got '4/3'"),
        ("-1/3", r"from 1/3 to 3/3; got '-1/3'"),
        ("1/0", r"1 or more, such as 1/1; got '1/0'"),
        ("a/b", r"as number/count, such as 2/8; got 'a/b'"),
        ("3", r"as number/count"),
        ("/", r"as number/count"),
        ("", r"as number/count"),
        ("1/2/3", r"as number/count"),
        ("1.5/3", r"as number/count"),
    ],
)
def test_shares_that_are_not(text, message):
    with pytest.raises(OptionError, match=message):
        parse_share(text)

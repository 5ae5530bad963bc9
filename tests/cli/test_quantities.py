"""Quantities as people write them."""

import click
import pytest

from setol_zoo.cli.quantities import (
    ByteCount,
    ByteRate,
    operations_in_words,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("64GB", 64 * 10**9), ("64 GiB", 64 * 2**30), ("1.5g", 1.5e9), ("800mb", 8e8), ("2Ti", 2**41), ("123", 123)],
)
def test_bytes(text, expected):
    assert ByteCount().convert(text, None, None) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10Gbit/s", 1.25e9),
        ("1.25GB/s", 1.25e9),
        ("10 gbit", 1.25e9),
        ("100Mbps", 1.25e7),
        ("8bit/s", 1),
        ("1 MiB/s", 2**20),
    ],
)
def test_rates(text, expected):
    assert ByteRate().convert(text, None, None) == expected


@pytest.mark.parametrize("text", ["", "much", "-3GB", "0", "12 pounds", "GB"])
def test_no_amount_of_memory(text):
    with pytest.raises(click.BadParameter, match=r"is no amount of memory: need one such as 64GB or 60GiB"):
        ByteCount().convert(text, None, None)


@pytest.mark.parametrize("text", ["", "fast", "10", "10G", "0bit/s", "-1GB/s", "10Gb/s"])  # b may mean either
def test_no_rate(text):
    with pytest.raises(click.BadParameter, match=r"is no rate of a network: need one such as 10Gbit/s or 1\.25GB/s"):
        ByteRate().convert(text, None, None)


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0.00 GFLOP"), (3.2e9, "3.20 GFLOP"), (1.234e13, "12.3 TFLOP"), (5e18, "5.00 EFLOP")]
)
def test_operations(count, told):
    assert operations_in_words(count) == told

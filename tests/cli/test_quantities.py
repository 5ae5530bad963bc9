"""Quantities as people write them."""

import click
import pytest

from setol_zoo.cli.quantities import ByteCount, ByteRate


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[("64GB", 64 * 10**9), ("64 GiB", 64 * 2**30), ("1.5g", 1.5e9), ("800mb", 8e8), ("2Ti", 2**41), ("123", 123)],
        *[("1e3", 1000), ("6.4E10", 64 * 10**9), ("64e0 GB", 64 * 10**9), (".5k", 500), ("1e+2kB", 10**5)],
    ],
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
        ("1e10bit/s", 1.25e9),
    ],
)
def test_rates(text, expected):
    assert ByteRate().convert(text, None, None) == expected


@pytest.mark.parametrize("text", ["", "much", "-3GB", "0", "12 pounds", "GB", "1e", "1e-3", "1e999", "."])
def test_no_amount_of_memory(text):
    with pytest.raises(click.BadParameter, match=r"is no amount of memory: need one such as 64GB or 60GiB"):
        ByteCount().convert(text, None, None)


# 10Gb/s: b may mean either
@pytest.mark.parametrize("text", ["", "fast", "10", "10G", "0bit/s", "-1GB/s", "1e999bit", "10Gb/s"])
def test_no_rate(text):
    with pytest.raises(click.BadParameter, match=r"is no rate of a network: need one such as 10Gbit/s or 1\.25GB/s"):
        ByteRate().convert(text, None, None)

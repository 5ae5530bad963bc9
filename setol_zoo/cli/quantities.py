"""Quantities as people write them: 64GB of memory, 10Gbit/s of network."""

import re
from math import inf
from typing import Any

import click

_PREFIXES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_NUMBER = r"(?P<number>(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?)"
_BYTES = re.compile(_NUMBER + r" *(?P<prefix>([kmgt]i?)?)b?", re.IGNORECASE)
_RATE = re.compile(_NUMBER + r" *(?P<prefix>([kmgt]i?)?)(?P<unit>bit|bps|b)(/s)?", re.IGNORECASE)


class ByteCount(click.ParamType):
    """Bytes: `64GB`, `1.5 GiB`, `800m`, `64e9`; G is 10^9, Gi is 2^30."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number of bytes."""
        if isinstance(value, int):
            return value
        found = _BYTES.fullmatch(str(value).strip())
        number = float(found["number"]) * _PREFIXES[found["prefix"].lower()] if found else 0.0
        if not 1 <= number < inf:
            self.fail(f"{value!r} is no amount of memory: need one such as 64GB or 60GiB.", param, ctx)
        return round(number)


class ByteRate(click.ParamType):
    """Bytes a second: `10Gbit/s` and `1.25GB/s` are the same; `bit` is one, `B` has eight."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number of bytes a second."""
        if isinstance(value, float):
            return value
        found = _RATE.fullmatch(str(value).strip())
        rate = float(found["number"]) * _PREFIXES[found["prefix"].lower()] if found else 0.0
        if found is None or not 0 < rate < inf or found["unit"] == "b":
            self.fail(f"{value!r} is no rate of a network: need one such as 10Gbit/s or 1.25GB/s.", param, ctx)
        return rate if found["unit"] == "B" else rate / 8

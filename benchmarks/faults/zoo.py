"""Small models with seeded weights: on disk, on the web, and on a hub that is a real HTTP server of this machine."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save

from tests.sources.hub_standin import HubStandin, sha256

DELAY = 0.05
"""Seconds before every answer of the hub, as of one that is not on the same machine: work takes time to be met in."""


@dataclass(frozen=True, slots=True)
class Zoo:
    """A catalog of small models.

    Attributes:
        catalog: Its CSV file.
        halves: Two catalogs with half of the models each, three of them in both.
        hub: Where most of the weights are.
        repositories: The names under which the hub has them.
        on_the_web: Those of them that are asked for by the address of their content alone.
        count: How many models there are.
    """

    catalog: Path
    halves: tuple[Path, Path]
    hub: HubStandin
    repositories: tuple[str, ...]
    on_the_web: frozenset[str]
    count: int


def make_zoo(folder: Path, hub: HubStandin, count: int, seed: int = 0) -> Zoo:
    """Make models of 10 to 800 KB.

    Of ten, seven are safetensors of the hub, and one each a pickle of it, a file on the web, and a file here.

    Args:
        folder: Where the catalogs and local files go.
        hub: Where the others go.
        count: How many models.
        seed: Where shapes and entries come from.
    """
    hub.delay = DELAY
    generator = torch.Generator().manual_seed(seed)
    models: list[str] = []
    repositories: list[str] = []
    on_the_web: set[str] = set()
    for number in range(count):
        weights = _weights(generator)
        name = f"zoo/m{number:03}"
        match number % 10:
            case 2:
                models.append(f"path:m{number:03}.safetensors")
                (folder / f"m{number:03}.safetensors").write_bytes(save(weights))
                continue
            case 5:
                buffer = io.BytesIO()
                torch.save(weights, buffer)
                hub.add(name, {"pytorch_model.bin": buffer.getvalue(), "config.json": b"{}"})
                models.append(f"hub:{name}")
            case 8:
                content = save(weights)
                hub.add(name, {"model.safetensors": content})
                address = f"{hub.storage_address}/blobs/{sha256(content)}/m{number:03}.safetensors"
                on_the_web.add(name)
                models.append(f"url:{address}#sha256={sha256(content)}")
            case _:
                hub.add(name, {"model.safetensors": save(weights), "config.json": b"{}"})
                models.append(f"hub:{name}")
        repositories.append(name)
    middle = count // 2
    halves = (models[: middle + 3], models[middle:])
    written = [write_catalog(folder / f"{name}.csv", rows) for name, rows in zip("abc", (models, *halves), strict=True)]
    return Zoo(written[0], (written[1], written[2]), hub, tuple(repositories), frozenset(on_the_web), count)


def write_catalog(path: Path, models: list[str]) -> Path:
    """Write a catalog of model keys."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["model"], *([model] for model in models)])
    return path


def _weights(generator: torch.Generator) -> dict[str, torch.Tensor]:
    rows, columns = (int(torch.randint(40, 320, (), generator=generator)) for _ in range(2))
    return {
        "first.weight": torch.randn(rows, columns, generator=generator),
        "second.weight": torch.randn(columns, rows, generator=generator),
        "second.bias": torch.zeros(columns),
    }

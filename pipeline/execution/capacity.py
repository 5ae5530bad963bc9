"""What the nodes of a cluster have for units, at a moment. Pure: nodes are as Ray tells them."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.execution.schedule import Capacity, Slots

Resources = Mapping[str, float]


def capacity_of(nodes: Sequence[Mapping[str, Any]], device: str, threads: int) -> Capacity:
    """The slots of the nodes that are alive, and the memory of the largest.

    With the device `cuda`, only GPUs are slots, even where there are none yet; with `cpu`, only cores are; else both.

    Args:
        nodes: As `ray.nodes()` returns them.
        device: As in `--device`.
        threads: Threads of a slot; a GPU takes as many cores along.
    """
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    with_gpus = [each for each in alive if each.get("GPU", 0.0) >= 1] if device != "cpu" else []
    n_gpus = sum(int(each["GPU"]) for each in with_gpus)
    gpu = Slots(n_gpus, _largest(with_gpus)) if n_gpus or device == "cuda" else None
    if device == "cuda":
        return Capacity(None, gpu)
    slots = [cpu_slots(each, threads, beside_gpus=n_gpus > 0) for each in alive]
    with_slots = [each for each, count in zip(alive, slots, strict=True) if count]
    return Capacity(Slots(sum(slots), _largest(with_slots)), gpu)


def cpu_slots(node: Resources, threads: int, *, beside_gpus: bool) -> int:
    """Slots on the cores of a node.

    Args:
        node: Its resources.
        threads: Threads of a slot.
        beside_gpus: Whether its GPUs are used too, each of which takes as many cores along.
    """
    cores = node.get("CPU", 0.0) - (node.get("GPU", 0.0) * threads if beside_gpus else 0.0)
    return max(int(cores // threads), 0)


def _largest(nodes: Sequence[Resources]) -> int:
    return int(max((node.get("memory", 0.0) for node in nodes), default=0.0))

"""Which device decomposes: the one asked for, or for `auto` the faster, each timed once a process."""

import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from setol.weights.device_speed import Arithmetic, DeviceSpeed, choose_arithmetic, measure_speed


@dataclass(frozen=True, slots=True)
class ChosenDevice:
    """A device, and what it was chosen by.

    Attributes:
        device: torch device.
        name: What its maker calls it.
        gpu: Speed of the GPU; None where none was timed, as there was nothing to choose.
        cpu: Speed of the CPU beside it.
        advice: What another choice would bring; None if nothing.
    """

    device: str
    name: str
    gpu: DeviceSpeed | None = None
    cpu: DeviceSpeed | None = None
    advice: str | None = None


@cache
def choose_device(asked: str, precision: str) -> ChosenDevice:
    """The device to decompose on; a GPU is timed, and the CPU beside it, in about a second.

    Never another precision than asked for: that changes values, and names the spectra.

    Args:
        asked: `auto`, `cpu`, `cuda`, `cuda:1`.
        precision: `float64` or `float32`.
    """
    if asked == "cpu" or (asked == "auto" and not torch.cuda.is_available()):
        return ChosenDevice("cpu", cpu_name())
    gpu, cpu = measure_speed("cuda" if asked == "auto" else asked), measure_speed("cpu")
    return choose_by_speed(asked, precision, gpu, cpu, torch.cuda.get_device_name(gpu.device))


def choose_by_speed(asked: str, precision: str, gpu: DeviceSpeed, cpu: DeviceSpeed, name: str) -> ChosenDevice:
    """The choice between a GPU of that name and the CPU, given what both can do."""
    if precision == "float32":
        cpu_is_faster = cpu.float32_seconds < gpu.float32_seconds
        advice = None
    else:
        cpu_is_faster = cpu.float64_seconds < gpu.float64_seconds
        worth = choose_arithmetic(gpu, cpu) is Arithmetic.DEVICE_FLOAT32
        advice = _advice(gpu, cpu, name) if worth else None
    if asked == "auto" and cpu_is_faster:
        return ChosenDevice("cpu", cpu_name(), gpu, cpu, advice)
    return ChosenDevice(gpu.device, name, gpu, cpu, advice)


def cpu_name() -> str:
    """What the maker of this machine's CPU calls it."""
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text().splitlines() if listed.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _advice(gpu: DeviceSpeed, cpu: DeviceSpeed, name: str) -> str:
    return (
        f"{name}: a matrix of {gpu.n_cols} columns takes {gpu.float64_seconds:.3f} s in float64 "
        f"({cpu.float64_seconds:.3f} s on the CPU) and {gpu.float32_seconds:.3f} s in float32; --precision float32 is "
        "for such devices, at four digits"
    )

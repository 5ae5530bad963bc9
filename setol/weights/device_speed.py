"""How fast a device decomposes in float64 and in float32, and which of them to use."""

from dataclasses import dataclass
from enum import StrEnum

import torch
from torch.utils.benchmark import Timer

from setol.errors import SetolError

ROWS_PER_COLUMN = 2
"""Aspect ratio of the matrix timed, between square attention weights and the 4 of a feed-forward layer."""


class Arithmetic(StrEnum):
    """Where and in which precision to decompose."""

    DEVICE_FLOAT64 = "device_float64"
    DEVICE_FLOAT32 = "device_float32"
    CPU_FLOAT64 = "cpu_float64"


@dataclass(frozen=True, slots=True)
class DeviceSpeed:
    """Seconds that one Gram product and its eigenvalues take on a device.

    Attributes:
        device: Name of the device.
        n_cols: Columns M of the matrix timed, which had `ROWS_PER_COLUMN` times as many rows.
        float64_seconds: In float64.
        float32_seconds: In float32.
    """

    device: str
    n_cols: int
    float64_seconds: float
    float32_seconds: float


def measure_speed(device: torch.device | str, n_cols: int = 1024) -> DeviceSpeed:
    """Time one Gram product and one symmetric eigenvalue problem, in float64 and in float32, after a warm-up.

    To be called once a process and device: about a second on one core at the default size. Other work on the
    machine counts into it. Memory: three matrices of n_cols columns in either precision.

    Args:
        device: The device to time.
        n_cols: Size M of the problem; small ones time the start of the calls rather than the arithmetic.

    Raises:
        SetolError: n_cols is below 1.
    """
    if n_cols < 1:
        raise SetolError(f"need a matrix of at least 1 column to time; got n_cols = {n_cols}.")
    generator = torch.Generator().manual_seed(0)
    W = torch.randn((ROWS_PER_COLUMN * n_cols, n_cols), generator=generator, dtype=torch.float64).to(device)
    return DeviceSpeed(str(torch.device(device)), n_cols, _seconds(W), _seconds(W.to(torch.float32)))


def choose_arithmetic(device: DeviceSpeed, cpu: DeviceSpeed, *, float32_gain: float = 4.0) -> Arithmetic:
    """The faster of the device and the CPU in float64, or float32 on the device where it is faster by far.

    Args:
        device: Speed of the accelerator.
        cpu: Speed of the CPU that would do the work instead, at the same size.
        float32_gain: How many times faster than the best float64 float32 has to be to be worth its lost digits.

    Raises:
        SetolError: The two were timed at different sizes, or float32_gain is below 1 or not a number.
    """
    if device.n_cols != cpu.n_cols:
        raise SetolError(f"need two speeds measured at one size; got n_cols = {device.n_cols} and {cpu.n_cols}.")
    if not float32_gain >= 1.0:
        raise SetolError(f"need a float32_gain of at least 1, float32 costs digits; got {float32_gain}.")
    if device.float32_seconds * float32_gain < min(device.float64_seconds, cpu.float64_seconds):
        return Arithmetic.DEVICE_FLOAT32
    if device.float64_seconds <= cpu.float64_seconds:
        return Arithmetic.DEVICE_FLOAT64
    return Arithmetic.CPU_FLOAT64


def _seconds(W: torch.Tensor) -> float:
    """Of the second call; the timer waits for the device. One thread or many: as torch is set."""
    timer = Timer("torch.linalg.eigvalsh(W.mT @ W)", globals={"W": W}, num_threads=torch.get_num_threads())
    return timer.timeit(1).median

"""Timing of a device, and the arithmetic chosen by it."""

import dataclasses

import pytest

from setol import SetolError
from setol.weights.device_speed import Arithmetic, DeviceSpeed, choose_arithmetic, measure_speed
from tests.setol.stacks import DEVICES

CPU = DeviceSpeed("cpu", 1024, float64_seconds=0.2, float32_seconds=0.12)


def accelerator(float64_seconds, float32_seconds):
    return DeviceSpeed("cuda:0", 1024, float64_seconds, float32_seconds)


@pytest.mark.parametrize("device", DEVICES)
def test_times_are_those_of_the_device_and_grow_with_the_work(device):
    small, large = measure_speed(device, 64), measure_speed(device, 768)
    assert (small.device, small.n_cols, large.n_cols) == (device, 64, 768)
    assert 0 < large.float32_seconds < 60
    assert 0 < large.float64_seconds < 60
    if device == "cpu":  # 1,700 times the operations on one core; other work on the machine does not hide that
        assert large.float64_seconds > 5 * small.float64_seconds


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        (accelerator(0.01, 0.005), Arithmetic.DEVICE_FLOAT64),  # full-rate float64
        (accelerator(0.2, 0.06), Arithmetic.DEVICE_FLOAT64),  # no slower than the CPU, float32 not four times faster
        (accelerator(0.5, 0.01), Arithmetic.DEVICE_FLOAT32),  # float64 at 1/50
        (accelerator(0.1, 0.02), Arithmetic.DEVICE_FLOAT32),
        (accelerator(0.5, 0.06), Arithmetic.CPU_FLOAT64),
        (accelerator(1.0, 0.9), Arithmetic.CPU_FLOAT64),
        (CPU, Arithmetic.DEVICE_FLOAT64),  # the CPU itself: never worth the digits
    ],
)
def test_choice(device, expected):
    assert choose_arithmetic(device, CPU) is expected


def test_the_gain_asked_of_float32_decides():
    device = accelerator(0.1, 0.04)
    assert choose_arithmetic(device, CPU, float32_gain=2.0) is Arithmetic.DEVICE_FLOAT32
    assert choose_arithmetic(device, CPU, float32_gain=3.0) is Arithmetic.DEVICE_FLOAT64


@pytest.mark.parametrize("float32_gain", [0.5, 0.0, -1.0, float("nan")])
def test_refuses_a_gain_below_1(float32_gain):
    with pytest.raises(SetolError, match=f"float32_gain of at least 1.*got {float32_gain}"):
        choose_arithmetic(CPU, CPU, float32_gain=float32_gain)


def test_refuses_speeds_of_different_sizes():
    with pytest.raises(SetolError, match="measured at one size; got n_cols = 64 and 1024"):
        choose_arithmetic(dataclasses.replace(CPU, n_cols=64), CPU)


@pytest.mark.parametrize("n_cols", [0, -5])
def test_refuses_to_time_nothing(n_cols):
    with pytest.raises(SetolError, match=f"at least 1 column.*got n_cols = {n_cols}"):
        measure_speed("cpu", n_cols)

"""The device that decomposes: the one asked for, and for `auto` the faster in the precision asked for."""

import pytest
import torch

from pipeline.decomposition.device_choice import choose_by_speed, choose_device, cpu_name
from setol.weights.device_speed import DeviceSpeed

CPU = DeviceSpeed("cpu", 1024, float64_seconds=0.2, float32_seconds=0.12)
FULL_RATE = DeviceSpeed("cuda", 1024, 0.02, 0.01)
CONSUMER = DeviceSpeed("cuda", 1024, 0.4, 0.01)
MODEST = DeviceSpeed("cuda", 1024, 0.15, 0.02)
SLOW = DeviceSpeed("cuda", 1024, 0.9, 0.5)


@pytest.mark.parametrize(
    ("gpu", "precision", "chosen", "advised"),
    [
        (FULL_RATE, "float64", "cuda", False),
        (FULL_RATE, "float32", "cuda", False),
        (CONSUMER, "float64", "cpu", True),
        (CONSUMER, "float32", "cuda", False),
        (MODEST, "float64", "cuda", True),
        (SLOW, "float64", "cpu", False),
        (SLOW, "float32", "cpu", False),
    ],
)
def test_auto_takes_the_faster_one_and_never_another_precision(gpu, precision, chosen, advised):
    choice = choose_by_speed("auto", precision, gpu, CPU, "Some GPU")
    assert choice.device == chosen
    assert choice.name == ("Some GPU" if chosen == "cuda" else cpu_name())
    assert (choice.gpu, choice.cpu) == (gpu, CPU)
    assert (choice.advice is not None) is advised
    asked = choose_by_speed("cuda", precision, gpu, CPU, "Some GPU")
    assert (asked.device, asked.name, asked.advice) == ("cuda", "Some GPU", choice.advice)


def test_the_advice_has_the_seconds_it_follows_from():
    advice = choose_by_speed("auto", "float64", CONSUMER, CPU, "Some GPU").advice
    assert advice.startswith(
        "Some GPU: a matrix of 1024 columns takes 0.400 s in float64 (0.200 s on the CPU) and 0.010"
    )
    assert "--precision float32" in advice


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_the_cpu_is_chosen_without_timing_anything(precision):
    choice = choose_device("cpu", precision)
    assert (choice.device, choice.gpu, choice.cpu, choice.advice) == ("cpu", None, None, None)
    assert choice.name == cpu_name() != ""
    if not torch.cuda.is_available():
        assert choose_device("auto", precision) == choice


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_is_timed_once():
    choice = choose_device("cuda", "float64")
    assert choice.device == "cuda"
    assert choice.name == torch.cuda.get_device_name()
    assert 0 < choice.gpu.float32_seconds <= 2 * choice.gpu.float64_seconds
    assert choose_device("cuda", "float64") is choice
    assert choose_device("auto", "float64").device in ("cuda", "cpu")

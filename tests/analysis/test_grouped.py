"""Kernels whose groups were inferred are named, those whose modules told them are not."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

import setol_zoo as zoo
from analysis import open_results
from analysis.reporting.facts import grouped
from analysis.reporting.grouped import GroupedKernel, grouped_kernels, told
from catalogs.paths import catalog_of_paths
from tests.conftest import run_here


def resnext() -> nn.Module:
    torch.manual_seed(0)
    block = nn.ModuleDict(
        {
            "conv1": nn.Conv2d(32, 64, 1, bias=False),
            "conv2": nn.Conv2d(64, 64, 3, groups=16, bias=False),
            "conv3": nn.Conv2d(64, 96, 1, bias=False),
        }
    )
    return nn.ModuleDict({"block": block, "a_stem": nn.Conv2d(3, 32, 3, bias=False)})


def test_a_state_dict_says_what_was_inferred_and_a_module_does_not():
    inferred = zoo.analyze(resnext().state_dict())
    line = "read as grouped by their shapes alone: 1 kernel, block.conv2 (16 groups). If that is wrong"
    assert any(note.startswith(line) for note in inferred.notes())
    known = zoo.analyze(resnext())
    assert set(known.tensors["part"].dropna()) == {f"group_{i}" for i in range(16)}
    assert not any("grouped" in note for note in known.notes())


def test_the_report_names_the_model_where_there_are_several(tmp_path: Path):
    for name in "ab":
        save_file(
            {key: tensor + (name == "b") for key, tensor in resnext().state_dict().items()},
            tmp_path / f"{name}.safetensors",
        )
    run_here(catalog_of_paths([str(tmp_path / f"{name}.safetensors") for name in "ab"]), tmp_path / "r")
    line = grouped(open_results(tmp_path / "r"))
    assert line and "2 kernels, a: block.conv2 (16 groups), b: block.conv2 (16 groups)." in line


def test_one_output_channel_a_group_is_inferred_but_one_input_channel_is_seen():
    row = {"layer": "l", "part": None, "reason": "depthwise", "layout": "name"}
    assert grouped_kernels([{**row, "shape": [32, 2, 3, 3]}]) == (GroupedKernel("l", 32),)
    assert grouped_kernels([{**row, "shape": [32, 1, 3, 3]}, {**row, "shape": [1, 32, 3, 3]}]) == ()
    assert grouped_kernels([{**row, "shape": [32, 2, 3, 3], "layout": "architecture"}]) == ()


def test_many_are_counted():
    line = told(tuple(GroupedKernel(f"l{i}", 2) for i in range(7)))
    assert (
        line
        and "7 kernels, l0 (2 groups), l1 (2 groups), l2 (2 groups), l3 (2 groups), l4 (2 groups) and 2 more. If"
        in line
    )
    assert told(()) is None

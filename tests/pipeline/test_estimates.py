"""Estimates by several processes are those of one, whatever becomes of the processes."""

import pytest

from catalogs import WeightFile
from checkpoints.errors import CheckpointError
from checkpoints.tensors import TensorHeader
from pipeline.planning import estimates
from pipeline.planning.estimates import estimate_all


def questions(count: int) -> list[estimates.Question]:
    asked = []
    for number in range(count):
        file = WeightFile(model=f"path:/{number}", name=str(number), file=f"/{number}/model.safetensors")
        name = "q.lora_A.weight" if number % 7 == 3 else "fc.weight"  # a factor alone is refused
        asked.append((file, (TensorHeader(name, "float32", (3 + number, 4)),)))
    return asked


@pytest.mark.parametrize("cores", [1, 2, 3])
def test_each_has_its_own_answer_in_its_own_place(cores, monkeypatch):
    monkeypatch.setattr(estimates, "FEWEST", 4)
    found = estimate_all(questions(13), cores)
    for number, each in enumerate(found):
        if number % 7 == 3:
            assert isinstance(each, CheckpointError)
            assert "holds an adapter of which nothing can be analyzed" in str(each) and not each.transient
        else:
            assert not isinstance(each, CheckpointError)
            assert each.n_params == 4 * (3 + number)


def test_what_a_dead_process_leaves_is_done_here(monkeypatch):
    monkeypatch.setattr(estimates, "FEWEST", 4)
    monkeypatch.setattr(estimates, "_START", "raise SystemExit(9)")
    found = estimate_all(questions(9), 2)
    assert [number for number, each in enumerate(found) if isinstance(each, CheckpointError)] == [3]

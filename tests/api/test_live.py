"""A model in memory is read where it is and left as it is; what has no weights is refused."""

import copy
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.nn.utils import spectral_norm as old_spectral_norm

import setol_zoo as zoo
from checkpoints.errors import CheckpointError
from checkpoints.live import live_module, live_state_dict
from tests.api.models import TiedLanguageModel, convolutions, seeded

with warnings.catch_warnings(action="ignore"):
    from torch.nn.utils import weight_norm as old_weight_norm

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


def parametrized() -> nn.Module:
    with warnings.catch_warnings(action="ignore"):
        old = old_weight_norm(nn.Linear(64, 64))
    model = nn.Sequential(
        parametrizations.weight_norm(nn.Linear(64, 64)),
        parametrizations.spectral_norm(nn.Conv2d(64, 64, 3)),
        parametrizations.orthogonal(nn.Linear(64, 64)),
        old,
        old_spectral_norm(nn.Linear(64, 64)),
        nn.Linear(64, 64),
    )
    prune.random_unstructured(model[5], "weight", amount=0.5)
    return model


def hook(*_: object) -> None:
    """Does nothing; it is there to be found again."""


def state(model: nn.Module) -> dict:
    """All that an analysis could change: bytes, versions, gradients, flags, hooks, attributes."""
    named = [*model.named_parameters(), *model.named_buffers()]
    return {
        "bytes": {name: each.detach().clone() for name, each in named},
        "same": {name: (id(each), each.data_ptr(), each._version, each.requires_grad) for name, each in named},
        "grads": {name: each.grad.clone() for name, each in named if each.grad is not None},
        "training": [each.training for each in model.modules()],
        "hooks": [list(each._forward_hooks.values()) + list(each._forward_pre_hooks) for each in model.modules()],
        "attributes": [(type(each), sorted(each.__dict__)) for each in model.modules()],
        "random": torch.random.get_rng_state(),
    }


def assert_same(before: dict, after: dict) -> None:
    for key in ("bytes", "grads"):
        assert before[key].keys() == after[key].keys()
        for name, tensor in before[key].items():
            assert torch.equal(tensor, after[key][name]), name
    assert torch.equal(before["random"], after["random"])
    for key in ("same", "training", "hooks", "attributes"):
        assert before[key] == after[key]


@pytest.mark.parametrize("make", [convolutions, parametrized, TiedLanguageModel])
@pytest.mark.parametrize("training", [True, False])
def test_nothing_of_a_model_is_changed(make, training):
    model = seeded(make).train(training)
    model.register_forward_hook(hook)
    sum(parameter.square().sum() for parameter in model.parameters()).backward()
    before, threads = state(model), torch.get_num_threads()
    zoo.analyze(model, threads=1)
    assert_same(before, state(model))
    assert torch.get_num_threads() == threads


def test_parametrized_weights_are_those_of_the_forward_pass():
    model = seeded(parametrized).eval()
    for layer in model[3:]:
        layer(torch.zeros(1, 64))  # the old kind, and pruning, set their weight in a forward pass
    checkpoint = live_module(model)
    names = [header.name for header in checkpoint.headers]
    assert sorted(names) == sorted(f"{i}.{kind}" for i in range(6) for kind in ("weight", "bias"))
    for index in range(6):
        assert torch.equal(checkpoint.read(f"{index}.weight"), model[index].weight), index
        assert not checkpoint.read(f"{index}.weight").requires_grad
    layers = zoo.analyze(model).layers
    assert sorted(layers["tensor"]) == [f"{i}.weight" for i in range(6)]


def test_a_tensor_is_read_where_it_is():
    model = seeded(convolutions)
    checkpoint = live_module(model)
    assert checkpoint.read("0.weight").data_ptr() == model[0].weight.data_ptr()
    assert checkpoint.device == "cpu"


def test_a_tied_weight_counts_once():
    analysis = zoo.analyze(seeded(TiedLanguageModel))
    tied = analysis.tensors.query("role == 'tied'")
    assert (tied["tensor"].tolist(), tied["tied_to"].tolist()) == (["lm_head.weight"], ["embed_tokens.weight"])
    assert analysis.layers["tensor"].tolist() == ["embed_tokens.weight", "fc.weight"]
    assert (analysis.spectrum("lm_head") == analysis.spectrum("embed_tokens")).all()
    assert "tied, counted once: lm_head.weight to embed_tokens.weight" in str(analysis)
    assert analysis.summary["coverage"] == 1.0


@pytest.mark.parametrize(
    "wrap",
    [nn.DataParallel, torch.compile, lambda model: nn.DataParallel(torch.compile(model))],
    ids=["DataParallel", "compile", "both"],
)
def test_wrappers_are_looked_through(wrap):
    model = seeded(convolutions)
    plain, wrapped = zoo.analyze(model, threads=1), zoo.analyze(wrap(model), threads=1)
    assert (plain.model, plain.name) == (wrapped.model, wrapped.name)
    assert plain.to_arrow() == wrapped.to_arrow()


def test_distributed_modules_are_looked_through(tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        model = seeded(convolutions)
        wrapped = nn.parallel.DistributedDataParallel(model)
        assert zoo.analyze(wrapped, threads=1).to_arrow() == zoo.analyze(model, threads=1).to_arrow()
    finally:
        torch.distributed.destroy_process_group()


def test_a_state_dict_is_found_where_training_scripts_put_it():
    weights = seeded(convolutions).state_dict()
    saved = {"state_dict": weights, "accuracy": torch.tensor(0.9), "epoch": 3}
    assert zoo.analyze(saved, threads=1).to_arrow() == zoo.analyze(weights, threads=1).to_arrow()


def test_formats_of_every_kind_have_rows():
    tensors = {
        "half.weight": torch.ones(4, 4, dtype=torch.float16),
        "complex.weight": torch.ones(4, 4, dtype=torch.complex64),
        "eighth.weight": torch.ones(4, 4).to(torch.float8_e4m3fn),
        "flags": torch.ones(4, 4, dtype=torch.bool),
        "empty.weight": torch.ones(0, 4),
        "scalar": torch.tensor(1.0),
    }
    found = zoo.analyze(tensors).tensors.set_index("tensor")["reason"].fillna("")
    assert found.to_dict() == {
        **{"half.weight": "", "complex.weight": "dtype", "eighth.weight": ""},
        **{"flags": "integer", "empty.weight": "empty", "scalar": "vector"},
    }


def test_a_failure_is_logged_where_results_are_kept(tmp_path):
    adapter = {"q.lora_A.weight": torch.ones(4, 8), "q.lora_B.weight": torch.ones(8, 5)}
    with pytest.raises(CheckpointError, match="an adapter of which nothing can be analyzed"):
        zoo.analyze(adapter, results=tmp_path / "r")
    failures = zoo.open(tmp_path / "r").sql("SELECT name, error_type FROM failures")
    assert failures.to_numpy().tolist() == [["state_dict", "CheckpointError"]]


def test_identity_is_content():
    first, second = seeded(convolutions), seeded(convolutions)
    assert live_module(first).sha256() == live_module(second).sha256()
    with torch.no_grad():
        second[0].weight[0, 0, 0, 0] += 1e-3
    assert live_module(first).sha256() != live_module(second).sha256()
    strided = {"w": torch.arange(12.0).reshape(3, 4).T}
    assert live_state_dict(strided).sha256() == live_state_dict({"w": strided["w"].contiguous()}).sha256()
    assert live_state_dict(strided).sha256() != live_state_dict({"w": strided["w"].T}).sha256()


class Misnamed(nn.Module):
    """Layers whose names say nothing, or the wrong thing."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(96, 64)
        self.embed = nn.Linear(64, 64, bias=False)
        self.up = nn.ConvTranspose2d(64, 48, 3, bias=False)
        self.many = nn.Conv2d(32, 64, 3, groups=2, bias=False)
        self.register_buffer("fixed", torch.eye(64))
        self.register_buffer("cache", torch.eye(64), persistent=False)


def test_kinds_groups_and_buffers_are_those_of_the_modules():
    analysis = zoo.analyze(seeded(Misnamed))
    found = {(row["tensor"], row["part"]): row["kind"] for row in analysis.to_arrow().to_pylist()}
    assert found == {
        ("words.weight", None): "embedding",
        ("embed.weight", None): "linear",
        ("up.weight", None): "conv_transpose",
        ("many.weight", "group_0"): "conv2d",
        ("many.weight", "group_1"): "conv2d",
    }
    assert analysis.skipped[["tensor", "reason"]].to_numpy().tolist() == [["fixed", "buffer"]]
    assert set(analysis.tensors["layout"]) == {"architecture"}


class UnreadyAttention(nn.Module):
    """Attention that refuses to tell its number of heads."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(64, 192)

    @property
    def num_heads(self) -> int:
        raise RuntimeError("call setup() first")


def test_modules_that_mislead_are_told_by_names():
    analysis = zoo.analyze(UnreadyAttention())
    assert analysis.layers["part"].tolist() == ["q", "k", "v"]
    assert set(analysis.tensors["layout"]) == {"name"}


def test_a_layer_of_nan_is_a_row():
    model = seeded(convolutions)
    with torch.no_grad():
        model[3].weight[0, 0, 0, 0] = float("nan")
    analysis = zoo.analyze(model)
    skipped = analysis.skipped.set_index("tensor")
    assert skipped.loc["3.weight", "reason"] == "non_finite"
    assert analysis.layers["tensor"].tolist() == ["0.weight", "6.weight"]


def test_a_model_without_matrices_says_so():
    analysis = zoo.analyze(nn.BatchNorm1d(8))
    assert len(analysis.layers) == 0
    assert analysis.summary["n_layers"] == 0
    assert "no weight matrices" in analysis.reading
    assert str(analysis).endswith(analysis.reading)
    assert "no weight matrices" in analysis._repr_html_()


def test_a_module_without_tensors_says_so():
    assert "it holds no tensors" in str(zoo.analyze(nn.ReLU()))


def test_the_ledger_stands_in_the_order_of_the_state_dict():
    layers = [nn.BatchNorm1d(60), nn.Linear(60, 70), nn.BatchNorm1d(70), nn.Linear(70, 9), nn.Linear(9, 60)]
    model = nn.Sequential(*layers)
    analysis, names = zoo.analyze(model, threads=1), list(model.state_dict())
    assert analysis.tensors["tensor"].tolist() == names
    assert analysis.skipped["tensor"].tolist() == [name for name in names if name not in set(analysis.layers["tensor"])]
    assert analysis.layers["tensor"].tolist() == ["1.weight", "3.weight", "4.weight"]
    assert "rows stand in the order of the state dict" in str(analysis)


class IntegerWeights(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(8, 8, dtype=torch.int8), requires_grad=False)


class PackedWeights(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("qweight", torch.zeros(8, 8, dtype=torch.int32))


def dynamically_quantized() -> nn.Module:
    with warnings.catch_warnings(action="ignore"):
        return torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(8, 8)), {nn.Linear}, torch.qint8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Linear(8, 8, device="meta"), "weight is on the meta device and has no values: load the weights"),
        (lambda: nn.Sequential(nn.LazyLinear(8)), r"0\.weight has no shape yet: run the lazy module on one batch"),
        (IntegerWeights, r"weight is quantized \(int8\): it holds codes.*before quantization"),
        (PackedWeights, r"qweight is quantized \(int32\)"),
        (dynamically_quantized, r"0 is quantized \(Linear\)"),
        (lambda: {"w": torch.eye(4).to_sparse()}, "w is sparse .*to_dense"),
        (lambda: {"w": torch.zeros(4, 4, device="meta")}, "w is on the meta device"),
        (lambda: {"w": torch.quantize_per_tensor(torch.eye(4), 0.1, 0, torch.qint8)}, r"w is quantized"),
    ],
)
def test_weights_without_values_are_refused(make, message):
    with pytest.raises(CheckpointError, match=message):
        zoo.analyze(make())


def test_a_model_can_be_copied_and_trained_afterwards():
    model = seeded(convolutions)
    zoo.analyze(model)
    clone = copy.deepcopy(model)
    loss = clone(torch.ones(2, 3, 6, 6)).sum()
    loss.backward()
    assert clone[0].weight.grad is not None

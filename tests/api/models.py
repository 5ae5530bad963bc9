"""Small seeded models of several libraries, made without any download."""

from collections.abc import Callable
from contextlib import suppress

import torch
from torch import nn
from torch.nn.utils import parametrizations


class TiedLanguageModel(nn.Module):
    """An embedding, one hidden layer, and an output layer that is the embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(96, 64)
        self.fc = nn.Linear(64, 64)
        self.lm_head = nn.Linear(64, 96, bias=False)
        self.lm_head.weight = self.embed_tokens.weight


class Attention(nn.Module):
    """torch's own attention, with other widths for keys and values too."""

    def __init__(self) -> None:
        super().__init__()
        self.same = nn.MultiheadAttention(64, 4)
        self.other = nn.MultiheadAttention(64, 4, kdim=56, vdim=60)


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    """A model whose weights are heavy-tailed enough for tails to differ, and always the same."""
    torch.manual_seed(7)
    model = make()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim >= 2:
                parameter.mul_(torch.randn_like(parameter).abs().pow(2).add_(0.1))
    return model


def convolutions() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(3, 64, 3), nn.BatchNorm2d(64), nn.ReLU(), nn.Conv2d(64, 64, 3), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(256, 100)),
    )


def weight_normed() -> nn.Module:
    return nn.Sequential(parametrizations.weight_norm(nn.Linear(64, 80)), nn.ReLU(), nn.Linear(80, 64))


def timm_resnet() -> nn.Module:
    from checkpoints.torchvision_import import import_timm

    timm = import_timm()
    return timm.models.resnet.ResNet(timm.models.resnet.BasicBlock, (1, 1, 1, 1), num_classes=60, channels=(64,) * 4)


def timm_vit() -> nn.Module:
    from checkpoints.torchvision_import import import_timm

    return import_timm().create_model("vit_tiny_patch16_224", depth=2, num_classes=60)


def torchvision_squeezenet() -> nn.Module:
    from checkpoints.torchvision_import import import_torchvision

    return import_torchvision().models.squeezenet1_1(num_classes=60)


def _prepare_transformers() -> None:
    """Have torchvision, which transformers imports where it is installed, imported in the way that always works."""
    from checkpoints.errors import CheckpointError
    from checkpoints.torchvision_import import import_torchvision

    with suppress(CheckpointError):
        import_torchvision()


def bert() -> nn.Module:
    _prepare_transformers()
    from transformers import BertConfig, BertModel

    return BertModel(
        BertConfig(vocab_size=300, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128)
    )


def gpt2() -> nn.Module:
    _prepare_transformers()
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(vocab_size=300, n_embd=64, n_layer=2, n_head=4, n_positions=70))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "convolutions": convolutions,
    "lstm": lambda: nn.LSTM(56, 64, num_layers=2, bidirectional=True),
    "attention": Attention,
    "tied": TiedLanguageModel,
    "timm_resnet": timm_resnet,
    "timm_vit": timm_vit,
    "torchvision_squeezenet": torchvision_squeezenet,
    "bert": bert,
    "gpt2": gpt2,
}
LIBRARY = {
    **{"timm_resnet": "timm", "timm_vit": "timm", "torchvision_squeezenet": "torchvision"},
    **{"bert": "transformers", "gpt2": "transformers"},
}
"""What has to be installed for a model."""

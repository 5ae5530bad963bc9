"""Experts of a mixture that lie in one tensor of three axes, as the module that holds them uses it."""

from torch import nn

from checkpoints.parts import Kind, ModuleFacts, Piece


def expert_facts(module: nn.Module, name: str, shape: tuple[int, ...]) -> ModuleFacts | None:
    """Facts of a stack of experts, or None where the tensor is not one.

    Args:
        module: The module that holds the tensor itself.
        name: The tensor's name in it.
        shape: (experts, out, in), or (experts, in, out) where the module says that it is transposed.
    """
    if "Expert" not in type(module).__name__ or len(shape) != 3:
        return None
    # The axis of the outputs, which the gate and the up projection share, within (experts, ., .).
    axis = 2 if getattr(module, "is_transposed", type(module).__name__ == "Llama4TextExperts") else 1
    if name != "gate_up_proj" or shape[axis] % 2:
        return ModuleFacts(Kind.LINEAR, stacked=True)
    alternating = not getattr(module, "is_concatenated", True)
    length = 1 if alternating else shape[axis] // 2
    return ModuleFacts(Kind.LINEAR, pieces=(Piece("gate", length), Piece("up", length)), axis=axis, stacked=True)

"""What is told to somebody whose model is of a kind that cannot be read."""

import inspect
from collections.abc import Mapping

_ELSEWHERE = {
    **dict.fromkeys(("keras", "tensorflow", "tf_keras"), "a Keras or TensorFlow model"),
    **dict.fromkeys(("jax", "jaxlib", "flax"), "a JAX model"),
    **dict.fromkeys(("onnx", "onnxruntime"), "an ONNX model"),
}
_ADVICE = {
    "a Keras or TensorFlow model": "name its weights and hand them over as a state dict: "
    "{w.path: torch.from_numpy(w.numpy()) for w in model.weights}, with matrices and kernels turned to "
    "torch's order (output channels first)",
    "a JAX model": "flatten its parameters into a state dict of torch tensors, kernels turned to torch's order "
    "(output channels first)",
    "an ONNX model": "hand its initializers over as a state dict: "
    "{i.name: torch.from_numpy(onnx.numpy_helper.to_array(i).copy()) for i in model.graph.initializer}",
}
_NEEDED = "need a torch module, a state dict of torch tensors, the path of a weight file, or the name of a model"


def no_model(given: object) -> str:
    """The message for an object that holds no weights that can be read: what was needed, what came, what to do."""
    kind = type(given)
    package = kind.__module__.partition(".")[0]
    if package in _ELSEWHERE:
        what = _ELSEWHERE[package]
        return f"{_NEEDED}; got {what}: {_ADVICE[what]}."
    if isinstance(given, Mapping):
        inside = sorted({type(value).__name__ for value in given.values()})
        arrays = ": turn the arrays into tensors, torch.from_numpy(array)" if "ndarray" in inside else ""
        return f"{_NEEDED}; got a mapping without tensors (it holds {', '.join(inside) or 'nothing'}){arrays}."
    if isinstance(given, type) or inspect.isroutine(given):
        name, what = given.__name__, "class" if isinstance(given, type) else "function"
        return f"{_NEEDED}; got the {what} {name}: call it first, {name}(...), and hand over the model that it makes."
    return f"{_NEEDED}; got {_written(kind)}{_hint(given)}."


def _hint(given: object) -> str:
    """What to do with it, after a colon; nothing where that cannot be told."""
    kinds = {_written(each) for each in type(given).__mro__}  # by name, so that nothing is loaded to tell
    if "torch.Tensor" in kinds:
        return ': put it in a state dict, {"weight": tensor}'
    if "numpy.ndarray" in kinds:
        return ': put it in a state dict as a tensor, {"weight": torch.from_numpy(array)}'
    if isinstance(given, list | tuple):
        return ": hand its models over one at a time"
    return ": try its attribute .model" if hasattr(given, "model") else ""


def _written(kind: type) -> str:
    """A type's name as it is written in a program."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"

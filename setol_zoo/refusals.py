"""What is told to somebody whose model is of a kind that cannot be read."""

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
    if hasattr(given, "model"):
        return f"{_NEEDED}; got {kind.__module__}.{kind.__qualname__}: try its attribute .model."
    return f"{_NEEDED}; got {kind.__module__}.{kind.__qualname__}."

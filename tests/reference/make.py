"""Make the reference values that WeightWatcher 0.7.7 gives for real checkpoints.

    python tests/reference/make.py [NAME=]CHECKPOINT ... --out tests/reference/

For each checkpoint (.th, .pth, .pt, with or without a `state_dict` wrapper; .safetensors) it writes NAME.csv,
a row per matrix that WeightWatcher analyzed, NAME_slices.csv, the same with every tap of a kernel a matrix of its own
(pool=False, at least 50 eigenvalues), and NAME_missing.csv, a row per tensor of two or more dimensions that has none
in the first, with the rule of its source that left it out. NAME is the file's stem unless given. README.md
in the same folder lists the files by sha256 and the versions used. Floats are written in full (the shortest
decimal that reads back as the same double): with pandas, read them with `float_precision="round_trip"`.

The stored values were made with weightwatcher 0.7.7, torch 2.13.0+cpu, numpy 2.4.6, scipy 1.17.1, pandas
3.1.1, safetensors 0.8.0, Python 3.11, on a CPU with OMP_NUM_THREADS=1 (more threads change the last digits).
The versions matter: before numpy 2 the scaled kernels stay float32, and where torch sees a GPU WeightWatcher
rounds the weights to float16. It is run with its defaults (kernel slices pooled, conv2d_norm, at least 8
eigenvalues) and ERG=True, which adds the detX columns and changes no other.

WeightWatcher's `name` for a layer of a state dict is the tensor's name less ".weight"; `tensor` puts it back.
"""

import argparse
import contextlib
import csv
import hashlib
import importlib.metadata
import io
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

with contextlib.redirect_stderr(io.StringIO()):  # it warns that there is no CUDA, which is what we want
    import weightwatcher
    from weightwatcher.constants import DEFAULT_MAX_EVALS, DEFAULT_MAX_N, DEFAULT_MIN_EVALS, LAYER_TYPE
    from weightwatcher.weightwatcher import PyStateDictLayer, WWLayer

VERSION = "0.7.7"
PACKAGES = ("weightwatcher", "torch", "numpy", "scipy", "pandas", "safetensors")
COLUMNS = (
    *("layer_id", "tensor", "layer_type", "N", "M", "rf", "num_evals"),
    *("status", "warning", "alpha", "sigma", "D", "xmin", "xmax", "num_pl_spikes"),
    *(
        "norm",
        "log_norm",
        "spectral_norm",
        "log_spectral_norm",
        "lambda_max",
        "alpha_weighted",
        "log_alpha_norm",
    ),
    *("stable_rank", "matrix_rank", "entropy", "sv_max", "sv_min", "rank_loss", "weak_rank_loss"),
    *("detX_num", "detX_val", "detX_val_unrescaled", "ERG_gap"),
)
SLICES = {"pool": False, "min_evals": 50}
StateDict = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Summary:
    """What README.md says of one checkpoint."""

    model: str
    file: str
    sha256: str
    analyzed: int
    missing: int
    seconds: float


def load_state_dict(path: Path) -> StateDict:
    """The tensors of a checkpoint, on the CPU, in the file's order."""
    if path.suffix == ".safetensors":
        return load_file(path)
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    return dict(checkpoint.get("state_dict", checkpoint))


def analyze(state_dict: StateDict, **options: Any) -> list[dict[str, Any]]:
    """WeightWatcher's details, one dictionary per matrix, without what it prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        details = weightwatcher.WeightWatcher(model=state_dict).analyze(ERG=True, **options)
    details["tensor"] = details["name"] + ".weight"
    return details.to_dict(orient="records")


def reason_left_out(state_dict: StateDict, tensor: str) -> str | None:
    """The rule that keeps WeightWatcher from analyzing a tensor; None if it analyzes it.

    The order is that of PyStateDictLayer.get_layer_iterator and WWLayerIterator.layer_supported; N, M and rf
    are asked of WeightWatcher itself.
    """
    if not tensor.endswith(".weight"):
        return "name does not end in .weight"
    layer = WWLayer(PyStateDictLayer(state_dict, 1, tensor.removesuffix(".weight")))
    if layer.the_type == LAYER_TYPE.UNKNOWN:
        axes = state_dict[tensor].ndim
        return "first axis shorter than 2" if axes in (2, 4) else f"{axes} axes, neither 2 nor 4"
    count = layer.M * layer.rf
    if count < DEFAULT_MIN_EVALS:
        return f"{count} eigenvalues (M * rf), fewer than {DEFAULT_MIN_EVALS}"
    if count > DEFAULT_MAX_EVALS:
        return f"{count} eigenvalues (M * rf), more than {DEFAULT_MAX_EVALS}"
    if layer.N > DEFAULT_MAX_N:
        return f"N = {layer.N}, more than {DEFAULT_MAX_N}"
    return None


def left_out(state_dict: StateDict, analyzed: set[str]) -> list[dict[str, Any]]:
    """Tensors of two or more dimensions that WeightWatcher did not analyze, with the reason.

    Raises:
        RuntimeError: If the rules above and what WeightWatcher did disagree about a tensor.
    """
    rows = []
    for tensor, weights in state_dict.items():
        if weights.ndim < 2:
            continue
        reason = reason_left_out(state_dict, tensor)
        if (reason is None) != (tensor in analyzed):
            raise RuntimeError(
                f"{tensor}: by the rules {reason or 'analyzed'}, by WeightWatcher "
                f"{'analyzed' if tensor in analyzed else 'left out'}: correct reason_left_out"
            )
        if reason is not None:
            shape = "x".join(str(length) for length in weights.shape)
            dtype = str(weights.dtype).removeprefix("torch.")
            rows.append({"tensor": tensor, "dtype": dtype, "shape": shape, "reason": reason})
    return rows


def write_rows(path: Path, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    """Write a CSV; the csv module writes a float by repr, which reads back exactly. Other columns are left out."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def make_reference(model: str, checkpoint: Path, out: Path) -> Summary:
    """Analyze one checkpoint and write its CSVs."""
    state_dict = load_state_dict(checkpoint)
    start = time.perf_counter()
    details = analyze(state_dict)
    seconds = time.perf_counter() - start
    missing = left_out(state_dict, {row["tensor"] for row in details})
    write_rows(out / f"{model}.csv", COLUMNS, details)
    if any(tensor.ndim == 4 for tensor in state_dict.values()):
        write_rows(out / f"{model}_slices.csv", ("slice_id", *COLUMNS), analyze(state_dict, **SLICES))
    write_rows(out / f"{model}_missing.csv", ("tensor", "dtype", "shape", "reason"), missing)
    sha256 = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    return Summary(model, checkpoint.name, sha256, len(details), len(missing), seconds)


def readme(summaries: list[Summary]) -> str:
    """The text of README.md: versions, checkpoints, how to make it again."""
    versions = ", ".join(f"{package} {importlib.metadata.version(package)}" for package in PACKAGES)
    rows = (f"| {s.model} | {s.analyzed} | {s.missing} | {s.file} | `{s.sha256}` |" for s in summaries)
    table = "\n".join(rows)
    return f"""# Reference values from WeightWatcher

Written by `make.py` in this folder, whose docstring says how; do not edit by hand. Nothing in the
tests needs WeightWatcher: they read these files.

{versions}, Python {platform.python_version()}; CPU, one thread, float64.

| model | analyzed | left out | weight file | sha256 |
|---|---|---|---|---|
{table}

MODEL.csv has a row per analyzed matrix, MODEL_missing.csv one per tensor of two or more dimensions that was
left out (where there is none, only the header). MODEL_slices.csv, of models with kernels, has a row per tap
(`slice_id`) of at least 50 eigenvalues, which carry the factor k^2/2 there. Columns bear WeightWatcher's names;
`tensor` is the tensor's name in the file. Things to know before comparing:

- Every four-dimensional tensor, 1 x 1 kernels too, carries the factor 1/2 on its eigenvalues; linear layers
  and embeddings (both `dense`) do not.
- `norm` is the squared Frobenius norm, `spectral_norm` the largest eigenvalue: neither has a square root.
- The fit sees the eigenvalues above 1e-5; `num_pl_spikes` counts those in its tail. The norms, the ranks,
  `log_alpha_norm`, `entropy` and detX see all of them, zeros too.
- Fewer than 20 eigenvalues are fitted with alpha = 1 + (n - 1) / sum(log(x / xmin)), at least 8 in the tail.
- `detX_val` is on the raw scale; `detX_val_unrescaled`, despite its name, is where the mean eigenvalue is 1.
"""


def main() -> None:
    """Read the command line, make every file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", metavar="[NAME=]CHECKPOINT")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write to")
    arguments = parser.parse_args()

    installed = importlib.metadata.version("weightwatcher")
    if installed != VERSION:
        parser.error(f"needs weightwatcher {VERSION}, found {installed}: pip install weightwatcher=={VERSION}")
    if torch.cuda.is_available():
        parser.error("WeightWatcher rounds to float16 where torch sees a GPU: set CUDA_VISIBLE_DEVICES= (empty)")

    arguments.out.mkdir(parents=True, exist_ok=True)
    summaries = []
    for argument in arguments.checkpoints:
        name, _, path = argument.rpartition("=")
        summary = make_reference(name or Path(path).stem, Path(path), arguments.out)
        sys.stderr.write(f"{summary.model}: {summary.analyzed} matrices in {summary.seconds:.2f} s\n")
        summaries.append(summary)
    (arguments.out / "README.md").write_text(readme(summaries))


if __name__ == "__main__":
    main()

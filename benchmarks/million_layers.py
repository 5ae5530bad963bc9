"""A results folder of a million layer rows: seconds, those of processors, and peak RSS of every view and command.

    python -m benchmarks.million_layers [--models 2000] [--layers 500] [--families 200] [--keep FOLDER] [STEP ...]

The rows are written through the same schemas as a run's, with values of the size that real ones have; spectra are short
(32 eigenvalues), because only what is beside them is asked here. Each step runs in a process of its own. Steps:
open, views, and the commands correlate, size, regress, sensitivity, report (`setol ... --results FOLDER`).
"""

import argparse
import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from analysis.opening.results import VIEWS, open_results
from benchmarks.driver import attempt
from catalogs import CATALOG_SCHEMA, SCORES_SCHEMA, Score, WeightFile, to_arrow
from pipeline.options import Options
from pipeline.planning.plan import Unit, make_plan
from pipeline.store.folder import ResultsFolder
from pipeline.store.records import LAYERS_SCHEMA, SPECTRA_SCHEMA

OPTIONS = Options()
EVALS = 32

ASKED_FOR = (
    *("tap", "raw_alpha", "n_fingers", "alpha_hat_clipped", "bootstrap_p", "alpha_interval_low", "alpha_interval_high"),
    *("n_traps", "rand_lambda_max", "rand_soft_rank", "rand_distance", "farms_alpha"),
)
"""Columns of metrics that are NULL unless options ask for them, as are those of eigenvectors."""

QUERIES = {
    "layers": "SELECT kind, status, count(*), avg(alpha), median(alpha_hat) FROM layers GROUP BY ALL",
    "spectra": "SELECT role, kind, count(*), sum(n_params) FROM spectra GROUP BY ALL",
    "scores": "SELECT dataset, count(*), avg(value) FROM scores GROUP BY ALL",
    "attempts": "SELECT host, count(*), sum(seconds) FROM attempts GROUP BY ALL",
    "runs": "SELECT run, core_hours FROM runs",
    "skipped": "SELECT reason, count(*), sum(n_params) FROM skipped GROUP BY ALL",
    "failures": "SELECT error_type, count(*) FROM failures GROUP BY ALL",
    "models": "SELECT status, count(*), sum(params), avg(coverage) FROM models GROUP BY ALL",
    "model_metrics": "SELECT family, count(*), avg(alpha_mean), avg(alpha_hat_mean) FROM model_metrics GROUP BY ALL",
    "scored_models": "SELECT family, corr(score, alpha_median) FROM scored_models GROUP BY ALL",
}
"""A typical aggregate of each view."""

COMMANDS = {
    "correlate": ["correlate"],
    "regress": ["regress"],
    "sensitivity": ["sensitivity"],
    "report": ["report", "--output", "{out}.html"],
}


def main() -> None:
    """Make the folder, then run the steps, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="*", metavar="STEP", help="open, views, " + ", ".join(COMMANDS))
    parser.add_argument("--models", type=int, default=2_000)
    parser.add_argument("--layers", type=int, default=500)
    parser.add_argument("--families", type=int, default=200)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where to make it, or where it is already")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.here:
        views(asked.keep, whole="views" in asked.steps)
        return
    with tempfile.TemporaryDirectory() as place:
        folder = asked.keep or Path(place)
        if not (folder / "options").is_dir():
            write(folder, asked.models, asked.layers, asked.families)
        for name in asked.steps or ("views", *COMMANDS):
            if name in COMMANDS:
                command = [word.format(out=Path(place) / name) for word in COMMANDS[name]]
                called = [str(Path(sys.executable).with_name("setol")), *command, "--results", str(folder)]
            else:
                called = [sys.executable, "-m", "benchmarks.million_layers", name, "--here", "--keep", str(folder)]
            measured(name, called, quiet=name in COMMANDS)


def write(root: Path, n_models: int, n_layers: int, n_families: int) -> None:
    """A results folder as runs leave it: a file of spectra, one of metrics and one of the log for each model."""
    rng = np.random.default_rng(0)
    family = np.sort(rng.integers(0, n_families, n_models))
    log_params = rng.normal(7.5, 0.4, n_families)[family] + rng.normal(0, 0.3, n_models)
    accuracy = 70 + rng.normal(0, 4, n_families)[family] + 5 * (log_params - 7.5) + rng.normal(0, 1, n_models)
    files = [
        WeightFile(
            model=f"path:m{i}",
            name=f"m{i}",
            file=f"/zoo/m{i}.safetensors",
            weights_sha256=f"{i:064x}",
            size=1_000_000,
            family=f"family {family[i]}",
            architecture=f"net {i // 2}",
            params=int(10 ** log_params[i]),
        )
        for i in range(n_models)
    ]
    scores = [
        Score(
            model=file.model,
            dataset="imagenet",
            split="val",
            metric="acc@1",
            value=float(accuracy[i]),
            unit="percent",
            higher_is_better=True,
            n_test=50_000,
            primary=True,
        )
        for i, file in enumerate(files)
    ]
    folder = ResultsFolder(root)
    folder.prepare()
    models = {file.model for file in files}
    folder.merge("catalog", to_arrow(files, CATALOG_SCHEMA), models)
    folder.merge("scores", to_arrow(scores, SCORES_SCHEMA), models)
    planned = {"catalog": "benchmark", "planned": "2026-01-01T00:00:00.000000+00:00"}
    folder.save_options(OPTIONS.config, {**OPTIONS.content, **planned})
    units = {unit.file.model: unit for unit in make_plan(files, OPTIONS, finished=(), failed=()).units}
    started = time.perf_counter()
    for number, file in enumerate(files):
        unit = units[file.model]
        folder.write_spectra(unit.spectra_id, spectra(unit, n_layers, rng))
        folder.write_layers(unit.fit_id, layers(unit, n_layers, float(log_params[number]), rng))
        folder.record(attempt(unit, number))
    print(f"wrote {n_models:,} models of {n_layers:,} layers in {time.perf_counter() - started:.0f} s", flush=True)


def spectra(unit: Unit, n: int, rng: np.random.Generator) -> pa.Table:
    """The ledger of a model: n matrices and half as many vectors, which are skipped."""
    total = n + n // 2
    matrix = np.arange(total) < n
    names = [f"blocks.{i}.weight" if i < n else f"blocks.{i - n}.bias" for i in range(total)]
    given = {
        "tensor": names,
        "dtype": ["float32"] * total,
        "shape": [[64, EVALS] if each else [64] for each in matrix],
        "n_params": [64 * EVALS if each else 64 for each in matrix],
        "role": ["analyzed" if each else "skipped" for each in matrix],
        "reason": [None if each else "vector" for each in matrix],
        "layer": [name.rpartition(".")[0] for name in names],
        "kind": ["linear" if each else None for each in matrix],
        "layout": ["name"] * total,
        "n_rows": [64 if each else None for each in matrix],
        "n_cols": [EVALS if each else None for each in matrix],
        "n_slices": [1 if each else None for each in matrix],
        "evals": [*np.sort(rng.pareto(2, (n, EVALS)), axis=1), *[None] * (total - n)],
        "rank": [[EVALS] if each else None for each in matrix],
    }
    for name in ("frobenius_sq", "entry_mean", "entry_var", "entry_kurtosis", "entry_max_abs", "zero_fraction"):
        given[name] = [*rng.normal(1, 0.1, (n, 1)), *[None] * (total - n)]
    return _table(unit, given, total, SPECTRA_SCHEMA)


def layers(unit: Unit, n: int, size: float, rng: np.random.Generator) -> pa.Table:
    """Metrics of a model: numbers near 3 in every column of numbers, one layer in twenty without a fit."""
    fitted = rng.random(n) > 0.05
    given = {
        "config": [OPTIONS.config] * n,
        "row": np.arange(n),
        "tensor": [f"blocks.{i}.weight" for i in range(n)],
        "layer": [f"blocks.{i}" for i in range(n)],
        "kind": ["conv2d" if i % 3 else "linear" for i in range(n)],
        "status": ["ok" if each else "no_tail" for each in fitted],
        "reason": [None if each else "too_few_eigenvalues" for each in fitted],
        "n_params": np.full(n, 64 * EVALS),
        **{"n_rows": np.full(n, 64), "n_cols": np.full(n, EVALS), "n_slices": np.ones(n, int)},
        **{"n_evals": np.full(n, EVALS), "aspect_ratio": np.full(n, 64 / EVALS), "evals_factor": np.ones(n)},
        "phase": ["bulk+spikes"] * n,
    }
    level = rng.normal(0, 0.3) - 0.3 * (size - 7.5)
    metrics = [field for field in LAYERS_SCHEMA if field.name not in given and not pa.types.is_string(field.type)]
    for field in metrics:
        if field.name in ASKED_FOR or field.name.startswith(("tail_long", "tail_short", "bulk_")):
            continue
        values = np.abs(rng.normal(3 + level, 1, n)) + 0.5
        given[field.name] = values if pa.types.is_floating(field.type) else np.ceil(10 * values).astype(np.int64)
    return _table(unit, given, n, LAYERS_SCHEMA)


def views(folder: Path, *, whole: bool) -> None:
    """Open a folder; then each view as a whole, where it is asked for, and its typical aggregate, twice."""
    with timed("open"):
        results = open_results(folder)
    if not whole:
        return
    for view in VIEWS:
        with timed(f"{view}: aggregate"):
            results.sql(QUERIES[view])
        with timed(f"{view}: aggregate again"):
            results.sql(QUERIES[view])
    for view in VIEWS:
        with timed(f"{view}: count"):
            results.sql(f"SELECT count(*) FROM {view}")
    for view in VIEWS:
        with timed(f"{view}: SELECT *"):
            results.sql(f"SELECT * FROM {view}")


@contextlib.contextmanager
def timed(name: str) -> Iterator[None]:
    """Print seconds and processor seconds of what runs inside, and the peak RSS of the process so far."""
    clock, processors = time.perf_counter(), time.process_time()
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    taken = f"{time.perf_counter() - clock:6.2f} s {time.process_time() - processors:6.2f} s CPU"
    print(f"  {name:32} {taken} {peak:6.0f} MiB", flush=True)


def measured(name: str, command: list[str], *, quiet: bool) -> None:
    """Run a command; print its seconds, processor seconds and peak RSS."""
    started = time.perf_counter()
    out = subprocess.DEVNULL if quiet else None
    process = subprocess.Popen(command, stdout=out)
    _, status, usage = os.wait4(process.pid, 0)
    seconds, code = time.perf_counter() - started, os.waitstatus_to_exitcode(status)
    used = f"{usage.ru_utime:.1f} + {usage.ru_stime:.1f} s CPU, {usage.ru_maxrss / 1024:.0f} MiB"
    print(f"{name}: {seconds:.1f} s, {used}{f', exit status {code}' if code else ''}", flush=True)


def _table(unit: Unit, given: dict[str, object], n: int, schema: pa.Schema) -> pa.Table:
    of_all = {"model": unit.file.model, "file": unit.file.file, "weights_sha256": unit.weights_sha256}
    columns = given | {name: [value] * n for name, value in of_all.items()}
    arrays = [pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(n, f.type) for f in schema]
    return pa.table(arrays, schema=schema)


if __name__ == "__main__":
    main()

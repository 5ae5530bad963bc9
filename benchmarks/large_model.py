"""A sharded bfloat16 checkpoint of 13B shape: memory of a worker, and what a killed run does again.

    python benchmarks/large_model.py FOLDER [--executor serial|ray] [--width 5120] [--inner 13824] [--blocks 4]

Makes the checkpoint (3.2 GB at the default shape, 4 of the 40 blocks), begins a run, kills a worker with SIGKILL after
the first shard (on Ray; in one process the worker is the driver), kills the driver with SIGKILL after the second, and
lets the same command finish. Prints a row for every attempt with its peak RssAnon, and whether a finished shard was
touched. The exit status says whether all is done, nothing twice, and every peak below --limit-mib.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from zlib import crc32

import torch

from checkpoints.names import natural_order
from checkpoints.tensors import TensorHeader
from checkpoints.write import write_safetensors

MARK = "SETOL_BENCHMARK"
"""Environment variable by which the processes of a run are known, whoever started them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the checkpoint, run, kill, run again, and tell."""
    asked = _asked(arguments)
    model, results = asked.folder / "model", asked.folder / "results"
    if not model.exists():
        start = time.perf_counter()
        shards = make_checkpoint(model, headers_of(asked), asked.shard_mib * 2**20)
        print(f"{shards} shards, {time.perf_counter() - start:.0f} s to make", flush=True)
    shutil.rmtree(results, ignore_errors=True)
    start = time.perf_counter()
    kept = _killed_runs(asked, model, results)
    finish = _start(asked, model, results)
    rc = finish.wait()
    seconds = time.perf_counter() - start
    attempts = _attempts(results)
    for row in attempts:
        print("  ".join(f"{value}" for value in row.values()))
    redone = [path.name for path, when in kept.items() if path.stat().st_mtime_ns != when]
    done = Counter(row["file"] for row in attempts if row["outcome"] == "done")
    peak = max(row["peak_mib"] for row in attempts if row["peak_mib"] is not None)
    n_shards, n_finished = len(list(model.glob("*.safetensors"))), _n_finished(results)
    print(f"exit status {rc}, {seconds:.0f} s; {n_finished} of {n_shards} shards done")
    print(f"finished before the kills: {len(kept)} files, of which {len(redone)} were written again")
    twice = [file for file, times in done.items() if times > 1]
    print(f"done twice: {twice}; highest peak {peak:.0f} MiB")
    # A driver that is killed between a shard's file and its row leaves no row of it: the log may lack one.
    whole = n_finished == n_shards and not twice and len(done) >= n_shards - 1
    return 0 if rc == 0 and whole and not redone and peak < asked.limit_mib else 1


def headers_of(asked: argparse.Namespace) -> list[TensorHeader]:
    """The tensors of a decoder of Llama's shape, in its order."""
    width, inner, vocabulary = asked.width, asked.inner, asked.vocabulary
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (vocabulary, width)}
    for block in range(asked.blocks):
        layer = f"model.layers.{block}"
        shapes |= {f"{layer}.self_attn.{name}_proj.weight": (width, width) for name in "qkvo"}
        shapes |= {f"{layer}.mlp.{name}_proj.weight": (inner, width) for name in ("gate", "up")}
        shapes |= {f"{layer}.mlp.down_proj.weight": (width, inner), f"{layer}.input_layernorm.weight": (width,)}
    shapes["lm_head.weight"] = (vocabulary, width)
    return [TensorHeader(name, "bfloat16", shape) for name, shape in shapes.items()]


def make_checkpoint(folder: Path, headers: Sequence[TensorHeader], shard_bytes: int) -> int:
    """Write shards and their index, one tensor in memory at a time; returns the number of shards."""
    shards: list[list[TensorHeader]] = [[]]
    used = 0
    for header in sorted(headers, key=lambda each: natural_order(each.name)):
        if shards[-1] and used + 2 * header.n_params > shard_bytes:
            shards.append([])
            used = 0
        shards[-1].append(header)
        used += 2 * header.n_params
    weight_map = {}
    for index, shard in enumerate(shards):
        name = f"model-{index + 1:05d}-of-{len(shards):05d}.safetensors"
        shapes = {header.name: header.shape for header in shard}
        write_safetensors(folder / name, shard, lambda tensor, shapes=shapes: random_weight(tensor, shapes[tensor]))
        weight_map |= dict.fromkeys(shapes, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return len(shards)


def random_weight(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Gaussian entries, seeded by the name; those of a matrix with a spread of 0.02."""
    generator = torch.Generator().manual_seed(crc32(name.encode()))
    weight = torch.empty(shape, dtype=torch.bfloat16)
    for rows in weight.split(max(1, 2**22 // shape[-1])):
        rows.copy_(torch.randn(rows.shape, generator=generator) * 0.02)
    return weight


def _killed_runs(asked: argparse.Namespace, model: Path, results: Path) -> dict[Path, int]:
    """Begin, kill a worker, kill the driver; returns the files that were finished then, and when they were written."""
    mark = uuid.uuid4().hex
    driver = _start(asked, model, results, mark)
    if asked.executor == "ray":
        _wait_for(results, 1, driver)
        workers = list(_processes(mark, "ray::run_unit"))
        for pid in workers[:1]:
            os.kill(pid, signal.SIGKILL)
        print(f"killed {len(workers[:1])} of {len(workers)} workers after {_n_finished(results)} shards", flush=True)
    _wait_for(results, 2, driver)
    time.sleep(asked.into)
    driver.kill()
    driver.wait()
    print(f"killed the driver after {_n_finished(results)} shards", flush=True)
    deadline = time.monotonic() + 60
    while (left := list(_processes(mark))) and time.monotonic() < deadline:
        time.sleep(0.5)
    for pid in left:  # without their driver they would end by themselves, later
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return {
        path: path.stat().st_mtime_ns for kind in ("spectra", "layers") for path in results.glob(f"{kind}/**/*.parquet")
    }


def _start(asked: argparse.Namespace, model: Path, results: Path, mark: str = "") -> "subprocess.Popen[bytes]":
    more = ["--cpus", str(asked.cpus)] if asked.executor == "ray" else []
    command = [sys.executable, "-m", "setol_zoo.cli", "run", str(model), "--results", str(results), "--executor"]
    environment = os.environ | {MARK: mark}
    return subprocess.Popen([*command, asked.executor, "--detail", "basic", *more], env=environment)


def _wait_for(results: Path, shards: int, driver: "subprocess.Popen[bytes]") -> None:
    while _n_finished(results) < shards and driver.poll() is None:
        time.sleep(0.1)
    if driver.poll() is not None:
        raise SystemExit(f"the run ended before it was killed, with status {driver.returncode}.")


def _n_finished(results: Path) -> int:
    return len(list(results.glob("layers/**/*.parquet")))


def _processes(mark: str, command: str = "") -> Iterator[int]:
    """Processes of this run, whose environment has its mark."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                own = f"{MARK}={mark}".encode() in (entry / "environ").read_bytes()
                if own and (entry / "cmdline").read_bytes().decode(errors="replace").startswith(command):
                    yield int(entry.name)


def _attempts(results: Path) -> list[dict[str, object]]:
    query = (
        "SELECT file[-30:] AS file, outcome, coalesce(error_type, '') AS error, round(seconds_spectra) AS seconds, "
        "round(peak_rss_anon / 2**20) AS peak_mib FROM attempts ORDER BY started"
    )
    command = [sys.executable, "-m", "setol_zoo.cli", "sql", query, "--results", str(results), "--json"]
    found: list[dict[str, object]] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="for the checkpoint and the results; 3.2 GB at the default shape")
    parser.add_argument("--executor", choices=["serial", "ray"], default="serial")
    parser.add_argument("--cpus", type=int, default=2, help="workers on Ray")
    for name, default in {"width": 5120, "inner": 13824, "vocabulary": 32000, "blocks": 4, "shard-mib": 700}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--into", type=float, default=10.0, help="seconds into a shard at which the driver is killed")
    parser.add_argument("--limit-mib", type=float, default=2560.0)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

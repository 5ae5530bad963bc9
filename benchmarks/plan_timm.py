"""How long a plan of many models of timm takes: headers over HTTP from a stand-in of the hub, architectures built.

    python -m benchmarks.plan_timm [N]

The files have true headers and no bytes behind them, so nothing but a plan can be made of them.
"""

import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from checkpoints.architecture_vision import build_timm
from checkpoints.timm_source import find_in_timm, timm_names
from tests.sources.conftest import environment, setol
from tests.sources.hub_standin import LARGE, Hollow, HubStandin, Repository

N_MODELS = 1000


def hollow(name: str) -> Hollow:
    """The safetensors file of a model of timm, up to its first number."""
    end = 0
    entries: dict[str, object] = {"__metadata__": {"of": name}}  # no two files are alike
    for tensor_name, tensor in build_timm(name).state_dict().items():
        size = tensor.numel() * tensor.element_size()
        dtype = {"float32": "F32", "int64": "I64", "bool": "BOOL", "float16": "F16"}[str(tensor.dtype)[6:]]
        entries[tensor_name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [end, end + size]}
        end += size
    header = json.dumps(entries).encode()
    return Hollow(len(header).to_bytes(8, "little") + header, 8 + len(header) + end)


def serve(names: list[str]) -> HubStandin:
    """A stand-in that has these models."""
    hub = HubStandin()
    for number, name in enumerate(names):
        repo = find_in_timm(name).repo
        files = {"model.safetensors": hollow(name), "config.json": b"{}"}
        commit = f"{number:040x}"
        hub.repositories[repo] = Repository(files, commit, {"main": commit})
        for path, content in files.items():
            if path.endswith(LARGE):
                hub.blobs[content.sha256] = content
                hub.owners[content.sha256] = repo
    return hub


def main(n_models: int) -> None:
    """Plan that many models, a second time as well, and print what it took."""
    names = [name for name in timm_names() if "." in name and find_in_timm(name).repo]
    chosen = sorted(random.Random(0).sample(names, n_models))
    start = time.monotonic()
    hub = serve(chosen)
    print(f"{n_models} models made in {time.monotonic() - start:.0f} s", flush=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            catalog = Path(folder, "timm.csv")
            catalog.write_text("model\n" + "".join(f"timm:{name}\n" for name in chosen))
            for time_of in ("first", "second"):
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                start = time.monotonic()
                words = ("plan", "--catalog", catalog, "--results", Path(folder, "r"), "--json")
                done = setol(environment(hub, Path(folder)), *words)
                seconds = time.monotonic() - start
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                planned = len(json.loads(done.stdout)["files"]) if done.returncode == 0 else done.stderr[-500:]
                print(f"{time_of} plan: {seconds:.1f} s, {processor:.1f} s of processors, {planned} files", flush=True)
    finally:
        hub.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else N_MODELS)

"""A cluster of three nodes on this machine, and one of them taken away while units run on it.

As a program (`python -m benchmarks.faults.nodes`) it is the cluster: it prints its address, and takes a worker node
away, or adds one, for each line `remove` or `add` on its standard input.
"""

import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.faults.command import ROOT, Site
from benchmarks.faults.scenario import Injected


def node_removed(site: Site) -> Injected:
    """A node of two goes away with what runs there, another one comes, and then the second of the first two goes."""
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    site.environment = token
    with tempfile.TemporaryDirectory(prefix="ray-") as logs:  # a short path: there are sockets in it
        cluster = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.faults.nodes", logs],
            cwd=ROOT,
            env=site.all_variables(),  # nodes have an environment of their own
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(site.home / "cluster.log").open("wb"),
            text=True,
        )
        assert cluster.stdin is not None and cluster.stdout is not None
        try:
            address = cluster.stdout.readline().strip()
            assert address, (site.home / "cluster.log").read_text()
            site.options = ("--executor", "ray", "--address", address, "--device", "cpu")
            running = site.start()
            removed = 0
            for share, order in ((4, "remove"), (3, "add"), (2, "remove")):
                if not running.wait_for(site.layers_there, site.zoo.count // share):
                    break
                print(order, file=cluster.stdin, flush=True)
                cluster.stdout.readline()
                removed += order == "remove"
            if running.end() != 0:
                site.finish()
        finally:
            cluster.stdin.close()
            cluster.wait(60)
    return Injected(removed)


def serve(logs: Path) -> None:
    """Be the cluster until standard input ends: a head without cores, and nodes of one core."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "temp_dir": str(logs)})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    print(cluster.address, flush=True)
    for order in sys.stdin:
        if order.strip() == "add":
            nodes.append(cluster.add_node(num_cpus=1))
        else:
            cluster.remove_node(nodes.pop(0), allow_graceful=False)
        print("done", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))

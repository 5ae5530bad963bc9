"""The machines of a Ray cluster: whether each has the driver's code, and sees the results folder.

Ray itself refuses machines with another Ray or another Python. It knows nothing of our packages, so one that was not
brought up to date would go on with what it has, and its results would be taken for those of this code.
"""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.code_version import code_version
from pipeline.errors import NodeError
from pipeline.store.storage import temporary

ANSWER_SECONDS = 120.0
"""Longest wait for the answers of the machines that are there at the start."""

_UPDATE = (
    "Bring all machines up to date, from the checkout on your own: make sync CLUSTER=ray_cluster.yaml. "
    "Then give the same command again, which is enough where the code was changed while the run went on; what is done "
    "stays done."
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a machine says of itself.

    Attributes:
        code: Its `code_version`.
        sees: Whether it sees a file that the driver has put into the results folder; True where none was.
    """

    code: str
    sees: bool


def answer(probe: str | None) -> Answer:
    """Runs on the machine that is asked."""
    return Answer(code_version(), probe is None or Path(probe).exists())


class NodeCheck:
    """Asks every machine of a cluster once, also those that come later.

    Args:
        ray: The module, connected to a cluster.
        root: The results folder where it is a local one, which all machines must see; None for object storage.
    """

    def __init__(self, ray: Any, root: Path | None) -> None:
        self._ray = ray
        self._root = root
        self._probe: Path | None = None
        self._seen: set[str] = set()
        self._asked: dict[Any, dict[str, Any]] = {}

    def check(self, seconds: float = 0.0) -> None:
        """Ask the machines that are new, and look at the answers that have come.

        Args:
            seconds: How long to wait for the answers; those still missing are looked at by the next call.

        Raises:
            NodeError: A machine has other code, none, or does not see the results folder.
        """
        for node in self._ray.nodes():
            if node["Alive"] and node["NodeID"] not in self._seen:
                self._seen.add(node["NodeID"])
                self._asked[self._ask(node)] = node
        if not self._asked:
            return
        ready, _ = self._ray.wait(list(self._asked), num_returns=len(self._asked), timeout=seconds)
        wrong = [line for reference in ready for line in self._problems(reference)]
        if self._probe is not None and (wrong or not self._asked):  # the run ends, or all have looked
            self._probe.unlink(missing_ok=True)
            self._probe = None
        if wrong:
            raise NodeError("\n".join([*wrong, _advice(wrong)]))

    def _ask(self, node: dict[str, Any]) -> Any:
        if self._root is not None and self._probe is None:
            self._probe = temporary(self._root / "probe")
            self._probe.touch()
        here = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        task = self._ray.remote(answer).options(num_cpus=0, max_retries=0, scheduling_strategy=here)
        return task.remote(None if self._probe is None else str(self._probe))

    def _problems(self, reference: Any) -> Sequence[str]:
        node = self._asked.pop(reference)
        name = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
        try:
            found = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            return [f"{name} has other code than the driver's {code_version()}, or none: {_last_line(error)}"]
        except self._ray.exceptions.RayError:
            return []  # it is gone again
        if found.code != code_version():
            return [f"{name} has the code {found.code}, the driver {code_version()}"]
        if not found.sees:
            return [f"{name} does not see the driver's results folder {self._root}"]
        return []


def require_code(driver: str | None) -> None:
    """Let a worker start nothing that the driver would refuse.

    Its machine may have come, or been changed, since the driver asked. None is any code.

    Raises:
        NodeError: This machine has other code than the driver.
    """
    if driver is not None and driver != code_version():
        raise NodeError(f"{socket.gethostname()} has the code {code_version()}, the driver {driver}\n{_UPDATE}")


def join_environment() -> None:
    """Let this process join a cluster that has a token: where the machine keeps one, it is used.

    Ray does so by itself for the address `auto`, but not for one that is spelled out.
    """
    if (Path.home() / ".ray" / "auth_token").exists() or "RAY_AUTH_TOKEN" in os.environ:
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def cannot_join(address: str, error: Exception) -> NodeError:
    """What to tell where a cluster cannot be joined."""
    text = str(error)
    if "ersion mismatch" in text:
        return NodeError(f"{text.strip()}\nThe driver and the cluster need the same Ray and Python.")
    return NodeError(
        f"cannot join the Ray cluster {address}: {_last_line(error)}\nStart it (ray up -y CLUSTER.yaml), or take "
        "`setol run` without --address and RAY_ADDRESS, which starts Ray on this machine for this run."
    )


def _advice(wrong: Sequence[str]) -> str:
    if all("results folder" in line for line in wrong):
        return "Choose a folder that all machines share, or object storage: --results s3://bucket/run1."
    return _UPDATE


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__

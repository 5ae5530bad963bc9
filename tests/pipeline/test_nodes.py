import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import pipeline.execution.nodes as nodes
from pipeline.code_version import code_version
from pipeline.errors import NodeError
from pipeline.execution.nodes import NodeCheck, answer, cannot_join, join_environment, require_code

OTHER = "0" * 12


def test_a_machine_answers_with_its_code_and_whether_it_sees_the_probe(tmp_path):
    probe = tmp_path / "probe"
    assert not answer(str(probe)).sees
    probe.touch()
    assert answer(str(probe)).sees
    assert answer(None).sees
    assert answer(None).code == code_version()


def test_a_worker_of_other_code_starts_nothing():
    require_code(code_version())
    require_code(None)
    with pytest.raises(NodeError, match=rf"has the code {code_version()}, the driver {OTHER}\nBring all .* make sync"):
        require_code(OTHER)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ConnectionError("a\n b"), r"cannot join the Ray cluster 10.0.0.9:6379: b\nStart it \(ray up"),
        (RuntimeError("Version mismatch: The cluster was started with:"), "need the same Ray and Python"),
    ],
)
def test_a_cluster_that_cannot_be_joined(error, message):
    with pytest.raises(NodeError, match=message):
        raise cannot_join("10.0.0.9:6379", error)


@pytest.mark.parametrize("has_token", [True, False])
def test_the_machine_s_token_is_used_where_there_is_one(has_token, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    if has_token:
        (tmp_path / ".ray").mkdir()
        (tmp_path / ".ray/auth_token").write_text("a" * 64)
    join_environment()
    assert os.environ.get("RAY_AUTH_MODE") == ("token" if has_token else None)
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)


class SlowCluster:
    """What `NodeCheck` uses of Ray, with two machines: the first answers, the second is still silent."""

    class exceptions:
        RayTaskError = RayError = RuntimeError

    def __init__(self) -> None:
        self.util = self.scheduling_strategies = self
        self.answers: list[nodes.Answer] = []

    def nodes(self):
        common = {"Alive": True, "NodeManagerAddress": ""}
        return [common | {"NodeID": each, "NodeManagerHostname": each} for each in ("one", "two")]

    def NodeAffinitySchedulingStrategy(self, node, soft):
        return node

    def remote(self, *arguments):
        """Of a function, and of the task made of it, which runs at once."""
        if callable(arguments[0]):
            return self
        self.answers.append(answer(*arguments))
        return len(self.answers) - 1

    def options(self, **_):
        return self

    def wait(self, references, **_):
        return references[:1], references[1:]

    def get(self, reference):
        return self.answers[reference]


def test_no_probe_stays_where_a_machine_is_refused_before_others_have_answered(tmp_path, monkeypatch):
    check = NodeCheck(SlowCluster(), tmp_path)
    told = iter([OTHER, code_version(), code_version()])  # of each machine, and of the driver when it compares
    monkeypatch.setattr(nodes, "code_version", lambda: next(told, code_version()))
    with pytest.raises(NodeError, match=rf"one \(\) has the code {OTHER}, the driver {code_version()}"):
        check.check()
    assert list(tmp_path.iterdir()) == []


ASK = """
import sys
from pathlib import Path
import ray
from pipeline.execution import nodes
ray.init("local", num_cpus=1, include_dashboard=False, object_store_memory=10**8, _temp_dir=sys.argv[1])
root = Path(sys.argv[2])
check = nodes.NodeCheck(ray, root)
check.check(100)
check.check()
assert not list(root.iterdir()), "the probe is still there"
print("the same code")
nodes.code_version = lambda: "0" * 12
try:
    nodes.NodeCheck(ray, root).check(100)
except nodes.NodeError as error:
    print(error)
"""


@pytest.mark.ray
def test_the_machines_of_a_cluster_are_asked(tmp_path):
    pytest.importorskip("ray", reason="needs Ray")
    with tempfile.TemporaryDirectory(prefix="ray-") as short:  # there are sockets in it
        command = [sys.executable, "-c", ASK, short, str(tmp_path)]
        env = os.environ | {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
        env = {name: value for name, value in env.items() if name != "RAY_ADDRESS"}
        root = Path(__file__).resolve().parents[2]
        run = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, env=env, cwd=root)
    assert run.returncode == 0, run.stderr
    first, told, advice = run.stdout.strip().splitlines()
    assert first == "the same code"
    assert f"has the code {code_version()}, the driver {OTHER}" in told
    assert advice.startswith("Bring all machines up to date")

"""Machines on one host: each with processes, network, home, /tmp, shared memory and ssh server of its own.

`ray stop`, which Ray's start commands begin with, ends every Ray process of its user that it sees: here, none but
those of its machine. All of it is gone with the processes and the network namespaces that `machines` ends and deletes.
"""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

TOOLS = ("ip", "unshare", "nsenter", "mount", "rsync", "ssh", "ssh-keygen", "/usr/sbin/sshd")
CHECKOUT = Path(__file__).resolve().parents[2]
MAPPED = ("/root", "/tmp", "/dev/shm", "/run", "/var/tmp")
"""Folders that each machine has for itself; what lies below one and all need is mounted into it."""


def missing() -> str | None:
    """Why machines cannot be made here, or None."""
    if os.geteuid() != 0:
        return "needs root, for namespaces"
    lacking = [tool for tool in TOOLS if shutil.which(tool) is None]
    if lacking:
        return f"needs {', '.join(lacking)} (apt-get install openssh-server openssh-client rsync iproute2)"
    command = ["unshare", "-p", "-m", "-n", "-u", "-f", "--mount-proc", "true"]
    tried = subprocess.run(command, capture_output=True, check=False)
    return None if tried.returncode == 0 else f"needs namespaces: {tried.stderr.decode().strip()}"


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine, as a place to run commands in.

    Attributes:
        address: On the network of the machines.
        home: Its /root, as seen from outside.
        process: Id of its first process, as seen from outside.
    """

    address: str
    home: Path
    process: int

    def run(self, command: str | Sequence[str], *, seconds: float = 120, **env: str) -> subprocess.CompletedProcess:
        """A command in its home, as one would type it there; never raises for a bad exit status."""
        words = ["bash", "-c", command] if isinstance(command, str) else list(command)
        enter = ["nsenter", "-t", str(self.process), "-m", "-p", "-n", "-u", "--wdns=/root"]
        return subprocess.run(
            [*enter, "env", "-i", *(f"{name}={value}" for name, value in (_ENV | env).items()), *words],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
        )


_ENV = {
    "HOME": "/root",
    "USER": "root",
    "PATH": f"{sys.prefix}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "TERM": "xterm",
}


@contextmanager
def machines(folder: Path, count: int, *, shared: Sequence[Path] = ()) -> Iterator[list[Machine]]:
    """So many machines on a network of their own, who let each other in by one key of theirs.

    Args:
        folder: Where their private folders are made.
        count: How many; addresses are 10.77.0.1 and on.
        shared: Folders that all see under the same path; those of this Python are among them anyway.
    """
    lan = f"lan{os.getpid()}"
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    with ExitStack() as stack:
        _ip("netns", "add", lan)
        stack.callback(_ip, "netns", "delete", lan)
        _ip("-n", lan, "link", "add", "lan", "type", "bridge")
        _ip("-n", lan, "link", "set", "lan", "up")
        yield [stack.enter_context(_machine(folder, number, lan, key, shared)) for number in range(1, count + 1)]


@contextmanager
def _machine(folder: Path, number: int, lan: str, key: Path, shared: Sequence[Path]) -> Iterator[Machine]:
    net, own = f"{lan}m{number}", folder / f"m{number}"
    _ip("netns", "add", net)
    try:
        _connect(net, lan, number)
        script = own / "start.sh"
        for mapped in MAPPED:
            (own / mapped[1:]).mkdir(parents=True, mode=0o1777 if mapped != "/root" else 0o700)
        ssh = own / "root/.ssh"
        ssh.mkdir(mode=0o700)
        shutil.copy(key, ssh / "id_ed25519")
        shutil.copy(key.with_suffix(".pub"), ssh / "authorized_keys")
        script.write_text(_start_script(own, number, shared))
        own_spaces = ["unshare", "-p", "-m", "-u", "-f", "--mount-proc", "--kill-child"]
        started = subprocess.Popen(
            ["ip", "netns", "exec", net, *own_spaces, "bash", script],
            stdin=subprocess.DEVNULL,
            stdout=(own / "log").open("wb"),
            stderr=subprocess.STDOUT,
        )
        try:
            yield Machine(f"10.77.0.{number}", own / "root", _first_process(started, own))
        finally:
            started.kill()
            started.wait()
    finally:
        _ip("netns", "delete", net)


def _start_script(own: Path, number: int, shared: Sequence[Path]) -> str:
    """What the first process of a machine does: mount, start sshd, and wait, burying what others leave."""
    lines = ["set -e", f"hostname m{number}"]
    for path in dict.fromkeys(map(Path, (sys.prefix, sys.base_prefix, CHECKOUT, *shared))):
        if any(path.is_relative_to(mapped) for mapped in MAPPED):
            inside = shlex.quote(str(own / str(path)[1:]))
            lines += [f"mkdir -p {inside}", f"mount --rbind {shlex.quote(str(path))} {inside}"]
    for mapped in sorted(MAPPED, key=own.is_relative_to):  # last the one that hides where the others come from
        lines.append(f"mount --rbind {shlex.quote(str(own / mapped[1:]))} {mapped}")
    lines += [
        "ip link set lo up",
        "mkdir -p /run/sshd",
        "ssh-keygen -q -t ed25519 -N '' -f /run/host_key",
        "/usr/sbin/sshd -f /dev/null -h /run/host_key -o PidFile=none -o UsePAM=no -o PermitRootLogin=yes",
        "touch /run/ready",
        "while :; do sleep 3600 & wait $!; done",
    ]
    return "\n".join(lines) + "\n"


def _first_process(started: subprocess.Popen, own: Path) -> int:
    end = time.monotonic() + 20
    while time.monotonic() < end and started.poll() is None:
        children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
        if children and (own / "run/ready").exists():
            return int(children[0])
        time.sleep(0.05)
    raise RuntimeError(f"the machine did not start: {(own / 'log').read_text()}")


def _connect(net: str, lan: str, number: int) -> None:
    cable = f"c{number}"
    _ip("-n", lan, "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", net)
    _ip("-n", lan, "link", "set", cable, "master", "lan", "up")
    _ip("-n", net, "address", "add", f"10.77.0.{number}/24", "dev", "eth0")
    _ip("-n", net, "link", "set", "eth0", "up")
    # Leads nowhere. Without a way to the outside, Ray takes 127.0.0.1 for the machine's own address.
    _ip("-n", net, "route", "add", "default", "via", "10.77.0.254")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)

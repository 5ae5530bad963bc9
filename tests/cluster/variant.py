"""`ray_cluster.yaml` as the tests use it: the file itself, but for what a host without a network cannot do.

It differs in three places: the addresses; the environment, whose packages are those of this Python instead of pip's;
and the size of a machine, as all share this host's cores and memory.
"""

import shutil
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import yaml

from tests.cluster.machines import CHECKOUT

PACKAGES = ("analysis", "catalogs", "checkpoints", "pipeline", "setol", "setol_zoo")
FILES = ("CHANGELOG.md", "LICENSE", "Makefile", "README.md", "pyproject.toml", "ray_cluster.yaml", "requirements.lock")


def copy_checkout(folder: Path) -> None:
    """What a cluster needs of this checkout, to be edited freely."""
    for package in PACKAGES:
        shutil.copytree(CHECKOUT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(CHECKOUT / name, folder / name)


def write_variant(
    checkout: Path, head: str, workers: Sequence[str], *, cpus: int, head_cpus: int | None = None
) -> None:
    """Put these addresses into the `ray_cluster.yaml` of a copied checkout, and what else has to differ.

    Args:
        checkout: The copy.
        head: Address of the head.
        workers: Those of the workers.
        cpus: Cores that a machine says it has.
        head_cpus: Those of the head, where it has not as many.
    """
    path = checkout / "ray_cluster.yaml"
    config = yaml.safe_load(path.read_text())
    config["provider"] |= {"head_ip": head, "worker_ips": list(workers)}
    environment, requirements, package, *others = config["setup_commands"]
    assert "venv" in environment and "requirements.lock" in requirements, "the order has changed"
    config["setup_commands"] = [environment_of_this_python(), package, *others]
    for name, count in (("head", cpus if head_cpus is None else head_cpus), ("worker", cpus)):
        size = f" --num-cpus={count} --memory=2000000000 --object-store-memory=80000000"
        config[f"{name}_start_ray_commands"][-1] += size
    path.write_text(yaml.safe_dump(config, sort_keys=False))


def environment_of_this_python() -> str:
    """A command that makes ~/.setol-zoo see the packages installed here, without pip and without a network.

    The packages' own `.pth` files are not read there, so this checkout, where it is installed, is not seen.
    """
    packages = sysconfig.get_path("purelib")
    launcher = "import sys; from ray.scripts.scripts import main; sys.exit(main())"
    return (
        f"test -x ~/.setol-zoo/bin/ray || {{ {sys.base_prefix}/bin/python3 -m venv --without-pip ~/.setol-zoo && "
        f"echo {packages} > $(echo ~/.setol-zoo/lib/python3*/site-packages)/packages.pth && "
        f"printf '#!%s\\n%s\\n' ~/.setol-zoo/bin/python '{launcher}' > ~/.setol-zoo/bin/ray && "
        "chmod +x ~/.setol-zoo/bin/ray; }"
    )

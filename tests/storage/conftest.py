"""One S3 server for the tests of this folder, and a small model to run."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.storage.s3_server import MISSING, S3Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    if MISSING:
        pytest.skip(MISSING)
    with S3Server(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and none of the user's settings."""
    monkeypatch.setenv("SETOL_CACHE", str(tmp_path / "cache"))
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION", "SETOL_RESULTS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def models(tmp_path: Path) -> list[str]:
    """Two weight files, and one that is no weight file."""
    generator = torch.Generator().manual_seed(1)
    for name in ("a", "b"):
        tensors = {f"fc{index}.weight": torch.randn(80, 60, generator=generator) for index in range(2)}
        save_file(tensors, tmp_path / f"{name}.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"no header")
    return [str(tmp_path / f"{name}.safetensors") for name in ("a", "b", "bad")]

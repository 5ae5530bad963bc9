from pathlib import Path
from typing import Any

import pytest

from tests.analysis.synthetic import Synthetic, score, sha, skipped, tensor, weight_file

FIT = {"lambda_min": 2.0, "lambda_max": 3.0, "n_tail": 2, "erg_lambda_min": 0.5}


def rich_file() -> list[tuple[Any, dict[str, Any] | None]]:
    """One tensor of every fate."""
    return [
        (tensor("w1.weight", [4, 3]), {"alpha": 2.0, "alpha_hat": 1.0, "erg_delta": 1.0, **FIT}),
        (tensor("w2.weight", [2, 1, 3]), {"alpha": 4.0, "alpha_hat": 3.0, "erg_delta": None, **FIT}),
        (
            tensor("emb.weight", [5, 4], "embedding", evals=[4.0, 9.0, 1.0, 5.0], n_slices=2, n_cols=2),
            {"alpha": 6.0, "alpha_hat": 8.0, "erg_delta": 2.0, "evals_factor": 0.5, **FIT},
        ),
        (tensor("pos", [5, 2], "table"), {"alpha": 100.0, "alpha_hat": 100.0, "erg_delta": 100.0, **FIT}),
        (tensor("w3.weight", [2, 2]), {"status": "no_tail", "reason": "too_few_eigenvalues", "stable_rank": 50.0}),
        (tensor("head.weight", [5, 4], "embedding", role="tied", tied_to="emb.weight"), None),
        (skipped("bias", [7], "vector"), None),
        (skipped("dw.weight", [3, 1, 3, 3], "depthwise"), None),
        (skipped("attn.bias", [1, 1, 8, 8], "buffer", dtype="uint8"), None),
        (skipped("index", [6, 6], "integer", dtype="int64"), None),
        (skipped("packed", [4, 4], "integer", dtype="int8"), None),
    ]


@pytest.fixture
def rich(tmp_path: Path) -> Path:
    """A folder that the test may change."""
    return write_rich(tmp_path / "rich")


@pytest.fixture(scope="session")
def rich_unchanged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for tests that only read."""
    return write_rich(tmp_path_factory.mktemp("results") / "rich")


def write_rich(root: Path) -> Path:
    """a and b are one content, c is done in part, d failed, e was not tried, u is of unknown content."""
    folder = Synthetic(root)
    folder.plan()
    files = [
        weight_file("a", sha("a"), family="f", params=1000),
        weight_file("b", sha("a"), family="f"),
        weight_file("c", sha("c"), file="/zoo/c-1.pt"),
        weight_file("c", sha("d"), file="/zoo/c-2.pt"),
        weight_file("d", sha("e"), family="g"),
        weight_file("e", sha("f")),
        weight_file("u", None),
    ]
    scores = [
        score("a", 10.0),
        score("a", 2.0, metric="err@5", primary=False),
        score("b", 11.0),
        score("c", 12.0),
        score("a", 0.5, dataset="other", metric="acc", unit="fraction", higher_is_better=True),
    ]
    folder.describe(files, scores)
    folder.publish(sha("a"), rich_file())
    folder.publish(sha("c"), [(tensor("w.weight", [4, 3]), {"alpha": 3.0, **FIT})])
    folder.attempt(files[0], bytes=100, seconds_spectra=2.0)
    failed = {"outcome": "failed", "error_type": "CheckpointError", "transient": False}
    folder.attempt(files[4], error="first", started="2026-01-01T00:00:01+00:00", **(failed | {"transient": True}))
    folder.attempt(files[4], error="cut <short>", started="2026-01-01T00:00:02+00:00", **failed)
    folder.attempt(files[3], error="refused", **failed)
    folder.attempt(files[6], error="no such file", **failed)
    return folder.root

"""Small results folders with numbers that can be checked by hand, written as the job writes them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalogs import CATALOG_SCHEMA, SCORES_SCHEMA, Score, WeightFile, to_arrow
from catalogs.identity import fit_id, spectra_id
from pipeline.options import SPECTRA_VERSION, MetricOptions, Options
from pipeline.store.folder import ResultsFolder
from pipeline.store.records import (
    LAYERS_SCHEMA,
    SPECTRA_SCHEMA,
    AttemptRow,
    LayerRow,
    SpectrumRow,
    table_of,
)

CONFIG = "c0ffee000001"


def _content(metrics: MetricOptions | None) -> dict[str, Any]:
    return Options(metrics=metrics or MetricOptions()).content


def sha(letter: str) -> str:
    return letter * 64


@dataclass
class Synthetic:
    """A results folder in the making; all weight files of one content have the same name there."""

    root: Path

    def __post_init__(self) -> None:
        self.folder = ResultsFolder(self.root)
        self.folder.prepare()

    def plan(
        self,
        config: str = CONFIG,
        metrics: MetricOptions | None = None,
        *,
        planned: str = "2026-01-01T00:00:00.000000+00:00",
        spectra_version: int = SPECTRA_VERSION,
    ) -> None:
        added = {"spectra_version": spectra_version, "catalog": "synthetic", "planned": planned}
        self.folder.save_options(config, _content(metrics) | added)

    def describe(self, files: list[WeightFile], scores: list[Score] | None = None) -> None:
        self.folder.merge("catalog", to_arrow(files, CATALOG_SCHEMA), [file.model for file in files])
        self.folder.merge("scores", to_arrow(scores or [], SCORES_SCHEMA), [file.model for file in files])

    def publish(
        self,
        content: str,
        tensors: list[tuple[SpectrumRow, dict[str, Any] | None]],
        *,
        config: str = CONFIG,
        metrics: MetricOptions | None = None,
    ) -> None:
        """Spectra and metrics of a weight file; the second of each pair are the metrics of an analyzed tensor."""
        rows = [row for row, _ in tensors]
        layers = [
            layer(row, position, config, **columns)
            for position, (row, columns) in enumerate(tensors)
            if columns is not None
        ]
        spectra = _with_content(table_of(rows, SPECTRA_SCHEMA), content)
        self.folder.write_spectra(spectra_id(content, _content(metrics)), spectra)
        fitted = _with_content(table_of(layers, LAYERS_SCHEMA), content)
        self.folder.write_layers(fit_id(content, _content(metrics)), fitted)

    def attempt(self, file: WeightFile, *, config: str = CONFIG, metrics: MetricOptions | None = None, **columns: Any):
        unit = fit_id(file.weights_sha256, _content(metrics)) if file.weights_sha256 else None
        values = {"started": "2026-01-01T00:00:00.000000+00:00", "outcome": "done"} | columns
        self.folder.record(
            AttemptRow(
                unit=unit,
                model=file.model,
                file=file.file,
                weights_sha256=file.weights_sha256,
                config=config,
                host="here",
                device="cpu",
                threads=1,
                code_version="0.1.0",
                **values,
            )
        )


def weight_file(name: str, content: str | None, /, **columns: Any) -> WeightFile:
    values = {"model": f"path:{name}", "name": name, "file": f"/zoo/{name}.pt", "weights_sha256": content} | columns
    return WeightFile(**values)


def score(name: str, value: float, /, **columns: Any) -> Score:
    values = {"dataset": "d", "metric": "err@1", "unit": "percent", "higher_is_better": False, "primary": True}
    return Score(model=f"path:{name}", value=value, **(values | columns))


def tensor(name: str, shape: list[int], kind: str | None = "linear", **columns: Any) -> SpectrumRow:
    n_params = 1
    for length in shape:
        n_params *= length
    values: dict[str, Any] = {
        "model": "first:name",
        "file": "first/file",
        "weights_sha256": "",
        "tensor": name,
        "layer": name.removesuffix(".weight"),
        "dtype": "float32",
        "shape": shape,
        "n_params": n_params,
        "role": "analyzed",
        "kind": kind,
    } | columns
    if values["role"] == "analyzed":
        values |= {"n_rows": 4, "n_cols": 3, "n_slices": 1} | {
            key: columns[key] for key in ("n_rows", "n_cols", "n_slices") if key in columns
        }
        values.setdefault("evals", [1.0, 2.0, 3.0])
    return SpectrumRow(**values)


def skipped(name: str, shape: list[int], reason: str, **columns: Any) -> SpectrumRow:
    return tensor(name, shape, kind=None, role="skipped", reason=reason, **columns)


def layer(row: SpectrumRow, position: int, config: str, **columns: Any) -> LayerRow:
    values: dict[str, Any] = {
        "model": row.model,
        "file": row.file,
        "weights_sha256": row.weights_sha256,
        "config": config,
        "row": position,
        "tensor": row.tensor,
        "layer": row.layer,
        "part": row.part,
        "kind": row.kind,
        "n_params": row.n_params,
        "n_rows": row.n_rows,
        "n_cols": row.n_cols,
        "n_slices": row.n_slices,
        "n_evals": len(row.evals),
        "aspect_ratio": row.n_rows / row.n_cols,
        "evals_factor": 1.0,
        "status": "ok",
    }
    return LayerRow(**(values | columns))


def one_layer(alpha: float | None, **columns: Any) -> list[tuple[SpectrumRow, dict[str, Any] | None]]:
    """A weight file of one matrix with one alpha."""
    metrics = {"alpha": alpha, "erg_delta": 0.5, "lambda_min": 1.0, "n_tail": 3, "erg_lambda_min": 0.4}
    return [(tensor("w.weight", [4, 3]), metrics | columns)]


def _with_content(table: Any, content: str) -> Any:
    index = table.schema.get_field_index("weights_sha256")
    return table.set_column(index, table.schema.field(index), [[content] * len(table)])

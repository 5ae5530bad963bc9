"""What came out for one model: layers, ledger, spectra and a reading, all in memory."""

import html
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from analysis import Results
    from setol_zoo.picture import Picture
    from setol_zoo.reading import FittedLayer

MOST_ROWS = 60
"""Layers that a printed table shows."""

SHOWN = {
    **{"layer": "layer", "part": "part", "kind": "kind", "n_rows": "N", "n_cols": "M", "n_evals": "evals"},
    **{"alpha": "alpha", "alpha_sigma": "±", "d_ks": "D", "n_tail": "tail", "alpha_hat": "alpha_hat"},
    **{"log_norm": "log_norm", "stable_rank": "stable_rank", "erg_delta": "erg_delta", "reason": "note"},
}
"""Columns of the printed table, and what stands above them."""

_MODEL = """
SELECT m.name, m.model, m.status, m.n_tensors, m.n_analyzed, m.n_ok, m.n_tied, m.n_skipped, m.params,
       m.params_matrices, m.params_covered, m.coverage, coalesce(a.n_layers, 0) AS n_layers,
       a.* EXCLUDE (model, name, family, n_layers)
FROM models AS m LEFT JOIN model_metrics AS a USING (model) WHERE m.model = {model}
"""
_LAYERS = """
SELECT layer, part, kind, * EXCLUDE (layer, part, kind, model, name, family, file, weights_sha256, config, row)
FROM layers WHERE model = {model} ORDER BY file, row
"""
_HASHES = "SELECT DISTINCT weights_sha256 FROM stored.catalog WHERE model = {model} AND weights_sha256 IS NOT NULL"
_TENSORS = """
WITH numbered AS (
    SELECT *, row_number() OVER () AS place
    FROM (
        SELECT weights_sha256, tensor, layer, part, kind, dtype, shape, n_params, role, reason, tied_to, layout
        FROM stored.tensors WHERE weights_sha256 IN ({hashes})
    )
)
SELECT numbered.* EXCLUDE (weights_sha256, tied_to, layout, place), sentence, tied_to, numbered.layout
FROM numbered JOIN stored.catalog AS c USING (weights_sha256) LEFT JOIN stored.reasons USING (reason)
WHERE c.model = {model} ORDER BY c.file, place
"""
"""The ledger as its files have it: they keep the order of the tensors, a join does not, so rows are numbered before."""
_EVALS = """
SELECT s.file, tensor, s.part, s.evals, s.permuted_evals, s.entry_var, s.n_slices, l.evals_factor
FROM spectra AS s JOIN layers AS l USING (model, file, tensor)
WHERE model = {model} AND s.part IS NOT DISTINCT FROM l.part AND s.evals IS NOT NULL
"""
_REMARKS = """
SELECT remarks FROM attempts JOIN stored.catalog AS c USING (model, weights_sha256)
WHERE model = {model} AND remarks IS NOT NULL ORDER BY started
"""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Analysis:
    """One model's spectra and metrics. Print it for a table; in a notebook it shows itself.

    Attributes:
        name: Short name of the model.
        model: Its key.
        config: Name of the configuration: the options and versions that the values belong to.
        options: Metric options of that configuration, by name.
        remarks: What of a file was left out or did not go as asked when its spectra were made, line by line.
    """

    name: str
    model: str
    config: str
    options: Mapping[str, Any]
    remarks: tuple[str, ...]
    _summary: dict[str, Any]
    _layers: "pa.Table"
    _tensors: "pa.Table"
    _evals: "pa.Table"

    @property
    def layers(self) -> "pd.DataFrame":
        """A row for every analyzed matrix: what it is, `status`, `reason`, and the metrics (docs/metrics.md)."""
        return self._layers.to_pandas()

    @property
    def tensors(self) -> "pd.DataFrame":
        """The ledger: a row for every tensor or part; `role` is analyzed, tied (`tied_to`) or skipped (`reason`).

        `layout` says whether kind and part were told by the model's own modules (`architecture`) or by its name.
        """
        return self._tensors.to_pandas()

    @property
    def skipped(self) -> "pd.DataFrame":
        """The rows of the ledger that were not decomposed, each with its reason and a sentence on it."""
        rows = self._tensors.to_pandas()
        return rows[rows["role"] == "skipped"].drop(columns=["role", "tied_to"]).reset_index(drop=True)

    @property
    def summary(self) -> dict[str, Any]:
        """The model in one row: counts, coverage, and mean, median and standard error over layers of every metric.

        Only layers with a fitted tail count, tables of positions or biases do not, tied ones do once; `n_layers`
        says how many. Metrics of a model without such layers are None.
        """
        return dict(self._summary)

    @property
    def reading(self) -> str:
        """What alpha says about the model, in one sentence."""
        from setol_zoo.reading import no_fit, reading

        layers = self._fitted_layers()
        if layers:
            return reading(self.name, self._summary, layers)
        return no_fit(self.name, self._without_fit(), self._tensors.num_rows, self._low_ranks())

    @property
    def order(self) -> str:
        """The order of `layers`: by name where a safetensors file knows no other, else that of the state dict."""
        from analysis.order import layer_order

        return layer_order(self._evals["file"].to_pylist())

    def spectrum(self, layer: str, part: str | None = None) -> "NDArray[np.float64]":
        """The pooled spectrum that the metrics of a layer were computed from.

        Args:
            layer: Name of a layer or of its tensor; a tied one gives the spectrum of the tensor it is tied to.
            part: Which piece of a fused tensor, such as `q`.

        Returns:
            Eigenvalues of all slices (squared singular values times `evals_factor`), ascending, shape (n_evals,).

        Raises:
            AnalysisError: There is no such layer or part, or it was skipped; the message says why.
        """
        import numpy as np

        row = self._matrix(layer, part)
        tensor = row["tied_to"] or row["tensor"]
        keys = zip(self._evals["tensor"].to_pylist(), self._evals["part"].to_pylist(), strict=True)
        index = list(keys).index((tensor, part))
        evals = np.sort(self._evals["evals"][index].values.to_numpy())
        return evals * self._evals["evals_factor"][index].as_py()

    def plot(self, layer: str | None = None, part: str | None = None) -> "Picture":
        """Alpha by depth, or one layer's spectrum with its fit.

        Args:
            layer: Name of a layer or of its tensor; None for the whole model.
            part: Which piece of a fused tensor.

        Returns:
            A picture that shows itself in a notebook; `.save(path)` writes it, `.figure` is matplotlib's.

        Raises:
            AnalysisError: There is no such layer, or no fitted tail to draw.
        """
        from analysis import AnalysisError
        from setol_zoo.picture import depth_picture_of, fitted_rows, layer_picture_of

        if layer is None:
            return depth_picture_of(self)
        found = self._matrix(layer, part)
        tensor = found["tied_to"] or found["tensor"]
        for row in fitted_rows(self):
            if (row["tensor"], row["part"]) == (tensor, part):
                return layer_picture_of(self, row)
        raise AnalysisError(f"{layer} has no fitted tail to draw; its row in .layers has the reason.")

    def to_pandas(self) -> "pd.DataFrame":
        """`layers`."""
        return self.layers

    def to_arrow(self) -> "pa.Table":
        """`layers` as an Arrow table, where NULL is told from NaN and integers stay integers."""
        return self._layers

    def overview(self) -> "pa.Table":
        """The columns of `layers` that a printed table shows, under the names that it shows them by."""
        return self._layers.select(list(SHOWN)).rename_columns(list(SHOWN.values()))

    def notes(self) -> list[str]:
        """What stands below the table: tensors left out by reason, coverage, the reading."""
        from catalogs import counted
        from setol.reasons import Reason

        lines = []
        skipped = self.skipped
        for (reason, sentence), rows in skipped.groupby(["reason", "sentence"], sort=False):
            entries = counted(rows["n_params"].sum(), "entry", "entries")
            if reason in (Reason.FACTOR, Reason.FACTOR_UNSCALED):
                entries = "entries counted with the product"
            formats = f" ({', '.join(sorted(set(rows['dtype'])))})" if reason == Reason.DTYPE else ""
            lines.append(f"skipped: {counted(len(rows), 'tensor')}, {entries}, {reason}{formats}: {sentence}")
        if grouped := self._read_as_grouped():
            lines.append(grouped)
        if self._summary["n_tied"]:
            tied = sorted(
                {f"{row['tensor']} to {row['tied_to']}" for row in self._tensors.to_pylist() if row["tied_to"]}
            )
            lines.append(f"tied, counted once: {', '.join(tied)}")
        if self._layers.num_rows:
            lines.append(f"rows stand {self.order}")
        if self._summary["coverage"] is not None:
            lines.append(f"coverage: {100 * self._summary['coverage']:.1f} % of the parameters in matrices")
        return [*lines, self.reading]

    def __str__(self) -> str:
        from catalogs.plain import plain_text
        from setol_zoo.cells import text_table

        table = [text_table(self.overview(), limit=MOST_ROWS)] if self._layers.num_rows else []
        return "\n".join([plain_text(self._title()), *table, *map(plain_text, (*self.remarks, *self.notes()))])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from catalogs.plain import plain_text
        from setol_zoo.cells import html_table

        table = html_table(self.overview(), limit=MOST_ROWS) if self._layers.num_rows else ""
        notes = "".join(f"<p>{html.escape(plain_text(line))}</p>" for line in (*self.remarks, *self.notes()))
        return f"<div><p><b>{html.escape(plain_text(self._title()))}</b></p>{table}{notes}</div>"

    def _fitted_layers(self) -> "list[FittedLayer]":
        """The layers that the summary is made of."""
        from setol_zoo.reading import FittedLayer, like_random

        columns = ["tensor", "part", "kind", "status", "n_rows", "n_cols", "n_slices", "alpha"]
        rows = self._layers.select([*columns, "d_ks", "n_tail", "lambda_max", "evals_factor"]).to_pylist()
        keys = zip(self._evals["tensor"].to_pylist(), self._evals["part"].to_pylist(), strict=True)
        variances = dict(zip(keys, self._evals["entry_var"].to_pylist(), strict=True))
        return [
            FittedLayer(
                alpha=row["alpha"],
                d_ks=row["d_ks"],
                n_tail=row["n_tail"],
                like_random=like_random(
                    row["n_rows"],
                    row["n_cols"],
                    row["n_slices"],
                    max(variances[row["tensor"], row["part"]]),
                    row["lambda_max"] / row["evals_factor"],
                ),
            )
            for row in rows
            if row["status"] == "ok" and row["kind"] != "table"
        ]

    def _read_as_grouped(self) -> str | None:
        """A line on the kernels whose groups were told by names and shapes alone, if there are any."""
        from analysis.reporting.grouped import grouped_kernels, told

        return told(grouped_kernels(self._tensors.to_pylist()))

    def _without_fit(self) -> Counter[tuple[str, str]]:
        """Why matrices have no fitted tail: reason and sentence, and how many matrices."""
        import pyarrow.compute as pc

        from setol.reasons import Reason

        skipped = self._tensors.filter(pc.field("role") == "skipped")
        sentences = {each.value: each.sentence for each in Reason}
        with_another = (Reason.FACTOR, Reason.FACTOR_UNSCALED, Reason.SCALES)  # counted as the matrix they belong to
        no_matrix = (None, Reason.VECTOR, Reason.BUFFER, Reason.INTEGER, *with_another)
        reasons = [reason for table in (self._layers, skipped) for reason in table["reason"].to_pylist()]
        return Counter((reason, sentences[reason]) for reason in reasons if reason not in no_matrix)

    def _low_ranks(self) -> list[int]:
        """Ranks of the layers that have enough eigenvalues for a tail fit, but too few above zero."""
        needed = self.options["min_evals"]
        rows = self._layers.select(["n_evals", "matrix_rank"]).to_pylist()
        return [row["matrix_rank"] for row in rows if (row["matrix_rank"] or needed) < needed <= row["n_evals"]]

    def _matrix(self, layer: str, part: str | None) -> dict[str, Any]:
        """The row of the ledger of one decomposed or tied matrix."""
        from analysis import AnalysisError
        from catalogs import unknown_name

        called = [row for row in self._tensors.to_pylist() if layer in (row["layer"], row["tensor"])]
        decomposed = [row for row in called if row["role"] != "skipped"]
        if not called:
            raise AnalysisError(unknown_name("layer", layer, self._layers["layer"].to_pylist()))
        if not decomposed:
            raise AnalysisError(f"{layer} has no spectrum. {called[0]['sentence']}")
        fitting = [row for row in decomposed if row["part"] == part]
        if len(fitting) != 1:
            choice = ", ".join(f"{row['tensor']} part {row['part']}" for row in decomposed)
            raise AnalysisError(f"need one matrix, and {layer} with part {part} is {len(fitting)}; there are {choice}.")
        return fitting[0]

    def _title(self) -> str:
        from catalogs import counted

        matrices = counted(self._summary["n_analyzed"], "matrix", "matrices")
        return f"{self.name}: {matrices}, {self._summary['n_ok']} with a fitted tail"


def analysis_of(results: "Results", model: str) -> Analysis:
    """Take one model out of opened results; the results folder is not needed afterwards.

    Args:
        results: With the model in it.
        model: Its key.
    """
    from analysis.opening.literals import sql_text

    key = sql_text(model)
    (summary,) = results.rows(_MODEL.format(model=key))
    hashes = ", ".join(sql_text(row["weights_sha256"]) for row in results.rows(_HASHES.format(model=key))) or "NULL"
    queries = (_LAYERS, _TENSORS, _EVALS)
    layers, tensors, evals = (results.sql(query.format(model=key, hashes=hashes)) for query in queries)
    options = MappingProxyType(dict(results.configuration.options["metrics"]))
    remarks = tuple(dict.fromkeys(row["remarks"] for row in results.rows(_REMARKS.format(model=key))))
    return Analysis(summary["name"], model, results.config, options, remarks, summary, layers, tensors, evals)

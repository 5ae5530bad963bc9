"""The schemas that the rows' annotations say."""

import pyarrow as pa
import pytest

from pipeline.store.records import ATTEMPTS_SCHEMA, LAYERS_SCHEMA, SPECTRA_SCHEMA, AttemptRow, table_of

LISTS_OF_FLOATS = {
    *("evals", "frobenius_sq", "entry_mean", "entry_var", "entry_kurtosis", "entry_max_abs", "zero_fraction"),
    *("permuted_evals", "window_evals"),
    *("long_localization", "long_participation", "long_entropy"),
    *("short_localization", "short_participation", "short_entropy"),
}


def test_a_spectrum_has_lists():
    lists = {field.name: field.type.value_type for field in SPECTRA_SCHEMA if pa.types.is_list(field.type)}
    assert lists == dict.fromkeys(LISTS_OF_FLOATS, pa.float64()) | {"shape": pa.int64(), "rank": pa.int64()}


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("model", pa.string()),
        ("n_tail", pa.int64()),
        ("alpha", pa.float64()),
        ("reason", pa.string()),
        ("status", pa.string()),
    ],
)
def test_a_layer_has_one_value_a_column(column, expected):
    assert LAYERS_SCHEMA.field(column).type == expected
    assert not any(pa.types.is_list(field.type) for field in LAYERS_SCHEMA)


def test_rows_become_a_table_of_their_schema():
    row = AttemptRow(
        unit=None,
        model="m",
        file="f",
        weights_sha256=None,
        config="c",
        host="h",
        device="cpu",
        threads=1,
        started="2026-01-01",
        outcome="done",
        code_version="1",
    )
    table = table_of([row], ATTEMPTS_SCHEMA)
    assert table.schema == ATTEMPTS_SCHEMA
    assert table.to_pylist()[0]["threads"] == 1
    assert table.schema.field("transient").type == pa.bool_()

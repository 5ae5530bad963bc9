"""Rows and schemas are one and the same."""

from dataclasses import fields
from types import UnionType
from typing import get_args, get_type_hints

import pyarrow as pa
import pytest

from pipeline.records import ATTEMPTS_SCHEMA, LAYERS_SCHEMA, SPECTRA_SCHEMA, AttemptRow, LayerRow, SpectrumRow

TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_(), list[int]: pa.list_(pa.int64())}


@pytest.mark.parametrize(
    ("row", "schema"), [(SpectrumRow, SPECTRA_SCHEMA), (LayerRow, LAYERS_SCHEMA), (AttemptRow, ATTEMPTS_SCHEMA)]
)
def test_dataclass_and_schema_agree(row, schema):
    assert [field.name for field in fields(row)] == schema.names
    for name, hint in get_type_hints(row).items():
        if isinstance(hint, UnionType):
            (hint,) = [arm for arm in get_args(hint) if arm is not type(None)]
        if hint in TYPES:  # the lists of a spectrum are arrays of any kind
            assert schema.field(name).type == TYPES[hint], name

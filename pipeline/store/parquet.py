"""How tables are written: the same rows give the same bytes."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.parquet as pq


def parquet_of(table: pa.Table) -> bytes:
    """A table as a Parquet file: zstd, floats split into byte streams, strings in a dictionary, sums of pages."""
    floats = list(_float_columns(table.schema))
    others = [column for column in table.schema.names if not pa.types.is_floating(table.schema.field(column).type)]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        use_dictionary=[name for name in others if not pa.types.is_list(table.schema.field(name).type)],
        column_encoding=dict.fromkeys(floats, "BYTE_STREAM_SPLIT"),
        write_page_checksum=True,
    )
    content: bytes = sink.getvalue().to_pybytes()
    return content


def parquet_of_rows(table: pa.Table) -> bytes:
    """A table of a few rows as a Parquet file: without what pays for many, which would be most of the file."""
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        use_dictionary=False,
        write_statistics=False,
        store_schema=False,
        write_page_checksum=True,
    )
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _float_columns(schema: pa.Schema) -> Iterable[str]:
    """Names by which Parquet knows the columns of floats, those inside lists included."""
    for field in schema:
        if pa.types.is_list(field.type) and pa.types.is_floating(field.type.value_type):
            yield f"{field.name}.list.element"
        elif pa.types.is_floating(field.type):
            yield field.name

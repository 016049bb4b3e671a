"""A sweep's table as Parquet. The only module that imports PyArrow."""

from __future__ import annotations

from pathlib import Path

from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.sweeps.analysis.columns import columns_of
from bskernel.sweeps.analysis.table import SweepTable


def write_parquet(table: SweepTable, path: Path) -> None:
    """Write the columns of sweep.csv with their types. Raises EnvironmentLacking without PyArrow, ConfigError."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise EnvironmentLacking("Parquet needs PyArrow", hint="pip install 'bskernel[parquet]'") from None
    types = {
        "text": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "truth": pa.bool_(),
    }
    columns = columns_of(table)
    schema = pa.schema([pa.field(column.name, types[column.kind]) for column in columns])
    arrays = [pa.array(column.values, types[column.kind]) for column in columns]
    try:
        parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), path)
    except OSError as error:
        raise ConfigError(f"{path}: not writable: {error}") from error

"""Tables as the reader makes them, without a file."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from billy_pipelines.files.columns import Fields, apply_columns
from billy_pipelines.files.headers import HeaderMap, map_headers
from billy_pipelines.files.recognition import profile_for
from billy_pipelines.files.table import Table
from billy_pipelines.schemas.reading_options import ReadingOptions
from billy_pipelines.schemas.row_schema import RowSchema


def gzipped(data: bytes) -> bytes:
    """Packed without the time: in a test's name it would differ between the processes that run side by side."""
    return gzip.compress(data, mtime=0)


def table_of(header: str, *rows: str, typed: Mapping[str, Sequence[bool]] | None = None) -> Table:
    """A table out of lines separated by `;`."""
    names = header.split(";")
    cells = pd.DataFrame([row.split(";") for row in rows], columns=names, dtype="str")
    masks = {name: np.array(mask) for name, mask in (typed or {}).items()}
    return Table(cells, list(range(2, len(rows) + 2)), names, typed=masks)


def understood(
    table: Table,
    schema: RowSchema,
    *,
    operation: str = "import",
    remembered: Mapping[str, str] | None = None,
    **said: Any,
) -> tuple[HeaderMap, Fields]:
    """The table as a job would understand it, with some reading options."""
    options = ReadingOptions(**said)
    profile = profile_for(schema, table.header, options)
    headers = map_headers(
        table.header, schema, options, profile=profile, remembered=remembered or {}, operation=operation
    )
    return headers, apply_columns(table, headers, schema, profile, options)


def rows_of(fields: Fields) -> list[dict[str, str]]:
    """What each row says, blank cells left out."""
    return [{name: text for name, text in row.items() if text} for row in fields.cells.to_dict("records")]

"""The forms of an exported file: rows of plain text in, the bytes of a CSV, JSON or Parquet file out.

Rows come as Arrow batches of text as an import cleans it (`1250.5`, `2026-04-01`, `true`); each writer makes of it what
its readers expect. Nothing here knows of snapshots or resources. Excel's
own form is in `workbook.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from billy_pipelines.files.writing import safe_cell
from billy_pipelines.schemas.cleaning import REWRITTEN
from billy_pipelines.schemas.row_schema import NUMERIC, Kind
from billy_pipelines.schemas.whole_column import Mask, changed, mask_of, matches

Kinds = Mapping[str, Kind]
"""The columns of a file in their order, and what stands in them."""
Batches = Iterable[pa.RecordBatch]
BOM = b"\xef\xbb\xbf"
_YES_NO = {"true": "ja", "false": "nej"}


def write_csv(file: BinaryIO, kinds: Kinds, batches: Batches, *, danish: bool) -> int:
    """Delimited text, CRLF, UTF-8 with BOM: for a Danish Excel (semicolons, 1250,5, 01-04-2026, ja, leading zeros
    kept), or international (commas, 1250.5, 2026-04-01, true)."""
    delimiter = ";" if danish else ","

    def written(column: tuple[Any, Kind]) -> Any:
        return _csv_cells(*column, delimiter, danish)

    file.write(BOM + _line([list(kinds)], delimiter))
    rows = 0
    with ThreadPoolExecutor(thread_name_prefix="csv") as columns:  # Arrow works on several at once
        for batch in batches:
            rows += batch.num_rows
            cells = columns.map(written, [(batch.column(name), kind) for name, kind in kinds.items()])
            file.write(_joined(list(cells), delimiter))
    return rows


def _line(rows: list[list[str]], delimiter: str) -> bytes:
    return b"".join(f"{delimiter.join(row)}\r\n".encode() for row in rows)


def _joined(cells: list[Any], delimiter: str) -> bytes:
    """Columns as lines. Arrow puts 100,000 lines together in 40 ms, in one piece of memory that is the file's text."""
    if not len(cells[0]):
        return b""
    last = _concatenated(cells[-1], "\r\n")
    lines = pc.binary_join_element_wise(*cells[:-1], last, _large(delimiter)) if len(cells) > 1 else last
    offsets, data = _buffers(lines)
    return data[offsets[0] : offsets[-1]].tobytes()


def _csv_cells(column: Any, kind: Kind, delimiter: str, danish: bool) -> Any:
    cells = pc.fill_null(column.cast(pa.large_string()), "")
    if kind in NUMERIC:
        cells = changed(cells, matches(cells, r"^-?\d{1,3}\.\d{3}$"), _with_four_decimals)
    if danish:
        cells = _danish(cells, kind)
    if kind not in NUMERIC and kind is not Kind.DATE:
        # Telephone numbers are told by Arrow; 100,000 of them one by one would take longer than all the rest.
        cells = changed(cells, _among(cells, _begins(cells, _RUNS), _PHONE, fits=False), _safe)
        if danish:
            cells = changed(cells, _among(cells, _begins(cells, _MAY_BE_REWRITTEN), f"^{REWRITTEN}$"), _kept)
    return changed(cells, _needs_quotes(cells, delimiter), _quoted)


def _begins(cells: Any, signs: npt.NDArray[np.bool_]) -> Mask:
    """Which cells begin with one of these bytes. A look at one byte of each takes a twentieth of a pattern's time, and
    a hundred thousand rows of a register have a million cells."""
    offsets, data = _buffers(cells)
    if not len(data):
        return np.zeros(len(cells), dtype=np.bool_)
    starts = offsets[:-1]
    first = data[np.minimum(starts, len(data) - 1)]
    return signs[first] & (starts < offsets[1:])


def _among(cells: Any, where: Mask, pattern: str, *, fits: bool = True) -> Mask:
    """Those of some cells that fit a pattern, or do not."""
    if not where.any():
        return where
    found = np.zeros(len(cells), dtype=np.bool_)
    found[where] = matches(cells.filter(pa.array(where)), pattern) == fits
    return found


def _needs_quotes(cells: Any, delimiter: str) -> Mask:
    """Cells with a delimiter, a quotation mark or a line end in them; most columns have none at all."""
    offsets, data = _buffers(cells)
    text = data[offsets[0] : offsets[-1]].tobytes()
    if not any(sign in text for sign in (delimiter.encode(), b'"', b"\r", b"\n")):
        return np.zeros(len(cells), dtype=np.bool_)
    return matches(cells, f'[{delimiter}"\r\n]')


def _buffers(cells: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Where the cells of a large_string array begin and end, and the bytes they stand in."""
    offsets, data = cells.buffers()[1], cells.buffers()[2]
    places = np.frombuffer(offsets, np.int64) if offsets is not None else np.zeros(1, np.int64)
    inside = places[cells.offset : cells.offset + len(cells) + 1]
    return inside, np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)


def _signs(signs: str) -> npt.NDArray[np.bool_]:
    found = np.zeros(256, dtype=np.bool_)
    found[list(signs.encode())] = True
    return found


_RUNS = _signs("=@\t\r\n+-")
_PHONE = r"^\+[0-9][0-9 ]*$"
_MAY_BE_REWRITTEN = _signs("+0123456789jfmasondJFMASOND")
"""Numbers, dates, and names of months."""


def _danish(cells: Any, kind: Kind) -> Any:
    if kind in NUMERIC:
        return pc.replace_substring(cells, ".", ",")
    if kind is Kind.DATE:
        return pc.replace_substring_regex(cells, r"^(\d{4})-(\d{2})-(\d{2})$", r"\3-\2-\1")
    if kind is Kind.BOOLEAN:
        for plain, word in _YES_NO.items():
            cells = pc.if_else(pc.equal(cells, plain), pa.scalar(word, pa.large_string()), cells)
    return cells


def _with_four_decimals(cells: Any) -> Any:
    """1.125 as 1.1250, which nobody takes for a thousand: where no cell of a column shows how it is meant, an import
    refuses it."""
    return _concatenated(cells, "0")


def _safe(cells: Any) -> Any:
    return pa.array([safe_cell(text) for text in cells.to_pylist()], pa.large_string())


def _kept(cells: Any) -> Any:
    return _concatenated('="', cells, '"')


def _quoted(cells: Any) -> Any:
    return _concatenated('"', pc.replace_substring(cells, '"', '""'), '"')


def _concatenated(*parts: Any) -> Any:
    return pc.binary_join_element_wise(*(_large(part) if isinstance(part, str) else part for part in parts), _large(""))


def _large(text: str) -> Any:
    return pa.scalar(text, pa.large_string())


def write_json(file: BinaryIO, kinds: Kinds, batches: Batches) -> int:
    """A list of objects; numbers, booleans and lists as themselves, null where there is nothing."""
    rows = 0
    file.write(b"[")
    for line in _objects(kinds, batches):
        file.write(b",\n " if rows else b"\n ")
        file.write(line)
        rows += 1
    file.write(b"\n]\n")
    return rows


def write_ndjson(file: BinaryIO, kinds: Kinds, batches: Batches) -> int:
    """An object a line, as `write_json`."""
    rows = 0
    for line in _objects(kinds, batches):
        file.write(line + b"\n")
        rows += 1
    return rows


def _objects(kinds: Kinds, batches: Batches) -> Iterable[bytes]:
    readers = [_JSON.get(kind, str) for kind in kinds.values()]
    for batch in batches:
        columns = [batch.column(name).to_pylist() for name in kinds]
        for cells in zip(*columns, strict=True):
            values = [None if cell is None else read(cell) for read, cell in zip(readers, cells, strict=True)]
            yield json.dumps(dict(zip(kinds, values, strict=True)), ensure_ascii=False).encode()


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


_JSON: dict[Kind, Callable[[str], Any]] = {
    **dict.fromkeys(NUMERIC, _number),
    Kind.BOOLEAN: lambda text: text == "true",
    Kind.LIST: json.loads,
}


def write_parquet(file: BinaryIO, kinds: Kinds, batches: Batches) -> int:
    """Typed columns: float64, date32, bool, string."""
    schema = pa.schema([pa.field(name, _arrow_type(kind)) for name, kind in kinds.items()])
    rows = 0
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in batches:
            columns = [_typed(batch.column(name), kind) for name, kind in kinds.items()]
            writer.write_batch(pa.record_batch(columns, schema=schema))
            rows += batch.num_rows
    return rows


def _arrow_type(kind: Kind) -> pa.DataType:
    if kind in NUMERIC:
        return pa.float64()
    return {Kind.DATE: pa.date32(), Kind.BOOLEAN: pa.bool_()}.get(kind, pa.string())


def _typed(column: Any, kind: Kind) -> Any:
    if kind is Kind.DATE:
        fine = mask_of(pc.fill_null(pc.match_substring_regex(column, r"^\d{4}-\d{2}-\d{2}$"), False))
        texts = zip(column.to_pylist(), fine, strict=True)
        return pa.array([date.fromisoformat(text) if ok else None for text, ok in texts], pa.date32())
    return column.cast(_arrow_type(kind))

"""The one entrance for files: whatever a person has, as a table of text, or one sentence that says why not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from billy_pipelines.files.delimited import delimited_cells
from billy_pipelines.files.encodings import utf8_of
from billy_pipelines.files.grid import table_of, table_of_grid
from billy_pipelines.files.header_line import known_headers
from billy_pipelines.files.json_records import read_json
from billy_pipelines.files.kinds import (
    agreed,
    binary_kind,
    called,
    json_kind,
    looks_binary,
    meant_workbook,
    named,
    text_kind,
)
from billy_pipelines.files.sheets import read_sheet
from billy_pipelines.files.table import Hints, Limits, Source, Table, UnreadableFile
from billy_pipelines.files.unpacking import GZIP, check_zip, unpacked_gzip
from billy_pipelines.schemas.reading_options import ReadingOptions

_BEGINNING = 4096
_NO_OPTIONS, _NO_HINTS, _USUAL_LIMITS = ReadingOptions(), Hints(), Limits()


def read_table(
    path: Path, options: ReadingOptions = _NO_OPTIONS, hints: Hints = _NO_HINTS, limits: Limits = _USUAL_LIMITS
) -> Table:
    """Read a file: delimited text, JSON, NDJSON or a workbook, each of them also gzipped.

    Raises:
        UnreadableFile: the file as a whole cannot be used.
        OSError: it cannot be opened.
    """
    data = _bytes_of(path, limits)
    extension, named_gz = named(path.name)
    compressed = data.startswith(GZIP) and (named_gz or not extension)
    if named_gz and data and not compressed:
        raise UnreadableFile("type_mismatch", extension=".gz", content=called(binary_kind(data) or "csv"))
    if compressed:
        data = unpacked_gzip(data, limits.max_bytes)
    if not data or data.isspace():
        raise UnreadableFile("empty_file")
    source = Source(compressed=compressed)
    if found := binary_kind(data):
        return _workbook(data, found, extension, source, options, hints, limits)
    return _text(data, extension, source, options, hints, limits)


def _bytes_of(path: Path, limits: Limits) -> bytes:
    size = path.stat().st_size
    if size <= limits.max_bytes:
        with path.open("rb") as file:
            data = file.read(limits.max_bytes + 1)  # it may still be growing, and a pipe has no size
        size = max(size, len(data))
    if size > limits.max_bytes:
        raise UnreadableFile("file_too_large", size=size, limit=limits.max_bytes)
    return data


def _workbook(
    data: bytes, found: str, extension: str, source: Source, options: ReadingOptions, hints: Hints, limits: Limits
) -> Table:
    if found == "zip" and (meant := meant_workbook(extension)) and meant != "xls":
        check_zip(data, called(meant), limits.max_bytes)  # half a workbook is damaged, not a file of another kind
    kind = agreed(found, extension)
    if kind != "xls":
        check_zip(data, called(kind), limits.max_bytes)
    grid, sheet = read_sheet(data, kind, options, limits)
    return table_of_grid(grid, replace(source, kind=kind, sheet=sheet), options, hints, limits)


def _text(data: bytes, extension: str, source: Source, options: ReadingOptions, hints: Hints, limits: Limits) -> Table:
    try:
        if options.encoding == "auto" and looks_binary(data):
            agreed("binary", extension)
        text, encoding = utf8_of(data, options.encoding)
    except UnreadableFile as error:
        if meant := meant_workbook(extension):
            raise UnreadableFile("broken_file", kind=called(meant), reason="no workbook in it") from error
        raise
    if not text or text.isspace():
        raise UnreadableFile("empty_file")
    beginning = text[:_BEGINNING].decode("utf-8", "replace")
    kind = agreed(text_kind(beginning, extension), extension)
    source = replace(source, encoding=encoding)
    if kind == "json":
        content = text.decode()
        table = read_json(content, json_kind(content), hints, limits)
        return replace(table, source=replace(table.source, compressed=source.compressed, encoding=encoding))
    delimiter, cells = delimited_cells(text, options.delimiter, known_headers(options, hints), limits)
    return table_of(cells, replace(source, delimiter=delimiter), options, hints, limits)

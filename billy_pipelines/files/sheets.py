"""Sheets of Excel and LibreOffice workbooks (.xlsx, .xls, .ods) as raw rows of text."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from billy_pipelines.files import workbook_process
from billy_pipelines.files.grid import Grid
from billy_pipelines.files.kinds import called
from billy_pipelines.files.table import Limits, UnreadableFile
from billy_pipelines.schemas.reading_options import ReadingOptions

PATIENCE_SECONDS = 600
"""20,000,000 cells take about a minute; what takes longer than this never ends."""


def read_sheet(data: bytes, kind: str, options: ReadingOptions, limits: Limits) -> tuple[Grid, str]:
    """The one sheet of a workbook that has something in it, or the one that `options.sheet` names; and its name.

    Numbers come out as typed (`1234`, `0800` where that is text), percentages as `25%`, dates as `2026-04-01`, booleans
    as `true`, errors as the text the spreadsheet shows (`#N/A`). Empty columns on the left are left out.

    Args:
        kind: `xlsx`, `xls` or `ods`, as the content says.

    Raises:
        UnreadableFile: damaged, with a password, too large; nothing in it, several sheets, no such sheet; a formula
            without a result.
    """
    request = {
        "kind": kind,
        "sheet": options.sheet,
        "max_bytes": limits.max_bytes,
        "max_rows": limits.max_rows,
        "max_columns": limits.max_columns,
        "max_cell": limits.max_cell,
    }
    answer = _asked(json.dumps(request).encode() + b"\n" + data, kind)
    if "code" in answer:
        raise UnreadableFile(answer["code"], kind=called(kind), **answer["details"])
    typed = {int(column): positions for column, positions in answer["typed"].items()}
    return Grid(answer["records"], answer["lines"], typed), answer["sheet"]


def _asked(message: bytes, kind: str) -> dict[str, Any]:
    # A session of its own: Ctrl-C is for the job, which ends in its own time, not for the file it is reading.
    command = [sys.executable, "-P", "-m", workbook_process.__name__]
    try:
        ended = subprocess.run(
            command, input=message, capture_output=True, timeout=PATIENCE_SECONDS, start_new_session=True, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UnreadableFile("table_too_large") from error
    if ended.returncode == 0:
        answer: dict[str, Any] = json.loads(ended.stdout)
        return answer
    said = ended.stderr.decode(errors="replace")
    if ended.returncode < 0 and ("memory allocation" in said or "capacity overflow" in said or not said):
        raise UnreadableFile("table_too_large")
    raise UnreadableFile(
        "broken_file", kind=called(kind), reason=said.strip().rpartition("\n")[2] or "the reader broke off"
    )

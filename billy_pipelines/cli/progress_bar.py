"""A job's progress on a terminal as a bar, elsewhere as a line now and then."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from billy_pipelines.bulk.verdicts import UndoVerdict, Verdict, verdicts_of
from billy_pipelines.database.jobs import JobRow

LINE_SECONDS = 2.0
_SHOWN = tuple(verdict for verdict in dict.fromkeys((*Verdict, *UndoVerdict)) if verdict != Verdict.UNPROCESSED)


class JobBar:
    """Shows whatever row it is given. Use as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TextColumn("{task.fields[verdicts]}"),
            TimeElapsedColumn(),
            console=console,
            transient=False,
        )
        self._task = self._progress.add_task("starting", total=None, verdicts="")
        self._last_line = ("", 0.0)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._progress.stop()

    def show(self, row: JobRow) -> None:
        """The job as it stands."""
        total = row.counts.get("total") or row.total_items
        done = total - row.counts.get(Verdict.UNPROCESSED, total)
        verdicts = verdicts_line(row)
        if self._console.is_terminal:
            self._progress.update(
                self._task,
                description=row.status,
                total=total or None,
                completed=done,
                verdicts=verdicts.removeprefix(" · "),
            )
            return
        line, now = f"{row.status}: {done} of {total} rows{verdicts}", time.monotonic()
        if line != self._last_line[0] and now - self._last_line[1] >= LINE_SECONDS:
            self._console.print(line, markup=False)
            self._last_line = (line, now)


def verdicts_line(row: JobRow) -> str:
    """The verdicts there are, to be put behind something else; '' if there are none yet."""
    return "".join(f" · {name} {row.counts[name]:,}" for name in _SHOWN if row.counts.get(name))


def verdict_table(row: JobRow) -> Table:
    """The verdicts of a job that ended."""
    table = Table()
    table.add_column("verdict")
    table.add_column("rows", justify="right")
    for verdict in verdicts_of(row.operation):
        if row.counts.get(verdict):
            table.add_row(str(verdict), f"{row.counts[verdict]:,}")
    table.add_section()
    table.add_row("total", f"{row.total_items:,}")
    return table

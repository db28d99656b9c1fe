"""The journal's way out of the event loop: one thread with a queue, grouped writes, patience while PostgreSQL restarts.

The loop never calls psycopg2 (R8). What arrives within a hundredth of a second, or while one transaction runs, waits
together and becomes the next one: with a transaction for every few rows the journal, not Billy, set the speed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

import tenacity
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from billy_pipelines.database.items import Outcome, Sending, Unsent
from billy_pipelines.database.journal import Journal

T = TypeVar("T")
PATIENCE_SECONDS = 30.0
"""How long a write waits for PostgreSQL to come back; `billy up` restarts a dead server within 5 s."""
MOST_AT_ONCE = 500
GATHER_SECONDS = 0.01


class JournalGone(Exception):
    """PostgreSQL did not come back in time; nothing more may be sent because nothing more can be written down."""


def _is_outage(error: BaseException) -> bool:
    return isinstance(error, OperationalError | InterfaceError) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    )


def _look_at(done: asyncio.Future[None]) -> None:
    """A caller that was cancelled does not ask any more; asyncio would print the error as one nobody has seen."""
    if not done.cancelled():
        done.exception()


class DatabaseThread:
    """Runs blocking database calls one after the other, repeating those that an outage cut off.

    Everything given to it must be safe to repeat: a call that was cut off may have been committed.
    """

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._patience = PATIENCE_SECONDS

    async def run(self, function: Callable[[], T], /) -> T:
        """The function's result.

        Raises:
            JournalGone: the database stayed away.
        """
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._patiently, function)

    def close(self) -> None:
        """End the thread after what is queued."""
        self._executor.shutdown(wait=True)

    def _patiently(self, function: Callable[[], T]) -> T:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_outage),
            stop=tenacity.stop_after_delay(self._patience),
            wait=tenacity.wait_fixed(0.3),
            reraise=True,
        )
        try:
            return retrying(function)
        except (OperationalError, InterfaceError) as error:
            # The job ends now, and what it still has to write is tried once: waiting for each took 165 s.
            self._patience = 0
            raise JournalGone(f"PostgreSQL did not come back within {PATIENCE_SECONDS:.0f} s") from error


class GroupCommit:
    """Writes journal changes durably, many callers in one transaction. Use as an async context manager."""

    def __init__(self, journal: Journal, thread: DatabaseThread) -> None:
        self._journal = journal
        self._thread = thread
        self._waiting: list[tuple[Sequence[Sending | Outcome | Unsent], asyncio.Future[None]]] = []
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._work())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def write(self, changes: Sequence[Sending | Outcome | Unsent]) -> None:
        """Return when the changes are durable.

        Raises:
            JournalGone: they are not and will not be.
        """
        if not changes:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.add_done_callback(_look_at)
        self._waiting.append((changes, done))
        self._arrived.set()
        # Shielded: a caller that is cancelled must not take back what the group is writing.
        await asyncio.shield(done)

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            await asyncio.sleep(GATHER_SECONDS)
            group, size = [], 0
            while self._waiting and size < MOST_AT_ONCE:
                group.append(self._waiting.pop(0))
                size += len(group[-1][0])
            if not self._waiting:
                self._arrived.clear()
            changes = [change for part, _ in group for change in part]
            try:
                await self._thread.run(lambda changes=changes: self._journal.write(changes))  # type: ignore[misc]
            except Exception as error:
                for _, done in group:
                    if not done.done():
                        done.set_exception(error)
            else:
                for _, done in group:
                    if not done.done():
                        done.set_result(None)

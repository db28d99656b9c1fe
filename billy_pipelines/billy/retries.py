"""The one place that sends a request again, and the table of when.

| what happened                         | reads (GET)    | PUT, DELETE by id          | creates (POST)             |
|---------------------------------------|----------------|----------------------------|----------------------------|
| no connection (refused, DNS)          | again          | again                      | again                      |
| 429                                   | wait, again    | wait, again                | wait, again                |
| 500, 502, 503, 504, other 5xx, 408    | again          | again, then outcome unknown| outcome unknown, at once   |
| time-out, reset after sending         | again          | again, then outcome unknown| outcome unknown, at once   |
| 2xx with an unreadable body           | again          | outcome unknown            | outcome unknown, at once   |
| any other answer                      | final          | final                      | final                      |

Reasons: repeating a POST makes a second record (billy-api.md section 5, observed); repeating a PUT of plain keys is
harmless, a DELETE is idempotent (documented); that a 429 saved nothing is unverified but agreed ("before any work").
Capped twice: attempts and total time, counted from the first failure, and apart for 429s: those are answers of a Billy
that is alive and asks for patience.
"Final" is not the whole truth of a PUT that was repeated: after an unclear attempt, the clear no of a later one does
not tell what the first one did, so its outcome is unknown too (`client`).
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum

import tenacity

from billy_pipelines.billy.transport import Answer, TransportFailed
from billy_pipelines.billy.underway import here

ATTEMPTS = 5
TOTAL_SECONDS = 60.0
LIMIT_TOTAL_SECONDS = 900.0
LONGEST_RETRY_AFTER = 600.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 15.0
FIRST_LIMIT_WAIT = 1.0


class Verb(Enum):
    """How a request may be repeated."""

    READ = "read"
    OVERWRITE = "overwrite"
    CREATE = "create"


class Again(Exception):
    """An attempt failed in a way the table allows to repeat; `after` is what Billy asked us to wait, in seconds."""

    def __init__(self, cause: Answer | TransportFailed, after: float | None = None) -> None:
        super().__init__(str(cause) if isinstance(cause, TransportFailed) else f"Billy answered {cause.status}")
        self.cause = cause
        self.after = after

    @property
    def limited(self) -> bool:
        """Whether it was Billy's rate limit."""
        return isinstance(self.cause, Answer) and self.cause.status == 429


def is_unclear(answer: Answer) -> bool:
    """Whether an answer leaves open what happened: server errors, and success that cannot be read."""
    return answer.status >= 500 or answer.status == 408 or (200 <= answer.status < 300 and answer.body is None)


def retry_after_seconds(answer: Answer, now: datetime | None = None) -> float | None:
    """`Retry-After` in seconds, given as a number or as a date; None when absent or unreadable."""
    text = (answer.retry_after or "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        until = _moment(text)
        if until is None:
            return None
        # Billy's own clock where it tells: ours may be off by more than the wait.
        seconds = (until - (_moment(answer.date) or now or datetime.now(UTC))).total_seconds()
    return None if math.isnan(seconds) else min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def limit_wait(answer: Answer, refusals: int) -> float:
    """Seconds to keep still after a 429: what Billy asks for, else longer each time the same request is refused."""
    asked = retry_after_seconds(answer)
    return min(LONGEST_PAUSE, FIRST_LIMIT_WAIT * 2 ** min(refusals - 1, 10)) if asked is None else asked


def _moment(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def check(verb: Verb, answer: Answer) -> Answer:
    """Pass on an answer that is final, raise `Again` for one the table sends again."""
    if answer.status == 429:
        raise Again(answer, retry_after_seconds(answer))
    if is_unclear(answer) and (verb is Verb.READ or (verb is Verb.OVERWRITE and answer.status >= 400)):
        raise Again(answer, retry_after_seconds(answer))
    return answer


def may_repeat(verb: Verb, failure: TransportFailed) -> bool:
    """Whether a request that got no answer may be sent again as it is."""
    return not failure.reached or verb is not Verb.CREATE


async def with_retries(attempt: Callable[[], Awaitable[Answer]]) -> Answer:
    """Run attempts until one is final.

    Raises:
        Again: the last attempt's, when the patience is used up.
    """
    try:
        return await attempt()
    except Again as error:
        failed = [error]

    async def further() -> Answer:
        # Tenacity is told of the first failure only: its own way costs a tenth of a request, and nearly all need one.
        if failed:
            raise failed.pop()
        return await attempt()

    patience = _Patience()
    retrying = tenacity.AsyncRetrying(
        sleep=_pause,
        retry=tenacity.retry_if_exception(patience.note),
        wait=patience.pause,
        stop=patience.is_over,
        reraise=True,
    )
    return await retrying(further)


async def _pause(seconds: float) -> None:
    with here().wait():
        await asyncio.sleep(seconds)


class _Patience:
    """How long one request is tried. Begins with its first failure: waiting for a permit is not Billy's fault."""

    def __init__(self) -> None:
        self._failures = 0
        self._failing_since = 0.0
        self._limited_since: float | None = None
        self._last: Again | None = None

    def note(self, error: BaseException) -> bool:
        """Whether the table allows to repeat what just failed; counts it if so."""
        self._last = error if isinstance(error, Again) else None
        if self._last is None:
            return False
        now = time.monotonic()
        if self._last.limited:
            self._limited_since = self._limited_since or now
        else:
            self._failures += 1
            self._failing_since = self._failing_since or now
        return True

    def pause(self, state: tenacity.RetryCallState) -> float:
        """Seconds before the next attempt."""
        if self._last is None or self._last.limited:
            return 0.0  # the shared rate row already holds everybody back for that long
        backoff: float = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._failures - 1)) * (0.5 + random.random())
        return max(backoff, self._last.after or 0.0)

    def is_over(self, state: tenacity.RetryCallState) -> bool:
        """Whether that was the last attempt."""
        now = time.monotonic()
        if self._last is not None and self._last.limited:
            return now - (self._limited_since or now) >= LIMIT_TOTAL_SECONDS
        return self._failures >= ATTEMPTS or now - self._failing_since >= TOTAL_SECONDS

"""The one place that sends a request again, and the table of when.

| what happened                         | reads (GET)    | PUT                        | creates (POST)             |
|---------------------------------------|----------------|----------------------------|----------------------------|
| no connection (refused, DNS)          | again          | again                      | again                      |
| 429                                   | wait, again    | wait, again                | wait, again                |
| 500, 502, 503, 504, other 5xx, 408    | again          | again, then outcome unknown| outcome unknown, at once   |
| time-out, reset after sending         | again          | again, then outcome unknown| outcome unknown, at once   |
| 2xx with an unreadable body           | again          | outcome unknown            | outcome unknown, at once   |
| any other answer                      | final          | final                      | final                      |

Reasons: repeating a POST makes a second record (billy-api.md section 5, observed); repeating a PUT of plain keys is
harmless; that a 429 saved nothing is unverified but agreed ("before any work"). Capped twice: attempts and total time.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum

import tenacity

from billy_pipelines.billy.transport import Answer, TransportFailed

ATTEMPTS = 5
TOTAL_SECONDS = 60.0
LIMIT_TOTAL_SECONDS = 900.0
LONGEST_RETRY_AFTER = 600.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 15.0


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
        return min(max(float(text), 0.0), LONGEST_RETRY_AFTER)
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(text)
        # Billy's own clock where it tells: ours may be off by more than the wait.
        present = parsedate_to_datetime(answer.date) if answer.date else (now or datetime.now(UTC))
        return min(max((until - present).total_seconds(), 0.0), LONGEST_RETRY_AFTER)
    except (TypeError, ValueError):
        return None


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
    retrying = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type(Again), wait=_pause, stop=_enough, reraise=True
    )
    return await retrying(attempt)


def _failure(state: tenacity.RetryCallState) -> Again | None:
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, Again) else None


def _pause(state: tenacity.RetryCallState) -> float:
    failure = _failure(state)
    if failure is not None and failure.limited:
        return 0.0  # the shared rate row already holds everybody back for that long
    backoff: float = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (state.attempt_number - 1)) * (0.5 + random.random())
    asked = failure.after or 0.0 if failure is not None else 0.0
    return max(backoff, asked)


def _enough(state: tenacity.RetryCallState) -> bool:
    failure = _failure(state)
    elapsed = state.seconds_since_start or 0.0
    if failure is not None and failure.limited:
        return elapsed >= LIMIT_TOTAL_SECONDS  # a 429 is an answer: Billy is alive and asks for patience
    return state.attempt_number >= ATTEMPTS or elapsed >= TOTAL_SECONDS

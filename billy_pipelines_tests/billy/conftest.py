"""No pauses between attempts, and small servers that imitate what the sandbox does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from billy_pipelines.billy import retries

from .imitation import Imitation, Reply, Seen


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.0)


@pytest.fixture
def imitate() -> Iterator[Callable[[Callable[[Seen], Reply]], Imitation]]:
    """Start a server that answers every request with what a function says."""
    with ExitStack() as stack:
        yield lambda answer: stack.enter_context(Imitation(answer))

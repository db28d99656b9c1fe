"""Short pauses, as the engine's own times are short here (`jobs.QUICK`)."""

from __future__ import annotations

import pytest

from billy_pipelines.billy import retries


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the pause after a failure, which is 0.5 s at first and doubles."""
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.05)

"""The engine's waiting times, in seconds, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Times in seconds. Tests shorten them all, in the same order."""

    answer: float = 30.0
    """How long Billy may take for one answer; 0.2 to 0.4 s were observed."""
    drain: float = 8.0
    """After a stop: how long what is in flight may still answer (runtime.md R3)."""
    fresh: float = 60.0
    """How old a reading may be when its record is overwritten (R7)."""
    breaker: float = 60.0
    """Nothing but failures for that long ends the job, resumable."""
    settle_after_break: float = 5.0
    """After a reset or a 5xx: when to look in Billy. An answer took 0.4 s at most; what goes on behind a broken
    connection may take longer."""
    settle_after_timeout: float = 15.0
    """After a time-out, or when the process died, Billy may still be at work; looking too early would miss the record,
    and sending it again would double it."""

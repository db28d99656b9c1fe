"""What keeps `billy up` from running; the text is for the person who reads it."""

from __future__ import annotations


class HostError(Exception):
    """Something on this machine is in the way; the text says what, and what to do."""


class AlreadyRunning(HostError):
    """Another `billy up` serves this data folder; the text names its address."""

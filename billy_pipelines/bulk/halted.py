"""The error that ends a job short of its end: a code for programs, a sentence for people, and whether it can go on."""

from __future__ import annotations


class Halted(Exception):
    """The job cannot go on. `code` is stable; the text says what to do. `resumable`: then the same job can go on."""

    def __init__(self, code: str, message: str, *, resumable: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.resumable = resumable

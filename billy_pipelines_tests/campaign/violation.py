"""What the checker finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """Something that is not as promised. `kind` is for counting, `text` for understanding."""

    kind: str
    text: str

"""What came of a history."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from billy_pipelines_tests.campaign.evidence import Evidence
from billy_pipelines_tests.campaign.shapes import History
from billy_pipelines_tests.campaign.violation import Violation


@dataclass
class Played:
    """What came of a history."""

    history: History
    violations: list[Violation] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)
    """What was done to the processes and to Billy, as far as it came to pass."""
    faults: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    changes: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    undone: Counter[str] = field(default_factory=Counter)
    """The verdicts of undos' rows."""
    seconds: float = 0.0
    evidence: Evidence | None = None

"""`make benchmarks`, or `python -m benchmarks NAME …`: what was measured against what was promised.

Speed is measured here and never tested: machines are shared and noisy. Numbers that are no ratios say so by their unit.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import drops, engine, exports, files, freshness, planning, undo


@dataclass(frozen=True)
class Figure:
    """One measured number beside what it should at most, or at least, be."""

    what: str
    measured: float
    unit: str
    promised: str
    kept: bool


Benchmark = Callable[[Path], Iterator[tuple[str, float, str, str, bool]]]
BENCHMARKS: dict[str, Benchmark] = {
    "files": files.measure,
    "planning": planning.measure,
    "engine": engine.measure,
    "drops": drops.measure,
    "exports": exports.measure,
    "undo": undo.measure,
    "freshness": freshness.measure,
}


def main(names: list[str]) -> int:
    """Run the benchmarks named, or all; 1 when a promise was not kept."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    table = Table("benchmark", "what", "measured", "promised", "")
    broken = 0
    for name in names or BENCHMARKS:
        with tempfile.TemporaryDirectory(prefix="billy-benchmark-") as folder:
            for found in BENCHMARKS[name](Path(folder)):
                figure = Figure(*found)
                broken += not figure.kept
                number = f"{figure.measured:.2f} {figure.unit}".strip()
                table.add_row(name, figure.what, number, figure.promised, "kept" if figure.kept else "NOT KEPT")
    Console(width=140).print(table)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

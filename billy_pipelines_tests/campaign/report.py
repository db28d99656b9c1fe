"""What a campaign did and found: lines while it runs, the page docs/campaign.md at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from billy_pipelines_tests.campaign.played import Played

Result = dict[str, Any]
"""One history as JSON: `seed`, `rows`, `requests`, …, `violations`."""
COUNTED = ("happened", "faults", "verdicts", "undone")
FAULTS = {
    "5xx-before": "500, 502, 503 or 504 before the commit, JSON or HTML",
    "5xx-after": "500, 502, 503 or 504 after the commit, JSON or HTML",
    "reset-before": "connection reset before the commit",
    "reset-after": "connection reset after the commit",
    "reset-mid": "connection reset within the answer's body, after the commit",
    "timeout-after": "no answer, after the commit",
    "bad-json-before": "200 with a body that is no JSON, nothing stored",
    "bad-json-after": "200 with a body that is no JSON, stored",
    "422": "one record refused whatever it says",
    "429": "too many requests, Retry-After in seconds, as a date, zero or absent",
    "401": "token refused in mid-job, given back later",
}


def as_result(played: Played) -> Result:
    """A history's outcome as plain values."""
    return {
        "seed": played.history.seed,
        "files": len(played.history.files),
        "rows": played.history.rows,
        "requests": played.requests,
        "changes": played.changes,
        "seconds": round(played.seconds, 2),
        **{name: dict(getattr(played, name)) for name in COUNTED},
        "violations": [asdict(violation) for violation in played.violations],
    }


def line(result: Result) -> str:
    """One history on one line."""
    happened = ", ".join(f"{number} x {what}" for what, number in sorted(result["happened"].items()) if number)
    bad = len(result["violations"])
    end = f"{bad} VIOLATIONS" if bad else "ok"
    undone = ", ".join(f"{number} {verdict}" for verdict, number in sorted(result["undone"].items()) if number)
    return (
        f"seed {result['seed']:>5}  {result['rows']:>4} rows {result['requests']:>5} requests "
        f"{result['seconds']:>6.1f} s  {end}  {happened}{f'; undo: {undone}' if undone else ''}"
    )


def totals(results: Iterable[Result]) -> dict[str, Counter[str]]:
    """Everything counted, over all histories."""
    summed: dict[str, Counter[str]] = {name: Counter() for name in (*COUNTED, "sizes", "violations")}
    for result in results:
        for name in COUNTED:
            summed[name].update(result[name])
        summed["sizes"].update({name: result[name] for name in ("files", "rows", "requests", "changes")})
        summed["violations"].update(violation["kind"] for violation in result["violations"])
    return summed


def page(results: Sequence[Result], seeds: str, seconds: float) -> str:
    """docs/campaign.md."""
    found = totals(results)
    day = datetime.now(ZoneInfo("Europe/Copenhagen")).strftime("%Y-%m-%d %H:%M")
    bad = [result for result in results if result["violations"]]
    sizes = found["sizes"]
    lines = [
        "# The fault campaign: what the last one did and found",
        "",
        f"Written on {day} by `python -m billy_pipelines_tests.campaign --seeds {seeds} --write-docs`.",
        "What a history is, and what is checked, is told in [sync.md](sync.md).",
        "",
        "| | |",
        "|---|---:|",
        f"| histories (seeds {seeds}) | {len(results):,} |",
        f"| files, rows | {sizes['files']:,}, {sizes['rows']:,} |",
        f"| requests that reached Billy, changes it committed | {sizes['requests']:,}, {sizes['changes']:,} |",
        f"| hours of histories, on the clock | {sum(r['seconds'] for r in results) / 3600:.2f}, {seconds / 3600:.2f} |",
        f"| **violations** | **{found['violations'].total() or 'none'}** |",
        "",
        "| fault of Billy's, fired | times |",
        "|---|---:|",
        *(f"| {FAULTS.get(kind, kind)} | {number:,} |" for kind, number in found["faults"].most_common() if number),
        "",
        "| what happened to processes and jobs | times |",
        "|---|---:|",
        *(f"| {what} | {number:,} |" for what, number in found["happened"].most_common() if number),
        "",
        "| how rows ended | rows |",
        "|---|---:|",
        *(f"| {verdict} | {number:,} |" for verdict, number in found["verdicts"].most_common() if number),
        "",
        "| how rows of undos ended | rows |",
        "|---|---:|",
        *(f"| {verdict} | {number:,} |" for verdict, number in found["undone"].most_common() if number),
    ]
    if bad:
        lines += ["", "| violation | times | seeds |", "|---|---:|---|"]
        for kind, number in found["violations"].most_common():
            seeds_of = [str(r["seed"]) for r in bad if any(v["kind"] == kind for v in r["violations"])]
            lines.append(f"| {kind} | {number} | {', '.join(seeds_of)} |")
    return "\n".join(lines) + "\n"

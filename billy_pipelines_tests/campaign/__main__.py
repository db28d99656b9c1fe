"""`python -m billy_pipelines_tests.campaign --seeds 0-499 [--workers 2] [--write-docs]`; one seed replays its history.

Ends with 1 when a promise was broken. Each worker is a process with PostgreSQL servers of its own.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Queue

import click

from billy_pipelines_tests.campaign.generate import described, make_history
from billy_pipelines_tests.campaign.play import play
from billy_pipelines_tests.campaign.report import Result, as_result, line, page, totals
from billy_pipelines_tests.campaign.stage import Stage

PAGE = Path(__file__).parents[2] / "docs" / "campaign.md"


def seeds_in(text: str) -> list[int]:
    """`0-499`, `3,17` or any mixture of both."""
    seeds: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        seeds += range(int(first), int(last or first) + 1)
    return seeds


def play_here(seeds: Sequence[int], tell: Callable[[Result], None]) -> None:
    """All histories one after the other in this process."""
    with tempfile.TemporaryDirectory(prefix="billy-campaign-") as folder, Stage(Path(folder)) as stage:
        for seed in seeds:
            tell(as_result(play(make_history(seed), stage)))


def play_apart(seeds: Sequence[int], workers: int, tell: Callable[[Result], None]) -> None:
    """The same, spread over processes that tell each history as a line of JSON."""
    lines: Queue[str | None] = Queue()

    def listen(process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for text in process.stdout:
            lines.put(text)
        lines.put(None)

    command = [sys.executable, "-m", "billy_pipelines_tests.campaign", "--json", "--seeds"]
    started = [
        subprocess.Popen([*command, ",".join(map(str, share))], stdout=subprocess.PIPE, text=True)
        for share in (seeds[start::workers] for start in range(workers))
        if share
    ]
    try:
        for process in started:
            threading.Thread(target=listen, args=(process,), daemon=True).start()
        ended = 0
        while ended < len(started):
            text = lines.get()
            if text is None:
                ended += 1
            else:
                tell(json.loads(text))
    finally:
        for process in started:
            process.terminate()  # those that are through have ended already
            process.wait()


@click.command(help=__doc__)
@click.option("--seeds", default="0-499", show_default=True, help="Such as 0-499 or 3,17.")
@click.option("--workers", default=1, type=click.IntRange(1, 32), show_default=True)
@click.option("--write-docs", is_flag=True, help="Write docs/campaign.md from what was played now.")
@click.option("--describe", is_flag=True, help="Only tell what the histories are.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document a history, a line each.")
def main(seeds: str, workers: int, write_docs: bool, describe: bool, as_json: bool) -> None:
    # As an exception, so that PostgreSQL servers and workers are ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    wanted, results, began = seeds_in(seeds), [], time.monotonic()
    if describe:
        for seed in wanted:
            click.echo(described(make_history(seed)))
        return

    def tell(result: Result) -> None:
        results.append(result)
        click.echo(json.dumps(result) if as_json else line(result))
        sys.stdout.flush()
        if result["violations"] and not as_json:
            click.echo(described(make_history(result["seed"])))
            for violation in result["violations"]:
                click.echo(f"  {violation['kind']}: {violation['text']}")

    play_apart(wanted, workers, tell) if workers > 1 else play_here(wanted, tell)
    results.sort(key=lambda result: wanted.index(result["seed"]))
    if write_docs:
        PAGE.write_text(page(results, seeds, time.monotonic() - began), encoding="utf-8")
    if as_json:
        return
    found = totals(results)
    bad = [result["seed"] for result in results if result["violations"]]
    click.echo(
        f"{len(results)} histories, {found['sizes']['rows']:,} rows, {found['sizes']['requests']:,} requests, "
        f"{found['faults'].total():,} faults, {found['happened']['kill -9']:,} kills of processes: "
        + (f"{found['violations'].total()} violations in seeds {bad}" if bad else "no violation")
    )
    sys.exit(1 if bad or len(results) < len(wanted) else 0)


if __name__ == "__main__":
    main()

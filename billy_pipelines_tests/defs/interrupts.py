"""A process that imports file after file and is interrupted in the middle of each, by signals, while it is busy.

Started by `test_interrupts.py` as `python -m billy_pipelines_tests.defs.interrupts FOLDER TIMES`, with the settings in
the environment. Prints one JSON list: per job its id, which signal it got when, and how it ended.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from billy_pipelines.bulk import lifecycle
from billy_pipelines.bulk.context import load_job
from billy_pipelines.bulk.execution import Execution, Stopped
from billy_pipelines.bulk.progress import Progress
from billy_pipelines.bulk.reading import check_job_rows, read_job_upload
from billy_pipelines.database.connection import open_database
from billy_pipelines.database.locks import Lease
from billy_pipelines.defs.stopping import StopSwitch, run_stoppable
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.jobs import QUICK, customers_csv, numbered, take_in

ROWS = 60
LATEST_SECONDS = 0.5


def main(folder: Path, times: int) -> None:
    """Import `times` files of customers that no other has."""
    settings = Settings.from_environment()
    engine = open_database(settings).engine
    too_late: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda got, _frame: too_late.append(got))
    busy = threading.Event()
    threading.Thread(target=_spin, args=(busy,), daemon=True).start()
    moments = random.Random(4711)
    ends: list[dict[str, Any]] = []
    for turn in range(times):
        file = customers_csv(folder / f"{turn}.csv", numbered(ROWS, start=turn * ROWS))
        job_id = take_in(settings, engine, file).job.job_id
        number = moments.choice((signal.SIGINT, signal.SIGTERM))
        seconds = moments.uniform(0, LATEST_SECONDS)
        before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
        with Lease(engine, job_id) as lease:
            assert lease.take_job()
            job = lifecycle.begin(load_job(settings, engine, job_id), "interrupts")
            check_job_rows(job, read_job_upload(job))
            execution = Execution(load_job(settings, engine, job_id), lease, Progress(total=ROWS), QUICK)
            switch = StopSwitch()
            interrupt = threading.Timer(seconds, os.kill, (os.getpid(), number))
            busy.set()
            interrupt.start()
            try:
                run_stoppable(switch, execution.plan)
                run_stoppable(switch, execution.sync)
                how = "completed"
            except Stopped:
                how = "stopped"
            interrupt.join()
            busy.clear()
            job = load_job(settings, engine, job_id)
            lifecycle.end_completed(job) if how == "completed" else lifecycle.end_cancelled(job)
        ends.append(
            {
                "job_id": job_id,
                "signal": number.name,
                "after": round(seconds, 3),
                "how": how,
                "asked": switch.is_set or bool(too_late),
                "handlers_back": before == {each: signal.getsignal(each) for each in before},
            }
        )
        too_late.clear()
    print(json.dumps(ends))


def _spin(busy: threading.Event) -> None:
    """Keep the interpreter busy, as parsing and checking do: the loop gets only every other slice of time."""
    while busy.wait():
        sum(range(5_000))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

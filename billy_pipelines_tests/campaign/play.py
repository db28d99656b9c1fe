"""Plays a history: starts the processes of each turn, lets happen what is to happen, and looks after every turn whether
the accounts hold. At the end the faults are off and every job is taken to its end.
"""

from __future__ import annotations

import csv
import shutil
import signal
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, text

from billy_pipelines.bulk.applying import NotApplicable, apply_plan
from billy_pipelines.bulk.context import load_job
from billy_pipelines.bulk.lifecycle import end_interrupted, in_progress
from billy_pipelines.bulk.verdicts import IN_DOUBT, State
from billy_pipelines.database.engine import open_engine
from billy_pipelines.database.jobs import JobRow, get_job, list_jobs
from billy_pipelines.database.locks import job_is_alive
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.campaign.check import check
from billy_pipelines_tests.campaign.crew import LONGEST_TURN, Crew, Member
from billy_pipelines_tests.campaign.ending import drop_once_more, take_to_the_end
from billy_pipelines_tests.campaign.evidence import KEPT_BOOKS, Asked, Evidence, Silence, gather
from billy_pipelines_tests.campaign.happenings import Happenings
from billy_pipelines_tests.campaign.played import Played
from billy_pipelines_tests.campaign.process import DATABASE, Drop, Task
from billy_pipelines_tests.campaign.shapes import Event, File, History, Turn, Values
from billy_pipelines_tests.campaign.stage import Server, Stage
from billy_pipelines_tests.campaign.undo_played import take_back
from billy_pipelines_tests.campaign.violation import Violation
from billy_pipelines_tests.support import wait_until

LATE = timedelta(seconds=0.3)
"""What left before a job was recorded as cancelled may reach the log of a busy sandbox a little later."""
PROMISED_STOP = timedelta(seconds=10)


def play(history: History, stage: Stage) -> Played:
    """A history from beginning to end."""
    folder = stage.folder / f"history-{history.seed}"
    server = stage.server(may_be_killed=history.kills_postgres)
    began = time.monotonic()
    # What happens to Billy's books is told by its own seeded generator.
    with SandboxServer(seed=history.seed) as sandbox, server.database() as url:
        settings = Settings(
            data_dir=folder / "data",
            api_url=sandbox.url,
            database_url=url,
            requests_per_second=500.0,
            environ={"BILLY_ACCESS_TOKEN": sandbox.token},
        )
        engine = open_engine(url)
        player = Player(history, stage, server, sandbox, settings, engine)
        try:
            player.play()
        except Exception:  # the history has failed, the campaign goes on
            player.played.violations.append(Violation("campaign", f"the history broke off:\n{traceback.format_exc()}"))
        finally:
            engine.dispose()
    played = player.played
    played.happened = player.around.happened
    played.seconds = time.monotonic() - began
    shutil.rmtree(folder, ignore_errors=True)
    return played


class Player:
    def __init__(
        self,
        history: History,
        stage: Stage,
        server: Server,
        sandbox: SandboxServer,
        settings: Settings,
        engine: Engine,
    ) -> None:
        self.history, self.stage, self.server = history, stage, server
        self.billy, self.settings, self.engine = sandbox.sandbox, settings, engine
        self.played = Played(history)
        self.silences: list[Silence] = []
        self.asked: Asked | None = None
        """The undo, once it has begun."""
        self.opening: dict[str, Values] = {}
        self.cancelled_at: datetime | None = None
        self.folder = settings.data_dir.parent / "files"
        self.around = Happenings(history, self.billy, server, engine)
        self.crew = Crew(stage.processes, self.billy, self.around, self.folder)

    # -- the whole -------------------------------------------------------------------------------------------------

    def play(self) -> None:
        self._open_books()
        for turn in self.history.turns:
            self._turn(turn)
            self.look()
        undo = self.history.undo
        if undo is not None and undo.early:
            take_back(self, undo)
        self.around.calm()
        for number in range(len(self.history.files)):
            take_to_the_end(self, number)
        drop_once_more(self)
        self.note_silence()
        self.played.evidence = self.look(final=True)
        if undo is not None and not undo.early:
            take_back(self, undo)
            self.played.evidence = self.look(final=True)
        self._count()

    def _open_books(self) -> None:
        self.around.begin()
        self.opening = {str(r["id"]): dict(r) for plural in KEPT_BOOKS for r in self.billy.records(plural)}
        self.folder.mkdir(parents=True)
        for file in self.history.files:
            _write(self.folder / file.name, file)

    def look(self, *, final: bool = False) -> Evidence:
        """Compare everything on record; a violation is told once, however often it is seen."""
        evidence = gather(
            self.history,
            self.settings,
            self.engine,
            self.billy,
            silences=self.silences,
            final=final,
            opening=self.opening,
            added=self.around.added,
            asked=self.asked,
        )
        if not final:
            undos = evidence.undo.jobs if evidence.undo else ()
            items = [*(i for job in evidence.jobs for i in job.items), *(i for undo in undos for i in undo.items)]
            self.around.happened["row left in doubt"] += sum(item.status in IN_DOUBT for item in items)
        known = {(violation.kind, violation.text) for violation in self.played.violations}
        self.played.violations += [v for v in check(evidence) if (v.kind, v.text) not in known]
        return evidence

    def _count(self) -> None:
        played, evidence = self.played, self.played.evidence
        played.requests, played.changes = len(self.billy.requests), len(self.billy.ledger)
        played.faults.update(self.billy.faults_fired)
        answers = self.billy.requests.by_status()
        played.faults["429"] += answers.get("429", 0)
        played.faults["401"] += answers.get("401", 0)
        for job in evidence.jobs if evidence else ():
            played.verdicts.update({k: n for k, n in job.row.counts.items() if k != "total"})
        for undo in evidence.undo.jobs if evidence and evidence.undo else ():
            played.undone.update({k: n for k, n in undo.row.counts.items() if k != "total"})

    # -- a turn ----------------------------------------------------------------------------------------------------

    def _turn(self, turn: Turn) -> None:
        self.turn(turn, [(number, self._task(turn, number)) for number in turn.files])

    def turn(self, turn: Turn, tasks: list[tuple[int, Task]]) -> list[Member]:
        """Let the tasks be worked on while the turn's events happen."""
        if turn.how == "twice":
            tasks *= 2
        self.server.bring_back()
        self.full_speed()
        self.note_silence()
        for event in turn.events:
            if event.edit is not None and event.moment.number == 0:
                self.around.edit(event.edit)
        members = self.run(tasks, [event for event in turn.events if event.edit is None or event.moment.number > 0])
        self.server.bring_back()
        wait_until(self.nobody_works, 60)
        if turn.swept:
            self.sweep()
        return members

    def _task(self, turn: Turn, number: int) -> Task:
        file, job = self.history.files[number], self.job(number)
        dry = bool(file.options.get("dry_run"))
        if job is None or (turn.how != "retry" and not dry):
            return self.drop(file)
        return self.go_on(job)

    def drop(self, file: File) -> Task:
        drop = Drop(self.folder / file.name, file.resource, file.operation, dict(file.options))
        return Task(self.settings, drop)

    def go_on(self, job: JobRow) -> Task:
        if job.status == State.PLANNED and job.completed_at is not None:
            with suppress(NotApplicable):
                apply_plan(self.engine, job.job_id, confirm_count=job.total_items, launch=False)
                self.around.happened["plan applied"] += 1
        return Task(self.settings, job_id=job.job_id)

    def full_speed(self) -> None:
        """The rate begins at 2/s and recovers slowly on purpose; histories are about other things."""
        with self.engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO billy.billy_organizations (name, rate, rate_changed_at) VALUES ('default', 500, now())"
                    " ON CONFLICT (name) DO UPDATE SET rate = 500, rate_threshold = NULL, rate_changed_at = now(),"
                    " next_permit_at = NULL"
                )
            )

    def run(self, tasks: Sequence[tuple[int, Task]], events: Sequence[Event]) -> list[Member]:
        """Let processes work, and hear what they said at their end and from when on it has to be silent."""
        members = self.crew.run(tasks, events)
        postgres_died = any(event.kind == "postgres" for event in events)
        for each in members:
            told = each.told
            if each.hung:
                self.violation("hangs", f"a process of file {each.file} was there for {LONGEST_TURN:g} s:\n{each.hung}")
            elif each.exitcode == -signal.SIGKILL:
                self.around.happened["kill -9"] += 1
            elif told is None:
                self.violation("crash", f"a process of file {each.file} ended with {each.exitcode} and said nothing")
            elif told.error or (told.gave_up == DATABASE and not postgres_died):
                self.violation("crash", f"a process of file {each.file} failed ({told.gave_up}):\n{told.error}")
            if told is not None and told.reception:
                self.around.happened[f"{'undo' if each.is_undo else 'file'} {told.reception}"] += 1
            if told is not None and told.refused:
                self.around.happened[f"undo refused: {told.refused}"] += 1
            if told is not None and told.gave_up:
                self.around.happened[f"process gave up: {told.gave_up}"] += 1
            if each.stopped_at and each.ended_at and len(members) == 1:
                late = Silence(each.stopped_at + PROMISED_STOP, each.ended_at, "10 s after it was told to stop")
                self.silences += [late] if late.since < late.until else []
        if len(members) == 1 and members[0].told and members[0].told.status == State.CANCELLED:
            self.around.happened["cancelled"] += 1
            job = get_job(self.engine, members[0].told.job_id)
            self.cancelled_at = job.completed_at if job else None
        return members

    def violation(self, kind: str, text: str) -> None:
        self.played.violations.append(Violation(kind, text))

    def note_silence(self) -> None:
        """A turn begins, or all is over: until now it had to be silent since the last cancellation."""
        if self.cancelled_at is not None:
            self.silences.append(Silence(self.cancelled_at + LATE, datetime.now(UTC), "after it was cancelled"))
            self.cancelled_at = None

    def sweep(self) -> None:
        """As `runs.sweep` (R5): jobs that nobody works on any more are interrupted."""
        for row in list_jobs(self.engine, limit=100):
            if in_progress(row):
                end_interrupted(load_job(self.settings, self.engine, row.job_id))

    def nobody_works(self) -> bool:
        """Whether PostgreSQL has noticed that the processes are gone, and Billy has nothing of theirs in hand."""
        with self.engine.connect() as connection:
            return not any(job_is_alive(connection, row.job_id) for row in list_jobs(connection, limit=100))

    def job(self, number: int) -> JobRow | None:
        name = self.history.files[number].name
        return next((row for row in list_jobs(self.engine, limit=100) if row.upload_name == name), None)


def _write(path: Path, file: File) -> None:
    columns = list(dict.fromkeys(name for row in file.rows for name in row.cells))
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, columns, delimiter=";", restval="")
        writer.writeheader()
        writer.writerows(row.cells for row in file.rows)

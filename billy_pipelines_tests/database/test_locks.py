"""The lease: one process a job, one writer a family of records, and what a broken connection may take up again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from sqlalchemy import Engine, text

from billy_pipelines.database.engine import migrate, open_engine
from billy_pipelines.database.locks import Lease, LeaseLost, job_is_alive, lock_key

from ..support import wait_until

MakeLease = Callable[[str], Lease]


@pytest.fixture
def lease_of(engine: Engine) -> Iterator[MakeLease]:
    """A lease on a job, not taken yet; released at the end of the test."""
    with ExitStack() as stack:
        yield lambda job_id: stack.enter_context(Lease(engine, job_id))


@pytest.fixture
def held(lease_of: MakeLease) -> Lease:
    """A lease that holds job `a` and the right to write contacts."""
    lease = lease_of("a")
    assert lease.take_job()
    assert lease.take_writer("default", "contacts") is None
    return lease


def alive(engine: Engine, job_id: str) -> bool:
    with engine.connect() as connection:
        return job_is_alive(connection, job_id)


def locks(engine: Engine) -> int:
    """How many advisory locks there are in this database."""
    query = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with engine.connect() as connection:
        return int(connection.execute(text(query)).scalar_one())


def cut_connections(engine: Engine) -> None:
    """End the sessions of all who hold locks here, and wait until they have gone."""
    query = (
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with engine.connect() as connection:
        assert connection.execute(text(query)).all(), "nobody holds a lock"
    wait_until(lambda: locks(engine) == 0)


def generation(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT generation FROM billy.billy_writers")).scalar_one())


# -- one process a job -------------------------------------------------------------------------------------------------


def test_a_job_has_one_process_at_a_time(lease_of: MakeLease) -> None:
    first, second = lease_of("a"), lease_of("a")
    assert first.take_job()
    assert not second.take_job()
    assert not second.take_job()
    assert lease_of("b").take_job(), "another job is free"
    first.release()
    wait_until(second.take_job)


def test_a_job_is_alive_as_long_as_its_lease_is_held(engine: Engine, lease_of: MakeLease) -> None:
    lease = lease_of("a")
    assert not alive(engine, "a")
    assert lease.take_job()
    assert alive(engine, "a") and not alive(engine, "b")
    lease.release()
    wait_until(lambda: not alive(engine, "a"))


def test_looking_whether_a_job_is_alive_takes_nothing(engine: Engine, lease_of: MakeLease) -> None:
    with engine.begin() as connection:
        assert not job_is_alive(connection, "a")
        assert locks(engine) == 0
        assert lease_of("a").take_job()


def test_jobs_are_told_apart_whatever_their_number(engine: Engine, lease_of: MakeLease) -> None:
    names = [f"2026-02-03-default-customers-import-{n:08x}" for n in range(12)]
    keys = [lock_key("job", name) for name in names]
    assert min(keys) < 0 < max(keys), "both signs of the key should be tried"
    for name in names[::2]:
        assert lease_of(name).take_job()
    assert [alive(engine, name) for name in names] == [True, False] * 6


def test_a_job_of_that_name_in_another_database_is_another_job(
    engine: Engine, empty_database_url: str, lease_of: MakeLease
) -> None:
    assert lease_of("a").take_job()
    elsewhere = open_engine(empty_database_url)
    migrate(elsewhere)
    assert not alive(elsewhere, "a")
    with Lease(elsewhere, "a") as lease:
        assert lease.take_job()
    elsewhere.dispose()


def test_a_killed_process_holds_nothing(engine: Engine, database_url: str, lease_of: MakeLease) -> None:
    code = (
        "import sys; from billy_pipelines.database import engine, locks;"
        "lease = locks.Lease(engine.open_engine(sys.argv[1]), 'a');"
        "print(lease.take_job(), lease.take_writer('default', 'contacts'), flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, database_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True None\n"
        lease = lease_of("a")
        assert alive(engine, "a") and not lease.take_job()
        process.kill()
    wait_until(lease.take_job)
    assert lease.take_writer("default", "contacts") is None


def test_who_goes_on_with_another_job_is_alive_under_both_names(
    engine: Engine, held: Lease, lease_of: MakeLease
) -> None:
    assert held.go_on_with("b")
    assert alive(engine, "a") and alive(engine, "b")
    assert not lease_of("a").take_job() and not lease_of("b").take_job()
    other = lease_of("c")
    assert other.take_job()
    assert other.take_writer("default", "contacts") is None, "the right to write was given back: its order begins anew"
    assert held.take_writer("default", "contacts") == "c"
    assert held.take_writer("default", "products") is None
    held.check()
    waiting = lease_of("d")
    assert waiting.take_job()
    assert waiting.take_writer("default", "products") == "b", "the job it works on now"
    held.release()
    wait_until(lambda: not alive(engine, "a") and not alive(engine, "b"))


def test_a_further_job_that_has_a_process_is_left_to_it(engine: Engine, held: Lease, lease_of: MakeLease) -> None:
    assert lease_of("b").take_job()
    assert not held.go_on_with("b")
    assert alive(engine, "a"), "it has lost nothing by asking"


def test_after_a_break_all_jobs_are_taken_again_or_none(engine: Engine, held: Lease, lease_of: MakeLease) -> None:
    assert held.go_on_with("b")
    cut_connections(engine)
    wait_until(held.take_again)
    assert alive(engine, "a") and alive(engine, "b")
    cut_connections(engine)
    thief = lease_of("b")
    assert thief.take_job()
    with pytest.raises(LeaseLost):
        wait_until(held.take_again)
    held.release()
    wait_until(lambda: not alive(engine, "a"))


# -- one writer --------------------------------------------------------------------------------------------------------


def test_who_waits_to_write_is_told_for_whom(held: Lease, lease_of: MakeLease) -> None:
    waiting = lease_of("b")
    assert waiting.take_job()
    assert waiting.take_writer("default", "contacts") == "a"
    assert held.writes and not waiting.writes
    assert waiting.take_writer("default", "products") is None
    held.release()
    assert not held.writes


def test_families_and_organizations_are_written_side_by_side(held: Lease, lease_of: MakeLease) -> None:
    for job_id, organization, family in (("b", "default", "products"), ("c", "another", "contacts")):
        lease = lease_of(job_id)
        assert lease.take_job()
        assert lease.take_writer(organization, family) is None


def test_the_right_to_write_goes_on_to_the_next_and_is_counted(
    engine: Engine, held: Lease, lease_of: MakeLease
) -> None:
    assert generation(engine) == 1
    assert held.take_writer("default", "contacts") is None
    assert generation(engine) == 1, "it was held already"
    held.release()
    following = lease_of("b")
    assert following.take_job()
    wait_until(lambda: following.take_writer("default", "contacts") is None)
    assert generation(engine) == 2
    third = lease_of("c")
    third.take_job()
    assert third.take_writer("default", "contacts") == "b"


def test_without_the_job_there_is_no_right_to_write(lease_of: MakeLease) -> None:
    with pytest.raises(LeaseLost, match="no connection"):
        lease_of("a").take_writer("default", "contacts")


def test_everything_is_given_back_however_the_work_ends(engine: Engine) -> None:
    with pytest.raises(KeyboardInterrupt), Lease(engine, "a") as lease:
        lease.take_job()
        lease.take_writer("default", "contacts")
        assert locks(engine) == 2
        raise KeyboardInterrupt
    wait_until(lambda: locks(engine) == 0)
    lease.release()


# -- a broken connection -----------------------------------------------------------------------------------------------


def test_a_broken_connection_is_noticed_and_stays_noticed(engine: Engine, held: Lease) -> None:
    held.check()
    cut_connections(engine)
    for _ in range(2):
        with pytest.raises(LeaseLost, match="connection to PostgreSQL broke"):
            held.check()
    held.release()
    with pytest.raises(LeaseLost):
        held.check()


def test_after_a_break_the_same_locks_are_taken_again(engine: Engine, held: Lease, lease_of: MakeLease) -> None:
    cut_connections(engine)
    assert not alive(engine, "a")
    assert held.take_again()
    held.check()
    assert alive(engine, "a") and locks(engine) == 2
    other = lease_of("b")
    assert other.take_job()
    assert other.take_writer("default", "contacts") == "a"
    assert not lease_of("a").take_job()


def test_a_lease_without_the_right_to_write_is_taken_again_too(engine: Engine, lease_of: MakeLease) -> None:
    lease = lease_of("a")
    assert lease.take_job()
    cut_connections(engine)
    assert lease.take_again()
    assert alive(engine, "a") and locks(engine) == 1


def test_it_can_break_more_than_once(engine: Engine, held: Lease) -> None:
    for _ in range(3):
        cut_connections(engine)
        assert held.take_again()
    held.check()


def test_who_wrote_in_between_makes_the_plan_worthless(engine: Engine, held: Lease, lease_of: MakeLease) -> None:
    cut_connections(engine)
    other = lease_of("b")
    assert other.take_job()
    assert other.take_writer("default", "contacts") is None
    other.release()
    wait_until(lambda: locks(engine) == 0)
    with pytest.raises(LeaseLost, match="another job wrote to the same records in between"):
        held.take_again()


def test_who_writes_now_keeps_the_right_to(engine: Engine, held: Lease, lease_of: MakeLease) -> None:
    cut_connections(engine)
    other = lease_of("b")
    assert other.take_job()
    assert other.take_writer("default", "contacts") is None
    with pytest.raises(LeaseLost, match="another job has taken the right to write"):
        held.take_again()
    other.check()


def test_a_job_that_was_taken_over_is_not_taken_back(engine: Engine, held: Lease, lease_of: MakeLease) -> None:
    cut_connections(engine)
    successor = lease_of("a")
    assert successor.take_job()
    with pytest.raises(LeaseLost, match="another process has taken this job over"):
        held.take_again()
    successor.check()


def test_our_own_former_session_whose_end_nobody_noticed_is_ended(engine: Engine, held: Lease) -> None:
    unnoticed, held._connection = held._connection, None  # as when the network swallows it: the server sees it open
    assert unnoticed is not None and locks(engine) == 2
    assert not held.take_again(), "its locks are still held"
    wait_until(held.take_again)
    held.check()
    assert locks(engine) == 2
    unnoticed.invalidate()
    unnoticed.close()


def test_as_long_as_the_server_lets_nobody_in_it_is_tried_again(
    engine: Engine, postgres_admin: Engine, held: Lease
) -> None:
    def let_in(allowed: bool) -> None:
        with postgres_admin.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {engine.url.database} ALLOW_CONNECTIONS {allowed}"))

    cut_connections(engine)
    let_in(False)
    assert not held.take_again()
    with pytest.raises(LeaseLost):
        held.check()
    let_in(True)
    assert held.take_again()
    assert alive(engine, "a")


def test_a_lease_can_be_given_back_after_a_break(engine: Engine, held: Lease, lease_of: MakeLease) -> None:
    cut_connections(engine)
    held.release()
    held.release()
    successor = lease_of("a")
    assert successor.take_job()
    assert successor.take_writer("default", "contacts") is None

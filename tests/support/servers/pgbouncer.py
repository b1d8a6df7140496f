"""A real PgBouncer before the Postgres of the tests, in one of its modes.

Tests that use it are skipped if the program is not on the machine (Debian: package `pgbouncer`).
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import pytest

from rollguard.embedded.ports import free_port
from tests.support.servers.postgres import run
from tests.support.servers.proxy import user_and_socket
from tests.support.waiting import until

Mode = Literal["session", "transaction"]

PROGRAM: Final = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextmanager
def pgbouncer(dsn: str, mode: Mode, *lines: str) -> Iterator[str]:
    """Run PgBouncer before the server of ``dsn``, and yield the DSN that goes through it.

    ``lines`` are added to its configuration; all else is as it is by default.
    """
    if PROGRAM is None:
        pytest.skip("pgbouncer is not installed (Debian: apt-get install pgbouncer)")
    user, socket = run(user_and_socket(dsn))
    folder, port = Path(socket).parent, free_port()
    with tempfile.TemporaryDirectory(prefix="rollguard-pgbouncer-") as name:
        Path(name).chmod(0o755)
        users, config, log = (Path(name) / each for each in ("users.txt", "pgbouncer.ini", "log"))
        users.write_text(f'"{user}" ""\n')
        config.write_text(
            "\n".join(
                (
                    "[databases]",
                    f"* = host={folder} port={Path(socket).name.rpartition('.')[2]}",
                    "[pgbouncer]",
                    "listen_addr = 127.0.0.1",
                    f"listen_port = {port}",
                    "unix_socket_dir =",
                    "auth_type = trust",
                    f"auth_file = {users}",
                    f"pool_mode = {mode}",
                    *lines,
                    "",
                )
            )
        )
        with log.open("wb") as output:
            process = subprocess.Popen(
                [PROGRAM, str(config)],
                stdout=output,
                stderr=output,
                # it refuses to run as root; the owner of the socket may use it
                user=Path(socket).stat().st_uid if os.getuid() == 0 else None,
            )
        through = f"postgresql://{user}@127.0.0.1:{port}{urlsplit(dsn).path}"
        try:
            run(_listens(port))
            yield through
        finally:
            process.terminate()
            process.wait(10)


async def _listens(port: int) -> None:
    async def connects() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    await until(connects)

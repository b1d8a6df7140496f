"""The embedded stack: a broker and Postgres from PyPI packages, and workers, in one folder.

It is for trying, developing and testing. Everything is in memory or in the folder. All of it is
gone after the end of the ``async with``, after an exception, after Ctrl-C at any moment, and on
Linux even after kill -9 of this process. Three things ensure that:

* Every child runs in a session of its own. A terminal's Ctrl-C therefore reaches only this
  process, which then stops the children in the right order.
* Every child is started by ``guarded``, which asks the kernel for a signal when this process dies.
* A shell removes the folder (``temporary_folder``) when this process closes its end of a pipe.
"""

import asyncio
import signal
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

from rollguard.embedded.broker import start_broker
from rollguard.embedded.folder import temporary_folder
from rollguard.embedded.postgres import start_postgres
from rollguard.embedded.processes import NOTHING, spawn, stop


class EmbeddedStack:
    """A running broker and Postgres, and workers: ``async with EmbeddedStack() as stack``.

    ``kafka_brokers`` is ``host:port`` on loopback. ``postgres_dsn`` names an empty database
    ``rollguard``, reached by a unix socket in ``folder``. The caller creates the schema and the
    topics. Entering raises Misconfigured if the packages of the extra ``embedded`` are missing, and
    Retryable with the end of the log of a part that does not start; then nothing is left over. Use
    it once, from one task.
    """

    kafka_brokers: str
    postgres_dsn: str
    folder: Path

    def __init__(self) -> None:
        self._exit = AsyncExitStack()
        self._workers: list[asyncio.subprocess.Process] = []

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self.folder = await stack.enter_async_context(temporary_folder())
            self.kafka_brokers = await start_broker(stack, self.folder)
            self.postgres_dsn = await start_postgres(stack, self.folder)
            stack.push_async_callback(self._stop_workers)
            self._exit = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exit.aclose()

    def environment(self) -> dict[str, str]:
        """Return the variables by which any part of Rollguard finds this stack."""
        return {
            "ROLLGUARD_KAFKA_BROKERS": self.kafka_brokers,
            "ROLLGUARD_POSTGRES_DSN": self.postgres_dsn,
            "ROLLGUARD_DATA_DIR": str(self.folder / "data"),
        }

    def log_path(self, role: str) -> Path:
        """Return the file with stdout and stderr of a role, of ``broker`` or of ``postgres``."""
        return self.folder / f"{role}.log"

    async def spawn_worker(
        self, role: str, extra_env: Mapping[str, str] = NOTHING
    ) -> asyncio.subprocess.Process:
        """Start ``rollguard worker ROLE`` against this stack, with the settings in ``extra_env``.

        With ``console`` as the role it is ``rollguard console``.

        Returns at once: the caller has to ask whether the worker is ready. It is stopped together
        with the stack, by SIGTERM, and by SIGKILL if it still runs 10 s later.
        """
        process = await spawn(
            [sys.executable, "-m", "rollguard", *(["worker"] if role != "console" else []), role],
            self.log_path(role),
            env={**self.environment(), **extra_env},
        )
        self._workers.append(process)
        return process

    async def _stop_workers(self) -> None:
        await asyncio.gather(*(stop(worker, signal.SIGTERM) for worker in self._workers))

"""Real workers of a test, or of several tests, and their HTTP endpoints."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

import aiohttp

from rollguard.embedded.ports import free_port
from rollguard.operations.setup import create_missing_topics, migrate_database
from schemas.settings import Settings, load_settings
from tests.support.programs.program import Program
from tests.support.systems.idle_stack import FETCH_WAIT_MS
from tests.support.waiting import until


class Workers:
    """Workers that use the same topics and the same database, and how they are reached."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.running: list[Program] = []
        self.ports = {role: free_port() for role in ("applier", "recorder", "bridge")}
        """The HTTP port of each role's first worker."""
        if settings.web_port is not None:
            self.ports["detector"] = settings.web_port

    @classmethod
    async def prepared(
        cls, brokers: str, dsn: str, prefix: str, folder: Path, fetch_wait_ms: int = FETCH_WAIT_MS
    ) -> Self:
        """Create topics and schema; the workers are still to be started.

        They ask often enough for tests to be quick, and no more often: the embedded broker is busy
        with the fetches of workers that wait.
        """
        port = free_port()
        settings = load_settings(
            kafka_brokers=brokers,
            postgres_dsn=dsn,
            topic_prefix=prefix,
            session_timeout_s=6,
            fetch_wait_ms=fetch_wait_ms,
            web_port=port,
            detector_url=f"http://127.0.0.1:{port}",
            data_dir=folder,
        )
        await migrate_database(settings)
        await create_missing_topics(settings)
        return cls(settings, folder)

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment variables for a worker or for the command line."""
        settings = self.settings
        return {
            **os.environ,
            "ROLLGUARD_KAFKA_BROKERS": ",".join(settings.kafka_brokers),
            "ROLLGUARD_POSTGRES_DSN": settings.postgres_dsn.get_secret_value(),
            "ROLLGUARD_TOPIC_PREFIX": settings.topic_prefix,
            "ROLLGUARD_SESSION_TIMEOUT_S": str(settings.session_timeout_s),
            "ROLLGUARD_FETCH_WAIT_MS": str(settings.fetch_wait_ms),
            "ROLLGUARD_WEB_PORT": str(settings.web_port),
            "ROLLGUARD_DETECTOR_URL": settings.detector_url,
            "ROLLGUARD_DATA_DIR": str(self.folder),
            "ROLLGUARD_LOG_JSON": "true",
            **more,
        }

    async def spawn(self, role: str, module: str = "rollguard", **more: str) -> Program:
        """Start one worker; its output goes to ``ROLE.log``. ``module`` is run as a program."""
        more = {"ROLLGUARD_WEB_PORT": str(self.ports[role]), **more}
        with (self.folder / f"{role}.log").open("ab") as log:
            worker = await Program.start(
                module, "worker", role, stdout=log, stderr=log, env=self.environment(**more)
            )
        self.running.append(worker)
        return worker

    async def spawn_second_detector(self, **more: str) -> Program:
        """Start another detector, with a folder and a port of its own: ``ports["second"]``."""
        folder = self.folder / "second"
        folder.mkdir()
        self.ports["second"] = free_port()
        return await self.spawn(
            "detector",
            ROLLGUARD_WEB_PORT=str(self.ports["second"]),
            ROLLGUARD_DATA_DIR=str(folder),
            **more,
        )

    def log(self, role: str) -> str:
        return (self.folder / f"{role}.log").read_text()

    async def stop_all(self) -> list[int]:
        """Send SIGTERM to all workers, and return their exit codes."""
        for worker in self.running:
            if worker.returncode is None:
                worker.terminate()
        codes = [await asyncio.wait_for(worker.wait(), 120) for worker in self.running]
        self.running.clear()
        return codes

    @asynccontextmanager
    async def run_roles(self, roles: Sequence[str], **more: str) -> AsyncIterator[None]:
        """Run a worker of each role, and stop all workers at the end of the block.

        The block begins when the detector answers, if it is one of them.
        """
        try:
            for role in roles:
                await self.spawn(role, **more)
            if "detector" in roles:
                await self.detector_ready()
            yield
        finally:
            await self.stop_all()

    async def detector_ready(self) -> None:
        """Return when the detector answers health queries."""

        async def answers() -> bool:
            return (await self.health("none"))[0] == 404

        await until(answers)

    async def is_ready(self, role: str) -> bool:
        """Return whether ``/readyz`` of a role's worker answers 200."""
        return (await self.page(role, "/readyz"))[0] == 200

    async def all_ready(self, *roles: str) -> None:
        """Require that the roles' workers become ready; without ``roles``, all three."""
        for role in roles or ("detector", "applier", "recorder"):

            async def ready(role: str = role) -> bool:
                return await self.is_ready(role)

            with suppress(TimeoutError):
                await until(ready)
            assert await self.is_ready(role), (role, await self.page(role, "/readyz"))

    async def page(self, role: str, path: str, **headers: str) -> tuple[int, dict[str, Any]]:
        """Return status and body of an endpoint of a role's worker; status 0 if nobody answers."""
        url = f"http://127.0.0.1:{self.ports[role]}{path}"
        timeout = aiohttp.ClientTimeout(total=5)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(url, headers=headers) as answer,
            ):
                return answer.status, await answer.json()
        except (aiohttp.ClientError, TimeoutError):
            return 0, {}

    async def headers(self, role: str, path: str) -> Mapping[str, str]:
        """Return the headers of an endpoint of a role's worker."""
        url = f"http://127.0.0.1:{self.ports[role]}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.headers

    async def metrics(self, role: str) -> str:
        """Return the metrics of a role's worker, in Prometheus' text format."""
        url = f"http://127.0.0.1:{self.ports[role]}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            assert answer.status == 200
            return await answer.text()

    async def health(self, tool: str) -> tuple[int, dict[str, Any]]:
        """Return status and body of a health query; status 0 if nobody answers."""
        url = f"{self.settings.detector_url}/tools/{tool}/health"
        try:
            async with aiohttp.ClientSession() as session, session.get(url) as answer:
                return answer.status, await answer.json()
        except aiohttp.ClientError:
            return 0, {}

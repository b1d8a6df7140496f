"""The whole of Rollguard on the embedded stack: a broker, Postgres and the three workers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

import aiohttp

from rollguard.embedded.ports import free_port
from rollguard.embedded.stack import EmbeddedStack
from rollguard.operations.setup import create_missing_topics, migrate_database
from schemas.errors import Misconfigured, Retryable
from schemas.settings import Settings, load_settings

ROLES = ("detector", "applier", "recorder")
_READY_S = 40.0
_SESSION_S = 6
"""Kept short, because joining a group on the embedded broker takes half of the session timeout."""
_FETCH_WAIT_MS = 20
"""Kept short, because the embedded broker looks for new records only once or twice in this time."""


def _say_nothing(_: str) -> None:
    return


@asynccontextmanager
async def local_system(
    web_port: int = 0, say: Callable[[str], None] = _say_nothing
) -> AsyncIterator[Settings]:
    """Start everything, and yield the settings that reach it once all parts are ready.

    ``web_port`` is the detector's port; 0 takes a free one. ``say`` is called with a line of text
    for each step. If a part does not start, raises Misconfigured or Retryable with the end of the
    part's log.
    """
    say("starting broker and Postgres")
    async with EmbeddedStack() as stack:
        ports = {role: free_port() for role in ROLES}
        ports["detector"] = web_port or ports["detector"]
        settings = load_settings(
            kafka_brokers=(stack.kafka_brokers,),
            postgres_dsn=stack.postgres_dsn,
            detector_url=f"http://127.0.0.1:{ports['detector']}",
            fetch_wait_ms=_FETCH_WAIT_MS,
        )
        say("creating schema and topics")
        await migrate_database(settings)
        await create_missing_topics(settings)
        say("starting detector, applier and recorder")
        environment = {
            "ROLLGUARD_TOPIC_PREFIX": settings.topic_prefix,
            "ROLLGUARD_PARTITIONS": str(settings.partitions),
            "ROLLGUARD_WEB_HOST": "127.0.0.1",
            "ROLLGUARD_SESSION_TIMEOUT_S": str(_SESSION_S),
            "ROLLGUARD_FETCH_WAIT_MS": str(_FETCH_WAIT_MS),
        }
        workers = {
            role: await stack.spawn_worker(
                role, environment | {"ROLLGUARD_WEB_PORT": str(ports[role])}
            )
            for role in ROLES
        }
        for role in ROLES:
            await _until_ready(role, ports[role], workers[role], stack)
        watchers = [
            asyncio.create_task(_say_its_end(role, workers[role], stack, say)) for role in ROLES
        ]
        try:
            yield settings
        finally:
            for watcher in watchers:
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)


async def _until_ready(
    role: str, port: int, worker: asyncio.subprocess.Process, stack: EmbeddedStack
) -> None:
    """Return when the worker says that it is ready. Raise if it ends before, or takes too long."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        deadline = asyncio.get_running_loop().time() + _READY_S
        while (reasons := await _not_ready(port, session)) is not None:
            if worker.returncode is not None:
                raise Misconfigured(f"the {role} did not start: {_end_of_log(role, stack)}")
            if asyncio.get_running_loop().time() > deadline:
                raise Retryable(role, f"not ready after {_READY_S:.0f} s: {reasons}")
            await asyncio.sleep(0.05)


async def _not_ready(port: int, session: aiohttp.ClientSession) -> str | None:
    """Return why the worker is not ready; None if it is."""
    try:
        async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            return (
                None
                if answer.status == HTTPStatus.OK
                else "; ".join((await answer.json())["reasons"])
            )
    except (aiohttp.ClientError, TimeoutError):
        return "no answer"


async def _say_its_end(
    role: str,
    worker: asyncio.subprocess.Process,
    stack: EmbeddedStack,
    say: Callable[[str], None],
) -> None:
    """Report the end of a worker, which should not end; the other workers go on without it."""
    code = await worker.wait()
    say(f"the {role} ended with {code}: {_end_of_log(role, stack)}")


def _end_of_log(role: str, stack: EmbeddedStack) -> str:
    return stack.log_path(role).read_text(errors="replace").strip()[-2000:]

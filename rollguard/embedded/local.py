"""The whole of Rollguard on the embedded stack: broker, Postgres and the three workers."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from rich.console import Console

from rollguard.embedded.stack import EmbeddedStack, free_port
from rollguard.operations.setup import create_missing_topics, migrate_database
from schemas.errors import Misconfigured, Retryable
from schemas.settings import Settings, load_settings

ROLES = ("detector", "applier", "recorder")
_READY_S = 40.0
_SESSION_S = 6
"""Joining a group on the embedded broker takes half of the session timeout."""
_FETCH_WAIT_MS = 20
"""The embedded broker looks for something new only once or twice in this time."""


def _say_nothing(_: str) -> None:
    return


@asynccontextmanager
async def local_system(
    web_port: int = 0, say: Callable[[str], None] = _say_nothing
) -> AsyncIterator[Settings]:
    """Everything running and ready; yields the settings that reach it.

    ``web_port`` is where the detector answers; 0 takes a free one. ``say`` is told what happens.
    Raises Misconfigured or Retryable, with the end of its log, where a part does not come up.
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
        watch = asyncio.gather(*(_say_its_end(role, workers[role], stack, say) for role in ROLES))
        try:
            yield settings
        finally:
            watch.cancel()


async def _until_ready(
    role: str, port: int, worker: asyncio.subprocess.Process, stack: EmbeddedStack
) -> None:
    """Return when the worker says that it is ready; raise where it ends before that."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        deadline = asyncio.get_running_loop().time() + _READY_S
        while (said := await _not_ready(port, session)) is not None:
            if worker.returncode is not None:
                raise Misconfigured(f"the {role} did not start: {_end_of_log(role, stack)}")
            if asyncio.get_running_loop().time() > deadline:
                raise Retryable(role, f"not ready after {_READY_S:.0f} s: {said}")
            await asyncio.sleep(0.05)


async def _not_ready(port: int, session: aiohttp.ClientSession) -> str | None:
    """Why not; None where it is ready."""
    try:
        async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            return None if answer.status == 200 else "; ".join((await answer.json())["reasons"])
    except (aiohttp.ClientError, TimeoutError):
        return "no answer"


async def _say_its_end(
    role: str,
    worker: asyncio.subprocess.Process,
    stack: EmbeddedStack,
    say: Callable[[str], None],
) -> None:
    """Wait for a worker that is to run on; the others go on without it."""
    code = await worker.wait()
    say(f"the {role} ended with {code}: {_end_of_log(role, stack)}")


def _end_of_log(role: str, stack: EmbeddedStack) -> str:
    return stack.log_path(role).read_text(errors="replace").strip()[-2000:]


def run_up(settings: Settings) -> int:
    """Run the stack until SIGINT or SIGTERM; the exit code."""
    return asyncio.run(until_told_to_stop(_up(settings)))


async def until_told_to_stop(work: Coroutine[Any, Any, int]) -> int:
    """The result of ``work``; on SIGINT or SIGTERM it is cancelled, cleans up, and it is 130."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return 130


async def _up(settings: Settings) -> int:
    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    try:
        async with local_system(settings.port_of("detector"), say) as running:
            console = Console(soft_wrap=True, highlight=False)
            console.print("Rollguard is up. In another terminal:\n")
            for name, value in (
                ("ROLLGUARD_KAFKA_BROKERS", ",".join(running.kafka_brokers)),
                ("ROLLGUARD_POSTGRES_DSN", running.postgres_dsn.get_secret_value()),
                ("ROLLGUARD_DETECTOR_URL", running.detector_url),
            ):
                console.print(f"export {name}='{value}'", markup=False)
            console.print("\nCtrl-C stops it.")
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        say("stopped")
        return 0
    return 0

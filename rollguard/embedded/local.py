"""The whole of Rollguard on the embedded stack: a broker, Postgres, the workers, and a console."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from rollguard.embedded.ports import free_port
from rollguard.embedded.stack import EmbeddedStack
from rollguard.embedded.supervisor import SupervisedWorker
from rollguard.operations.setup import create_missing_topics, migrate_database
from schemas.configuration.setting_sources import given_settings, variable_of
from schemas.settings import SETTING_NAMES, Settings, load_settings, only_these_settings
from streams.topics import ROLES

_SESSION_S: Final = 6
"""Kept short, because joining a group on the embedded broker takes half of the session timeout."""
_FETCH_WAIT_MS: Final = 20
"""Kept short, because the embedded broker looks for new records only once or twice in this time.
Whoever sets another time has more latency, and workers that need less CPU while they are idle."""
_PLAIN: Final[Mapping[str, Any]] = {
    "kafka_security": "plaintext",
    "kafka_username": None,
    "kafka_password": None,
    "kafka_ca_file": None,
    "kafka_cert_file": None,
    "kafka_key_file": None,
}
"""The broker of the stack asks for no credentials."""
_OF_STACK: Final = frozenset(
    {
        *(*_PLAIN, "kafka_brokers", "postgres_dsn", "detector_url", "data_dir", "web_url"),
        *("worker_name", "url", "token"),
    }
)
"""Settings that say how to reach one server or one worker. They are not those of the stack."""


@dataclass(frozen=True)
class LocalSystem:
    """What runs, and how it is reached."""

    settings: Settings
    """The settings that reach it."""
    workers: Sequence[SupervisedWorker]
    until_given_up: "asyncio.Future[list[None]]"
    """Raises Retryable when a worker has ended too often to be started again."""


def _say_nothing(_: str) -> None:
    return


@asynccontextmanager
async def local_system(
    web_port: int = 0,
    say: Callable[[str], None] = _say_nothing,
    *,
    own_settings: bool = False,
    with_console: bool = False,
) -> AsyncIterator[LocalSystem]:
    """Start everything, and yield what runs once all parts are ready.

    ``web_port`` is the detector's port; 0 takes a free one, as the other roles do. ``say`` is
    called with a line of text for each step, and when a worker ends and is started again. With
    ``own_settings``, nothing is read from the environment or from a file. With ``with_console`` a
    console runs too, and a notifier if a file names receivers. If a part does not start, raises
    Misconfigured or Retryable with the end of the part's log.
    """
    say("starting broker and Postgres")
    async with EmbeddedStack() as stack:
        ports = {role: free_port() for role in (*ROLES, "notifier", "console")}
        ports |= {"detector": web_port} if web_port else {}
        given = {} if own_settings else given_settings(SETTING_NAMES)
        quick = {} if "fetch_wait_ms" in given else {"fetch_wait_ms": _FETCH_WAIT_MS}
        load = only_these_settings if own_settings else load_settings
        settings = load(
            **_PLAIN,
            kafka_brokers=(stack.kafka_brokers,),
            postgres_dsn=stack.postgres_dsn,
            detector_url=f"http://127.0.0.1:{ports['detector']}",
            **quick,
            data_dir=stack.folder / "data",
        )
        say("creating schema and topics")
        await migrate_database(settings)
        await create_missing_topics(settings)
        roles = [*ROLES]
        if with_console:
            roles += [*(["notifier"] if settings.notify is not None else []), "console"]
        say(f"starting {', '.join(roles[:-1])} and {roles[-1]}")
        kept = {name: each.text for name, each in given.items() if name not in _OF_STACK}
        environment = (
            {"ROLLGUARD_CONSOLE_URL": f"http://127.0.0.1:{ports['console']}"}
            | {variable_of(name): text for name, text in kept.items()}
            | _environment(settings)
        )
        workers = [SupervisedWorker(role, ports[role], stack, environment, say) for role in roles]
        async with _kept_running(workers) as until_given_up:
            yield LocalSystem(settings, workers, until_given_up)


def _environment(settings: Settings) -> dict[str, str]:
    """Return the variables of the workers, beside those by which they find the stack."""
    return {
        "ROLLGUARD_TOPIC_PREFIX": settings.topic_prefix,
        "ROLLGUARD_PARTITIONS": str(settings.partitions),
        "ROLLGUARD_DETECTOR_URL": settings.detector_url,
        "ROLLGUARD_WEB_HOST": "127.0.0.1",
        "ROLLGUARD_SESSION_TIMEOUT_S": str(_SESSION_S),
        "ROLLGUARD_FETCH_WAIT_MS": str(settings.fetch_wait_ms),
    }


@asynccontextmanager
async def _kept_running(
    workers: Sequence[SupervisedWorker],
) -> AsyncIterator["asyncio.Future[list[None]]"]:
    """Keep the workers running; the block begins when all are ready."""
    running = [asyncio.ensure_future(worker.run()) for worker in workers]
    starting = [asyncio.ensure_future(worker.until_ready()) for worker in workers]
    given_up, ready = asyncio.gather(*running), asyncio.gather(*starting)
    try:
        await asyncio.wait((given_up, ready), return_when=asyncio.FIRST_COMPLETED)
        await (given_up if given_up.done() else ready)
        yield given_up
    finally:
        for task in (*running, *starting):
            task.cancel()
        await asyncio.gather(given_up, ready, *running, *starting, return_exceptions=True)

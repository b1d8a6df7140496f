"""Wiring: everything that one role needs, put together, started, and stopped in good order."""

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack
from typing import Any, Literal

import structlog
import uvloop

from agents.apply_changes import ApplyChanges
from agents.breaking.analyst import Analyst
from agents.health_monitor import HealthMonitor
from agents.health_pages import OPEN, HealthPages
from agents.preflight import require_kafka
from agents.record_executions import RecordExecutions
from agents.refresh import Refresh, RefreshRows, RefreshVersions, again_and_again
from agents.retries import when_it_answers
from agents.role import BatchAgent, BatchHandler, Fatal
from agents.table_queries import TableQueries
from agents.watch_executions import WatchExecutions
from agents.web import WebServer
from db.migrate import open_migrated_pool
from db.pool import Pool
from schemas.errors import Misconfigured
from schemas.settings import Settings
from streams.app import create_app
from streams.logs import configure_logs
from streams.outbox import Outbox
from streams.records import Guard
from streams.stall import TICK_S, StallGuard, limit_of
from streams.steps import arm
from streams.table import window_table
from streams.topics import Topics
from streams.waits import Waits

log = structlog.get_logger()

Role = Literal["detector", "applier", "recorder"]

_FINISH_S = 5.0
"""How long the batch in hand may take when the worker is told to stop."""
_STOP_S = 4.0
"""How long leaving the group may take."""


def run_worker(role: Role, settings: Settings) -> int:
    """Run one role until SIGTERM or SIGINT; the exit code of the process."""
    configure_logs(settings, role)
    # The policy as well: Faust's consumer makes a loop of its own, in a thread of its own.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    try:
        arm(os.environ)
        with asyncio.Runner() as runner:
            return runner.run(_run(role, settings))
    except Misconfigured as error:
        print(f"rollguard {role}: {error}", file=sys.stderr)
        return 1


async def _run(role: Role, settings: Settings) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    fatal = Fatal()
    guard = StallGuard(limit_of(settings.session_timeout_s))
    async with AsyncExitStack() as stack:
        stalled = asyncio.ensure_future(_watch_stall(guard))
        stack.push_async_callback(_end, stalled)  # the last: a worker that stops may still send
        monitor = HealthMonitor(role, settings)
        samples = asyncio.ensure_future(monitor.run())
        stack.push_async_callback(_end, samples)
        setup = asyncio.ensure_future(_start(role, settings, fatal, guard, monitor, stack))
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait((setup, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not setup.done():
            setup.cancel()
            await asyncio.wait((setup,))
            return 0
        app, refresh = setup.result()
        log.info("started", brokers=",".join(settings.kafka_brokers))
        watchers = (
            stopped,
            asyncio.ensure_future(fatal.raised.wait()),
            asyncio.ensure_future(_watch_crash(app, fatal)),
            samples,
            asyncio.ensure_future(again_and_again(refresh, settings.refresh_s)),
        )
        done, _ = await asyncio.wait(watchers, return_when=asyncio.FIRST_COMPLETED)
        for watcher in done:
            if (error := watcher.exception()) is not None:
                fatal(error)
        for watcher in watchers:
            watcher.cancel()
    if isinstance(fatal.error, Misconfigured):
        raise fatal.error
    if fatal.error is not None:
        log.error("stopped", cause=repr(fatal.error))
        return 1
    log.info("stopped")
    return 0


async def _start(
    role: Role,
    settings: Settings,
    fatal: Fatal,
    stalled: StallGuard,
    monitor: HealthMonitor,
    stack: AsyncExitStack,
) -> tuple[Any, Refresh | None]:
    """Start a role; what it opened is closed by the stack, the last first. Its Faust app, and what
    it has to refresh."""
    try:
        (settings.data_dir / role).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"ROLLGUARD_DATA_DIR {settings.data_dir}: {error.strerror}") from None
    waits, started = monitor.waits, asyncio.Event()
    queries = TableQueries(settings)
    url = await _open_pages(role, settings, stack, monitor, queries, started)
    partitions = await require_kafka(settings, role, waits)
    topics = Topics.of(settings)
    guard = Guard(settings, partitions)
    refresh: Refresh | None = None
    pool: Pool | None = None
    if role == "detector":
        sources = [topics.executions]
        app = create_app(role, settings, sources, partitions, fatal, guard=stalled, url=url)
        table = window_table(app, partitions)
        outbox = Outbox(app, waits)
        handler: BatchHandler = WatchExecutions(app, table, outbox, guard, settings)
        refresh = RefreshRows(app, table, outbox, settings)
        queries.serve(app, table, partitions, url)
        stack.push_async_callback(queries.stop)
    else:
        pool = await _open_postgres(settings, waits)
        stack.push_async_callback(pool.close)
        if role == "applier":
            sources = [topics.deployments, topics.commands]
            app = create_app(role, settings, sources, partitions, fatal, guard=stalled)
            analyst = await stack.enter_async_context(Analyst(_COMPARE_S))
            outbox = Outbox(app, waits)
            handler = ApplyChanges(pool, outbox, guard, analyst, settings, waits)
            refresh = RefreshVersions(app, pool, outbox, partitions, settings)
        else:
            sources = [topics.executions]
            app = create_app(role, settings, sources, partitions, fatal, guard=stalled)
            handler = RecordExecutions(app, pool, guard, waits)
    agent = BatchAgent(app, _AGENTS[role], sources, handler, fatal)
    monitor.watch(app, sources, partitions, pool)
    stack.push_async_callback(_stop_app, app, agent, fatal)
    await app.start()
    monitor.started()
    started.set()
    return app, refresh


async def _open_pages(
    role: Role,
    settings: Settings,
    stack: AsyncExitStack,
    monitor: HealthMonitor,
    queries: TableQueries,
    started: asyncio.Event,
) -> str:
    """Serve the role's pages, before anything else: who waits for Kafka says so there. The
    address at which other detectors reach this one; "" for a role that nobody asks."""
    routes = HealthPages(role, monitor).routes()
    if role == "detector":
        routes += queries.routes()
    server = WebServer(role, settings, routes, OPEN)
    stack.push_async_callback(server.stop)
    if role == "detector":
        await server.listen()
    else:
        listening = asyncio.ensure_future(server.listen_if_free(started))
        stack.push_async_callback(_end, listening)
    return server.url


async def _end(task: "asyncio.Future[None]") -> None:
    """Cancel a task and wait for its end, but not for long; what it raised was reported before."""
    task.cancel()
    await asyncio.wait((task,), timeout=_STOP_S)


_COMPARE_S = 5.0
"""No deployment holds up the rollbacks behind it for longer; its code is then not comparable."""

_AGENTS = {
    "detector": "watch-executions",
    "applier": "apply-changes",
    "recorder": "record-executions",
}


async def _open_postgres(settings: Settings, waits: Waits) -> Pool:
    dsn = settings.postgres_dsn.get_secret_value()
    return await when_it_answers(lambda: open_migrated_pool(dsn), waits)


async def _stop_app(app: Any, agent: BatchAgent, fatal: Fatal) -> None:
    """Finish the batch in hand, commit, leave the group; for a limited time."""
    finished = await agent.close(_FINISH_S)
    try:
        async with asyncio.timeout(_STOP_S):
            await app.stop()
    except TimeoutError:
        finished = False
    if not finished:
        # What hangs waits for another part, holds connections and threads, and is not marked as
        # done: the next owner reads it again.
        log.warning("stop_abandoned")
        os._exit(0 if fatal.error is None else 1)


async def _watch_crash(app: Any, fatal: Fatal) -> None:
    """Report when Faust itself gives up."""
    while not app.crashed and not app.should_stop:
        await asyncio.sleep(0.2)
    fatal(app.crash_reason or RuntimeError("the Faust app stopped by itself"))


async def _watch_stall(guard: StallGuard) -> None:
    """Tell the guard that the loop goes on."""
    while True:
        guard.tick()
        await asyncio.sleep(TICK_S)

"""One process of one role: started, watched, and stopped in good order."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import structlog
import uvloop
from aiohttp import web
from aiokafka.errors import KafkaError

from agents.detector.table_queries import TableQueries
from agents.worker.batch_agent import BatchAgent, Fatal
from agents.worker.health_monitor import HealthMonitor
from agents.worker.health_pages import OPEN, HealthPages
from agents.worker.logs import configure_logs
from agents.worker.metrics_page import MetricsPage
from agents.worker.periodic import again_and_again
from agents.worker.preflight import require_kafka
from agents.worker.web import WebServer
from agents.worker.wiring import Role, Wired, Wiring
from schemas.errors import Misconfigured, Retryable
from schemas.settings import Settings
from streams.crash_points import arm
from streams.suspend_watchdog import TICK_S, SuspendWatchdog, limit_of

log = structlog.get_logger()

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
    except (Misconfigured, Retryable) as error:
        print(f"rollguard {role}: {error}", file=sys.stderr)
        return 1


async def _run(role: Role, settings: Settings) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    fatal = Fatal()
    watchdog = SuspendWatchdog(limit_of(settings.session_timeout_s))
    async with AsyncExitStack() as stack:
        stalled = asyncio.ensure_future(_tick_watchdog(watchdog))
        stack.push_async_callback(_end, stalled)  # the last: a worker that stops may still send
        monitor = HealthMonitor(role, settings)
        samples = asyncio.ensure_future(monitor.run())
        stack.push_async_callback(_end, samples)
        setup = asyncio.ensure_future(_start(role, settings, fatal, watchdog, monitor, stack))
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait((setup, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not setup.done():
            setup.cancel()
            await asyncio.wait((setup,))
            return 0
        wired = setup.result()
        log.info("started", brokers=",".join(settings.kafka_brokers))
        watchers = (
            stopped,
            asyncio.ensure_future(fatal.raised.wait()),
            asyncio.ensure_future(_watch_crash(wired.app, fatal)),
            samples,
            *(asyncio.ensure_future(again_and_again(each)) for each in wired.repeated),
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
    stall: SuspendWatchdog,
    monitor: HealthMonitor,
    stack: AsyncExitStack,
) -> Wired:
    """Start a role; what it opened is closed by the stack, the last first."""
    try:
        (settings.data_dir / role).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"ROLLGUARD_DATA_DIR {settings.data_dir}: {error.strerror}") from None
    queries, metrics, started = TableQueries(settings), MetricsPage(), asyncio.Event()
    routes = HealthPages(role, monitor).routes() + metrics.routes()
    if role == "detector":
        routes += queries.routes()
    url = await _open_pages(role, settings, stack, routes, started)
    partitions = await require_kafka(settings, role, monitor.waits)
    wiring = Wiring(
        settings, partitions, fatal, stall, monitor.waits, metrics.registry, queries, url, stack
    )
    wired = await wiring.wire(role)
    monitor.watch(wired.app, wired.sources, partitions, wired.pool)
    stack.push_async_callback(_stop_app, wired.app, wired.agents, fatal)
    try:
        await wired.app.start()
    except KafkaError as error:  # such an app cannot be started twice, a process can
        raise Retryable("Kafka", f"went away while the worker started: {error!r}") from error
    monitor.started()
    started.set()
    _spare_the_collector()
    return wired


def _spare_the_collector() -> None:
    """What is there after the start stays, and what work makes has no cycles: looking for some
    costs a tenth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


async def _open_pages(
    role: Role,
    settings: Settings,
    stack: AsyncExitStack,
    routes: Sequence[web.RouteDef],
    started: asyncio.Event,
) -> str:
    """Serve the role's pages, before anything else: who waits for Kafka says so there. The
    address at which other detectors reach this one; "" for a role that nobody asks.
    """
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


async def _stop_app(app: Any, agents: Sequence[BatchAgent], fatal: Fatal) -> None:
    """Finish the batches in hand, commit, leave the group; for a limited time."""
    finished = all(await asyncio.gather(*(agent.close(_FINISH_S) for agent in agents)))
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


async def _tick_watchdog(watchdog: SuspendWatchdog) -> None:
    """Tell the guard that the loop goes on."""
    while True:
        watchdog.tick()
        await asyncio.sleep(TICK_S)

"""The process of one role: how it starts, what it watches, and how it stops."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import structlog
import uvloop
from aiohttp import web
from aiokafka.errors import KafkaError

from agents.detector.table_queries import TableQueries
from agents.traces.opening import opened_tracer
from agents.worker.fatal import Fatal
from agents.worker.garbage import make_garbage_collection_rare
from agents.worker.health_monitors import HealthMonitors
from agents.worker.http.access import OPEN
from agents.worker.http.health_pages import HealthPages
from agents.worker.http.metrics_page import MetricsPage
from agents.worker.http.server import WebServer
from agents.worker.logs import configure_logs
from agents.worker.metrics.health_metrics import HealthMetrics
from agents.worker.metrics.work_metrics import WorkMetrics
from agents.worker.periodic import repeat
from agents.worker.preflight import require_kafka
from agents.worker.role_signatures import signatures_of_role
from agents.worker.wired import Member, Role, Wired, groups_of
from agents.worker.wiring import Wiring
from schemas.errors import Misconfigured, Retryable
from schemas.message import MAX_RECORD_BYTES
from schemas.printable import printable
from schemas.settings import Settings
from streams.broker_topics.watch import TopicWatch
from streams.driver.driver import Driver
from streams.suspend_watchdog import TICK_S, SuspendWatchdog, limit_of

if TYPE_CHECKING:  # it is imported only for the bridge, because it needs more packages
    from agents.bridge.http_spans import HttpSpans

log = structlog.get_logger()

_FINISH_S = 5.0
"""How long the current batch may take after the worker was told to stop."""
_STOP_S = 4.0
"""How long leaving the group may take."""


def run_worker(role: Role, settings: Settings) -> int:
    """Run one role until SIGTERM or SIGINT, and return the exit code of the process."""
    configure_logs(settings, role)
    # Not only for the Runner: Faust's consumer creates an event loop of its own in another thread.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    try:
        with asyncio.Runner() as runner:
            return runner.run(_run(role, settings))
    except (Misconfigured, Retryable) as error:
        print(f"rollguard {role}: {printable(str(error))}", file=sys.stderr)
        return 1


async def _run(role: Role, settings: Settings) -> int:
    """Start the role, watch it, and stop it; return the exit code."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    fatal = Fatal()
    watchdog = SuspendWatchdog(limit_of(settings.session_timeout_s))
    async with AsyncExitStack() as stack:
        ticks = asyncio.ensure_future(_tick_watchdog(watchdog))
        # The ticks end last, because a worker may send until it has stopped.
        stack.push_async_callback(_end, ticks)
        monitors = HealthMonitors(groups_of(role, settings), settings)
        samples = asyncio.ensure_future(monitors.run())
        stack.push_async_callback(_end, samples)
        setup = asyncio.ensure_future(_start(role, settings, fatal, watchdog, monitors, stack))
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait((setup, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not setup.done():
            setup.cancel()
            await asyncio.wait((setup,))
            return 0
        wired = setup.result()
        log.info("started", brokers=",".join(settings.kafka_brokers))
        await _watch(wired, fatal, stopped, samples)
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
    watchdog: SuspendWatchdog,
    monitors: HealthMonitors,
    stack: AsyncExitStack,
) -> Wired:
    """Start a role. The stack closes what the role has opened, in reverse order."""
    try:
        (settings.data_dir / role).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"ROLLGUARD_DATA_DIR {settings.data_dir}: {error.strerror}") from None
    tracer = await stack.enter_async_context(opened_tracer(role, settings))
    queries, started = TableQueries(settings), asyncio.Event()
    metrics = MetricsPage(role, settings)
    metrics.registry.register(HealthMetrics(monitors))
    work = WorkMetrics(metrics.registry)
    signatures = signatures_of_role(role, settings, metrics.registry)
    routes = HealthPages(role, monitors, settings).routes() + metrics.routes()
    if role == "detector":
        routes += queries.routes()
    http_spans = _http_spans(settings) if role == "bridge" else None
    if http_spans is not None:
        routes += http_spans.routes()

    def is_admitted(request: web.Request) -> bool:
        return queries.is_from_detector(request) or metrics.is_from_viewer(request)

    server = await _serve_http(role, settings, stack, routes, started, is_admitted)
    kafka = await require_kafka(settings, next(iter(monitors.of_groups)), monitors.waits)
    server.belongs_to(kafka.cluster_id)
    watch = TopicWatch(settings, kafka.partitions, monitors.waits)
    wiring = Wiring(
        settings,
        kafka.partitions,
        kafka.source_partitions,
        watch,
        fatal,
        watchdog,
        monitors.waits,
        {group: each.waits for group, each in monitors.of_groups.items()},
        metrics.registry,
        work,
        queries,
        server.url,
        server.identity,
        signatures,
        tracer,
        stack,
        http_spans,
    )
    wired = await wiring.wire(role)
    for group, member in wired.members.items():
        monitor = monitors.of_groups[group]
        monitor.watch(member.driver, member.sources, kafka.source_partitions, wired.pool, watch)
    stack.push_async_callback(_stop_members, list(wired.members.values()), fatal)
    try:
        for member in wired.members.values():
            await member.driver.start()
    except KafkaError as error:
        # A driver cannot be started twice. So the process ends, and its supervisor restarts it.
        raise Retryable("Kafka", f"went away while the worker started: {error!r}") from error
    for monitor in monitors.of_groups.values():
        monitor.started()
    wired.serve()
    started.set()
    make_garbage_collection_rare()
    return wired


def _http_spans(settings: Settings) -> "HttpSpans | None":
    """Return the endpoint that takes spans, if the settings want it."""
    from agents.bridge.http_spans import HttpSpans

    return HttpSpans() if settings.bridge.bridge_http else None


async def _watch(wired: Wired, fatal: Fatal, *others: "asyncio.Future[Any]") -> None:
    """Return when the process has to end: one of ``others`` has ended, or something has failed."""
    watchers = (
        *others,
        asyncio.ensure_future(fatal.raised.wait()),
        *(
            asyncio.ensure_future(_watch_crash(each.driver, fatal))
            for each in wired.members.values()
        ),
        *(asyncio.ensure_future(repeat(each, wired.work)) for each in wired.periodic),
    )
    done, _ = await asyncio.wait(watchers, return_when=asyncio.FIRST_COMPLETED)
    for watcher in done:
        if (error := watcher.exception()) is not None:
            fatal(error)
    for watcher in watchers:
        watcher.cancel()


async def _serve_http(
    role: Role,
    settings: Settings,
    stack: AsyncExitStack,
    routes: Sequence[web.RouteDef],
    started: asyncio.Event,
    also_admitted: Callable[[web.Request], bool],
) -> WebServer:
    """Serve the role's HTTP endpoints, and return the server.

    This is called before anything else, so that ``/healthz`` shows that a worker waits for Kafka.
    A worker whose endpoints nobody depends on begins to listen later, if its port is free; until
    then the server has no address.
    """
    takes_spans = role == "bridge" and settings.bridge.bridge_http
    most = MAX_RECORD_BYTES if takes_spans else 0
    server = WebServer(role, settings, routes, OPEN, also_admitted, most)
    stack.push_async_callback(server.stop)
    if role == "detector" or takes_spans:
        await server.listen()
    else:
        listening = asyncio.ensure_future(server.listen_if_free(started))
        stack.push_async_callback(_end, listening)
    return server


async def _end(task: "asyncio.Future[None]") -> None:
    """Cancel a task and wait a short time for its end. If it had an error, that was reported."""
    task.cancel()
    await asyncio.wait((task,), timeout=_STOP_S)


async def _stop_members(members: Sequence[Member], fatal: Fatal) -> None:
    """Finish the current batches, commit, and leave the groups, in a limited time."""
    agents = [agent for member in members for agent in member.agents]
    ends = asyncio.gather(*(member.finish() for member in members))
    finished = all(await asyncio.gather(*(agent.close(_FINISH_S) for agent in agents)))
    await ends
    try:
        async with asyncio.timeout(_STOP_S):
            await asyncio.gather(*(member.driver.stop() for member in members))
    except TimeoutError:
        finished = False
    if not finished:
        # A batch that did not finish waits for another part, and holds connections and threads.
        # It is not marked as done, so the next owner of the partition reads it again.
        log.warning("stop_abandoned")
        os._exit(0 if fatal.error is None else 1)


async def _watch_crash(driver: Driver, fatal: Fatal) -> None:
    """Report the error if Faust itself gives up."""
    fatal(await driver.wait_for_crash())


async def _tick_watchdog(watchdog: SuspendWatchdog) -> None:
    """Tell the watchdog at intervals that the event loop still runs."""
    while True:
        watchdog.tick()
        await asyncio.sleep(TICK_S)

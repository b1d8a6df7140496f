"""What each role is made of: its topics, its Faust app, what it does with a batch."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from prometheus_client import CollectorRegistry

from agents.apply_changes import AT_ONCE, ApplyChanges, Changes, Wish
from agents.apply_deployments import Deployments
from agents.apply_rollbacks import Rollbacks
from agents.breaking.analyst import Analyst
from agents.outage_report import OutageReport
from agents.publish_changes import PublishChanges
from agents.record_executions import RecordExecutions
from agents.refresh import Refresh, RefreshRows, RefreshVersions
from agents.retries import when_it_answers
from agents.role import BatchAgent, Fatal
from agents.table_queries import TableQueries
from agents.watch_executions import WatchExecutions
from db.migrate import open_migrated_pool
from db.pool import Pool
from schemas.settings import Settings
from streams.app import create_app
from streams.outbox import Outbox
from streams.records import Guard
from streams.stall import StallGuard
from streams.table import window_table
from streams.topics import Topics
from streams.waits import Waits

Role = Literal["detector", "applier", "recorder"]

_COMPARE_S: Final = 5.0
"""No deployment holds up those behind it for longer; its code is then not comparable."""


class Wired(NamedTuple):
    """A role, put together and not yet started."""

    app: Any
    """Its Faust app."""
    agents: Sequence[BatchAgent]
    sources: list[str]
    """The topics that it reads."""
    pool: Pool | None
    refresh: Refresh | None
    """What it has to write again, if anything."""


@dataclass(frozen=True)
class Wiring:
    """What every role is put together from. What a role opens is closed by ``stack``."""

    settings: Settings
    partitions: int
    fatal: Fatal
    stall: StallGuard
    waits: Waits
    registry: CollectorRegistry
    """What is counted for ``/metrics``."""
    queries: TableQueries
    """Where others ask for the detector's rows."""
    url: str
    """Where other detectors reach this one; "" for a role that nobody asks."""
    stack: AsyncExitStack

    async def wire(self, role: Role) -> Wired:
        """Put a role together. Raises Misconfigured; waits for a Postgres that is away."""
        match role:
            case "detector":
                return self._detector()
            case "applier":
                return await self._applier()
            case "recorder":
                return await self._recorder()

    def _detector(self) -> Wired:
        sources = [self._topics.executions]
        app = self._app("detector", sources)
        folder = self.settings.data_dir / "detector" / self._topics.changelog
        kept_in = folder if self.settings.keep_rows else None
        table = window_table(app, self.partitions, self.fatal, kept_in)
        outbox = Outbox(app, self.waits)
        outages = OutageReport(self.registry, table, self.settings)
        handler = WatchExecutions(app, table, outbox, self._guard, self.settings, outages)
        self.queries.serve(app, table, self.partitions, self.url)
        self.stack.push_async_callback(self.queries.stop)
        agent = BatchAgent(app, "watch-executions", sources, handler, self.fatal)
        refresh = RefreshRows(app, table, self.settings)
        return Wired(app, [agent], sources, pool=None, refresh=refresh)

    async def _applier(self) -> Wired:
        sources = [self._topics.deployments, self._topics.commands]
        pool = await self._postgres()
        app = self._app("applier", sources, broker_max_poll_records=AT_ONCE)
        analyst = await self.stack.enter_async_context(Analyst(_COMPARE_S))
        outbox = Outbox(app, self.waits)
        publish = PublishChanges(pool, outbox, self._topics)
        rollbacks = Rollbacks(publish, self._guard, self._topics)
        deployments = Deployments(
            publish, pool, outbox, self._guard, analyst, self._topics, self.waits
        )
        agents = [
            self._applying("apply-deployments", self._topics.deployments, deployments, app, outbox),
            self._applying("apply-rollbacks", self._topics.commands, rollbacks, app, outbox),
        ]
        refresh = RefreshVersions(app, pool, outbox, self.partitions, self.settings)
        return Wired(app, agents, sources, pool, refresh)

    def _applying(
        self, name: str, topic: str, changes: Changes[Wish], app: Any, outbox: Outbox
    ) -> BatchAgent:
        handler = ApplyChanges(changes, outbox, self._topics.dead_letters, self.waits)
        return BatchAgent(app, name, [topic], handler, self.fatal)

    async def _recorder(self) -> Wired:
        sources = [self._topics.executions]
        pool = await self._postgres()
        app = self._app("recorder", sources)
        handler = RecordExecutions(app, pool, self._guard, self.waits)
        agent = BatchAgent(app, "record-executions", sources, handler, self.fatal)
        return Wired(app, [agent], sources, pool, refresh=None)

    @property
    def _topics(self) -> Topics:
        return Topics.of(self.settings)

    @property
    def _guard(self) -> Guard:
        return Guard(self.settings, self.partitions)

    def _app(self, role: Role, sources: list[str], **options: Any) -> Any:
        return create_app(
            role,
            self.settings,
            sources,
            self.partitions,
            guard=self.stall,
            url=self.url or None,
            **options,
        )

    async def _postgres(self) -> Pool:
        dsn = self.settings.postgres_dsn.get_secret_value()
        pool = await when_it_answers(lambda: open_migrated_pool(dsn), self.waits)
        self.stack.push_async_callback(pool.close)
        return pool

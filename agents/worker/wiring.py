"""What each role is made of: its topics, its Faust app, what it does with a batch."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from prometheus_client import CollectorRegistry

from agents.applier.apply_changes import AT_ONCE, ApplyChanges, Changes, RequestMessage
from agents.applier.apply_deployments import Deployments
from agents.applier.apply_rollbacks import Rollbacks
from agents.applier.expire_holds import EXPIRE_EVERY_S, ExpireHolds
from agents.applier.publish_changes import PublishChanges
from agents.applier.republish_versions import RepublishRows, RepublishVersions
from agents.applier.rollback_report import RollbackReport
from agents.applier.unknown_tools import warn_of_unknown_tools
from agents.comparer.code_comparer import CodeComparer
from agents.detector.outage_report import OutageReport
from agents.detector.table_queries import TableQueries
from agents.detector.watch_executions import WatchExecutions
from agents.recorder.record_executions import RecordExecutions
from agents.worker.batch_agent import BatchAgent, Fatal
from agents.worker.periodic import Repeated
from db.postgres.migrate import open_migrated_pool
from db.postgres.pool import Pool
from schemas.settings import Settings
from streams.driver.app import create_app
from streams.driver.outbox import Outbox
from streams.driver.table import window_table
from streams.records import RecordValidator
from streams.retries import when_it_answers
from streams.suspend_watchdog import SuspendWatchdog
from streams.topics import Topics
from streams.waits import Waits

Role = Literal["detector", "applier", "recorder"]

_COMPARE_S: Final = 5.0
"""No deployment holds up those behind it for longer; its code is then not comparable."""
_COMPARE_TARGET_S: Final = 1.0
"""The same of a rollback, for nothing is to hold that up."""


class Wired(NamedTuple):
    """A role, put together and not yet started."""

    app: Any
    """Its Faust app."""
    agents: Sequence[BatchAgent]
    sources: list[str]
    """The topics that it reads."""
    pool: Pool | None
    repeated: Sequence[Repeated] = ()
    """What it does beside its batches."""


@dataclass(frozen=True)
class Wiring:
    """What every role is put together from. What a role opens is closed by ``stack``."""

    settings: Settings
    partitions: int
    fatal: Fatal
    stall: SuspendWatchdog
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
        outages = OutageReport(self.registry, table, self.settings.outages)
        handler = WatchExecutions(app, table, outbox, self._validator, self.settings, outages)
        self.queries.serve(app, table, self.partitions, self.url)
        self.stack.push_async_callback(self.queries.stop)
        agent = BatchAgent(app, "watch-executions", sources, handler, self.fatal)
        refresh = self._refresh(RepublishRows(app, table, self.settings))
        return Wired(app, [agent], sources, pool=None, repeated=[refresh])

    async def _applier(self) -> Wired:
        sources = [self._topics.deployments, self._topics.commands]
        pool = await self._postgres()
        await when_it_answers(lambda: warn_of_unknown_tools(pool, self.settings), self.waits)
        app = self._app("applier", sources, broker_max_poll_records=AT_ONCE)
        comparer = await self.stack.enter_async_context(CodeComparer(_COMPARE_S))
        outbox = Outbox(app, self.waits)
        publish = PublishChanges(pool, outbox, self._topics)
        report, second = RollbackReport(self.registry), await self._second_comparer()
        rollbacks = Rollbacks(
            publish, pool, self._validator, second, self.settings, self._topics, report
        )
        deployments = Deployments(
            publish,
            pool,
            outbox,
            self._validator,
            comparer,
            self.settings,
            self._topics,
            self.waits,
        )
        agents = [
            self._applying("apply-deployments", self._topics.deployments, deployments, app, outbox),
            self._applying("apply-rollbacks", self._topics.commands, rollbacks, app, outbox),
        ]
        refresh = RepublishVersions(app, pool, outbox, self.partitions, self.settings)
        holds = ExpireHolds(pool, outbox, self._topics, report)
        repeated = [
            self._refresh(refresh),
            Repeated("expire-holds", EXPIRE_EVERY_S, holds.expire),
        ]
        return Wired(app, agents, sources, pool, repeated)

    def _refresh(self, rows_or_versions: RepublishRows | RepublishVersions) -> Repeated:
        return Repeated("refresh", self.settings.refresh_s, rows_or_versions.refresh)

    async def _second_comparer(self) -> CodeComparer:
        """One of the rollbacks' own: a deployment whose code takes long to compare holds them up no
        more than their own code does. Policy `seed` never asks it, and has no process for it.
        """
        comparer = CodeComparer(_COMPARE_TARGET_S)
        self.stack.push_async_callback(comparer.close)
        if self.settings.is_guarded_anywhere:
            await comparer.start()
        return comparer

    def _applying(
        self, name: str, topic: str, changes: Changes[RequestMessage], app: Any, outbox: Outbox
    ) -> BatchAgent:
        handler = ApplyChanges(changes, outbox, self._topics.dead_letters, self.waits)
        return BatchAgent(app, name, [topic], handler, self.fatal)

    async def _recorder(self) -> Wired:
        sources = [self._topics.executions]
        pool = await self._postgres()
        app = self._app("recorder", sources)
        handler = RecordExecutions(app, pool, self._validator, self.waits)
        agent = BatchAgent(app, "record-executions", sources, handler, self.fatal)
        return Wired(app, [agent], sources, pool)

    @property
    def _topics(self) -> Topics:
        return Topics.of(self.settings)

    @property
    def _validator(self) -> RecordValidator:
        return RecordValidator(self.settings, self.partitions)

    def _app(self, role: Role, sources: list[str], **options: Any) -> Any:
        return create_app(
            role,
            self.settings,
            sources,
            self.partitions,
            watchdog=self.stall,
            url=self.url or None,
            **options,
        )

    async def _postgres(self) -> Pool:
        dsn = self.settings.postgres_dsn.get_secret_value()
        pool = await when_it_answers(lambda: open_migrated_pool(dsn), self.waits)
        self.stack.push_async_callback(pool.close)
        return pool

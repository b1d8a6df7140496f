"""The assembly of each role from its parts: topics, driver, handlers, periodic tasks."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog
from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry, Gauge

from agents.applier.apply_changes import MAX_GROUP, RETRY_EVERY_S, ApplyChanges
from agents.applier.comparison_report import ComparisonMetrics, ComparisonReport
from agents.applier.deployments.apply_deployments import Deployments
from agents.applier.deployments.deployment_report import DeploymentReport
from agents.applier.expire_holds import EXPIRE_EVERY_S, ExpireHolds
from agents.applier.hold_report import HoldReport
from agents.applier.publish_changes import PublishChanges
from agents.applier.republish_versions import RepublishVersions
from agents.applier.rollbacks.apply_rollbacks import Rollbacks
from agents.applier.rollbacks.rollback_report import RollbackReport
from agents.applier.trace_changes import TraceChanges
from agents.applier.unknown_tools import warn_of_unknown_tools
from agents.applier.waiting.attempts import Changes, RequestMessage
from agents.applier.waiting.set_aside_report import SetAsideReport, numbers_set_aside
from agents.comparer.fair_comparer import FairComparer
from agents.dead_letters.box import DeadLetterBox
from agents.detector.decision_report import DecisionReport
from agents.detector.forget_tools import FORGET_EVERY_S, ForgetTools
from agents.detector.forward_executions import ForwardExecutions
from agents.detector.other_detectors import OtherDetectors
from agents.detector.outage_report import OutageReport
from agents.detector.read_log import ReadLog
from agents.detector.republish_rows import RepublishRows
from agents.detector.source_ends import SourceEnds
from agents.detector.table_queries import Served, TableQueries
from agents.detector.table_report import TableReport
from agents.detector.trace_commands import TraceCommands
from agents.detector.watch_executions import WatchExecutions
from agents.metrics.postgres_metrics import PostgresMetrics
from agents.notifier.http_sender import HttpSender
from agents.notifier.notify_receiver import REPORT_EVERY_S, TOLD_FROM, NotifyReceiver
from agents.notifier.reading import NewsReader
from agents.notifier.receiver_report import NotifierMetrics, ReceiverReport
from agents.notifier.receivers import group_of_receiver, receivers_of
from agents.notifier.requests import sender_to
from agents.recorder.keep_reports import FORGET_EVERY_S as FORGET_ENGINES_EVERY_S
from agents.recorder.keep_reports import KeepReports
from agents.recorder.record_executions import RecordExecutions
from agents.recorder.record_report import RecordReport
from agents.traces.tracer import Tracer
from agents.worker.batch_agent import BatchAgent, BatchHandler
from agents.worker.fatal import Fatal
from agents.worker.metrics.work_metrics import WorkMetrics
from agents.worker.periodic import PeriodicTask
from agents.worker.role_signatures import RoleSignatures
from agents.worker.wired import Member, Role, Wired, serve_nothing
from db.postgres.migrate import open_migrated_pool
from db.postgres.pool import Pool
from schemas.fields import format_time
from schemas.identity import Identity
from schemas.settings import Settings
from streams.broker_topics.watch import CHECK_EVERY_S, TopicWatch
from streams.driver.driver import Driver
from streams.driver.outbox import Outbox
from streams.driver.table import window_table
from streams.first_offsets import begin_since
from streams.records import RecordValidator
from streams.retries import when_it_answers
from streams.suspend_watchdog import SuspendWatchdog
from streams.topic_reader import open_reader
from streams.topics import Topics, group_of
from streams.waits import Waits

if TYPE_CHECKING:  # it is imported only for the bridge, because it needs more packages
    from agents.bridge.http_spans import HttpSpans

log = structlog.get_logger()

_COMPARE_S: Final = 5.0
"""The CPU time that comparing the code of a deployment may take. It is limited because later
deployments wait; code that takes longer counts as not comparable."""
_COMPARE_TARGET_S: Final = 1.0
"""The same for a rollback; it is less because a rollback must not be delayed."""


@dataclass(frozen=True)
class Wiring:
    """Assembles a role from these parts. ``stack`` closes everything that the role opens."""

    settings: Settings
    partitions: int
    source_partitions: int
    """How many partitions the topics have that the role reads."""
    watch: TopicWatch
    fatal: Fatal
    watchdog: SuspendWatchdog
    waits: Waits
    """What the whole process waits for."""
    waits_of_groups: Mapping[str, Waits]
    """What each of the role's consumer groups waits for."""
    registry: CollectorRegistry
    """The registry of the metrics that ``/metrics`` shows."""
    work: WorkMetrics
    """Those of batches and periodic tasks."""
    queries: TableQueries
    """The queries that the detector answers."""
    url: str
    """The address at which other detectors reach this one; "" for the other roles."""
    identity: Identity
    """Who this worker is, for whoever reads its answers."""
    signatures: RoleSignatures
    """The keys with which the role checks and signs."""
    tracer: Tracer
    """Where the spans of the role go."""
    stack: AsyncExitStack
    http_spans: "HttpSpans | None" = None
    """The endpoint that takes spans, if the role is the bridge and the settings want it."""

    async def wire(self, role: Role) -> Wired:
        """Assemble a role. Waits for a Postgres that does not answer. Raises Misconfigured."""
        match role:
            case "detector":
                return self._detector()
            case "applier":
                return await self._applier()
            case "recorder":
                return await self._recorder()
            case "bridge":
                return await self._bridge()
            case "notifier":
                return await self._notifier()

    def _detector(self) -> Wired:
        sources = list(self._topics.read_by("detector"))
        driver = self._driver("detector", sources)
        folder = self.settings.data_dir / "detector" / self._topics.changelog
        kept_in = folder if self.settings.keep_rows else None
        table = window_table(driver, self.partitions, self.fatal, kept_in)
        outbox = Outbox(driver, self.waits, self.signatures.signer)
        outages = OutageReport(self.registry, table, self.settings.outages)
        self.registry.register(TableReport(table))
        validator = self._validator
        ends = SourceEnds(driver, self.settings, self.waits)
        forwarding = ForwardExecutions(outbox, validator, self.settings, self.registry)
        handler = WatchExecutions(
            driver,
            table,
            outbox,
            self._dead_letters("detector", sources),
            ReadLog(table, validator, ends, self.watch),
            forwarding,
            self.settings,
            DecisionReport(self.registry, outages, self.settings.metrics_tools),
            TraceCommands(self.tracer, self.settings),
        )
        others = OtherDetectors(self.settings, self.identity, self.url)
        self.queries.serve(Served(driver, table, self.partitions, self.url, others))
        self.stack.push_async_callback(self.queries.stop)
        agent = self._agent(driver, "watch-executions", sources, handler)
        republish = self._republish(RepublishRows(driver, table, self.settings))
        forget = ForgetTools(driver, table, self.settings)
        periodic = [
            republish,
            PeriodicTask("forget-tools", FORGET_EVERY_S, forget.forget),
            self._check_topics,
        ]
        return Wired({"detector": Member(driver, [agent], sources)}, None, self.work, periodic)

    async def _applier(self) -> Wired:
        sources = list(self._topics.read_by("applier"))
        pool = await self._postgres()
        await when_it_answers(lambda: warn_of_unknown_tools(pool, self.settings), self.waits)
        driver = self._driver("applier", sources, max_poll_records=MAX_GROUP)
        comparisons = ComparisonMetrics(self.registry)
        comparer = FairComparer.with_limit(_COMPARE_S, ComparisonReport(comparisons, "deployment"))
        self.stack.push_async_callback(comparer.close)
        await comparer.start()
        outbox = Outbox(driver, self.waits, self.signatures.signer)
        publish = PublishChanges(pool, outbox, self._topics)
        traces = TraceChanges(self.tracer, self.settings)
        report, deployed = RollbackReport(self.registry), DeploymentReport(self.registry)
        rollback_comparer = await self._rollback_comparer(comparisons)
        rollbacks = Rollbacks(
            publish,
            pool,
            self._validator,
            rollback_comparer,
            self.settings,
            self._topics,
            report,
            traces,
        )
        deployments = Deployments(
            publish,
            pool,
            outbox,
            self._validator,
            comparer,
            self.settings,
            self._topics,
            deployed,
            traces,
        )
        dead_letters = self._dead_letters("applier", sources)
        numbers = numbers_set_aside(self.registry)
        deploy, roll_back = (
            self._apply(deployments, pool, outbox, dead_letters, numbers.labels("deployment")),
            self._apply(rollbacks, pool, outbox, dead_letters, numbers.labels("rollback")),
        )
        agents = [
            self._agent(driver, "apply-deployments", [self._topics.deployments], deploy),
            self._agent(driver, "apply-rollbacks", [self._topics.commands], roll_back),
        ]
        versions = RepublishVersions(driver, pool, outbox, self.partitions, self.settings)
        waiting = HoldReport(self.registry)
        holds = ExpireHolds(pool, outbox, self._topics, report, deployed, waiting)
        periodic = [
            self._republish(versions),
            PeriodicTask("expire-holds", EXPIRE_EVERY_S, holds.expire),
            PeriodicTask("retry-deployments", RETRY_EVERY_S, deploy.retry),
            PeriodicTask("retry-rollbacks", RETRY_EVERY_S, roll_back.retry),
            self._check_topics,
        ]
        return Wired({"applier": Member(driver, agents, sources)}, pool, self.work, periodic)

    @property
    def _check_topics(self) -> PeriodicTask:
        return PeriodicTask("check-topics", CHECK_EVERY_S, self.watch.check)

    def _republish(self, rows_or_versions: RepublishRows | RepublishVersions) -> PeriodicTask:
        return PeriodicTask("republish", self.settings.refresh_s, rows_or_versions.republish)

    async def _rollback_comparer(self, comparisons: ComparisonMetrics) -> FairComparer:
        """Return a comparer only for rollbacks, so that a slow deployment does not delay them.

        Policy `seed` never compares code for a rollback, so no process is started for it.
        """
        watch = ComparisonReport(comparisons, "rollback")
        comparer = FairComparer.with_limit(_COMPARE_TARGET_S, watch)
        self.stack.push_async_callback(comparer.close)
        if self.settings.is_guarded_anywhere:
            await comparer.start()
        return comparer

    def _apply(
        self,
        changes: Changes[RequestMessage],
        pool: Pool,
        outbox: Outbox,
        dead_letters: DeadLetterBox,
        set_aside: Gauge,
    ) -> ApplyChanges[RequestMessage]:
        report = SetAsideReport(self.waits.ticket(), set_aside)
        return ApplyChanges(changes, pool, outbox, dead_letters, self.waits, self.watch, report)

    def _dead_letters(self, role: Role, sources: Collection[str]) -> DeadLetterBox:
        dead_letters = DeadLetterBox(role, self.settings, self.registry, sources)
        self.stack.callback(dead_letters.close)
        return dead_letters

    async def _recorder(self) -> Wired:
        sources = list(self._topics.read_by("recorder"))
        pool = await self._postgres()
        driver = self._driver("recorder", sources)
        executions = RecordExecutions(
            driver,
            pool,
            self._validator,
            self.waits,
            self.watch,
            self.settings,
            RecordReport(self.registry),
        )
        reports = KeepReports(
            pool,
            Outbox(driver, self.waits),
            self._dead_letters("recorder", [self._topics.reports]),
            self._validator,
            self.waits,
            self.settings,
        )
        agents = [
            self._agent(driver, "record-executions", [self._topics.executions], executions),
            self._agent(driver, "keep-reports", [self._topics.reports], reports),
        ]
        periodic = [
            PeriodicTask("forget-engines", FORGET_ENGINES_EVERY_S, reports.forget),
            self._check_topics,
        ]
        return Wired({"recorder": Member(driver, agents, sources)}, pool, self.work, periodic)

    async def _bridge(self) -> Wired:
        from agents.bridge.bridge_report import BridgeReport
        from agents.bridge.bridge_spans import BridgeSpans
        from agents.bridge.http_spans import Served
        from agents.bridge.span_executions import SpanExecutions
        from agents.bridge.version_history import VersionHistory
        from rollguard_client.spans.tool_spans import SpanRules

        own = self.settings.bridge
        sources = [own.bridge_topic]
        driver = self._driver("bridge", sources)
        outbox = Outbox(driver, self.waits)
        reader = await self.stack.enter_async_context(
            open_reader(self.settings, self._topics.versions, from_beginning=True)
        )
        history = VersionHistory(reader, self.settings, self.signatures.checks)
        await when_it_answers(history.catch_up, self.waits)
        report = BridgeReport(self.registry)
        rules = SpanRules(own.bridge_mcp, own.bridge_rename, own.bridge_caller)
        executions = SpanExecutions(self._topics.executions, rules, history, report)
        dead_letters = self._dead_letters("bridge", sources)
        handler = BridgeSpans(executions, history, outbox, dead_letters, self.waits)
        agent = self._agent(driver, "bridge-spans", sources, handler)
        serve, http_spans = serve_nothing, self.http_spans
        if http_spans is not None:
            serve = partial(http_spans.serve, Served(executions, history, outbox, report))
        periodic = [self._check_topics]
        members = {"bridge": Member(driver, [agent], sources)}
        return Wired(members, None, self.work, periodic, serve)

    async def _notifier(self) -> Wired:
        receivers, members, periodic = receivers_of(self.settings), {}, [self._check_topics]
        metrics = NotifierMetrics(self.registry)
        bad_records = self._dead_letters("notifier", self._topics.read_by("notifier"))
        for number, receiver in enumerate(receivers):
            group, sources = (
                group_of_receiver(receiver.name),
                list(self._topics.read_by("notifier")),
            )
            waits = self.waits_of_groups[group]
            await self._begin_lately(group, sources)
            driver = self._driver(group, sources, max_poll_records=MAX_GROUP)
            sender = HttpSender()
            self.stack.push_async_callback(sender.close)
            handler = NotifyReceiver(
                receiver,
                NewsReader(self.settings),
                sender_to(receiver, sender.send, self.settings.topic_prefix),
                Outbox(driver, waits),
                self._topics.dead_letters,
                ReceiverReport(receiver.name, metrics, waits.ticket()),
                bad_records=bad_records if number == 0 else None,
                fatal=self.fatal,
            )
            agent = self._agent(driver, f"notify-{receiver.name}", sources, handler)
            members[group] = Member(driver, [agent], sources, handler.finish)
            periodic.append(PeriodicTask(f"report-{receiver.name}", REPORT_EVERY_S, handler.tell))
        return Wired(members, None, self.work, periodic)

    def _agent(
        self, driver: Driver, name: str, topics: list[str], handler: BatchHandler
    ) -> BatchAgent:
        return BatchAgent(driver, name, topics, handler, self.fatal, self.watch, self.work)

    async def _begin_lately(self, group: str, sources: Sequence[str]) -> None:
        """Let a receiver that is new begin with what happened lately, not with all that is kept."""
        since = datetime.now(UTC) - TOLD_FROM
        every = [TopicPartition(topic, n) for topic in sources for n in range(self.partitions)]
        name = group_of(self.settings, group)
        if await when_it_answers(
            lambda: begin_since(self.settings, name, every, since), self.waits
        ):
            log.info("receiver_is_new", group=name, since=format_time(since))

    @property
    def _topics(self) -> Topics:
        return Topics.of(self.settings)

    @property
    def _validator(self) -> RecordValidator:
        return RecordValidator(self.settings, self.partitions, self.signatures.checks)

    def _driver(
        self, group: str, sources: list[str], max_poll_records: int | None = None
    ) -> Driver:
        return Driver.of_role(
            group,
            self.settings,
            sources,
            self.source_partitions,
            watchdog=self.watchdog,
            url=self.url or None,
            max_poll_records=max_poll_records,
        )

    async def _postgres(self) -> Pool:
        dsn, pooling = self.settings.postgres_dsn.get_secret_value(), self.settings.postgres_pooling
        metrics = PostgresMetrics(self.registry)
        pool = await when_it_answers(lambda: open_migrated_pool(dsn, pooling, metrics), self.waits)
        self.stack.push_async_callback(pool.close)
        return pool

"""The applier for tests: on a real Postgres, with a recording broker and code comparer."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka.structs import ConsumerRecord
from prometheus_client import CollectorRegistry

from agents.applier.apply_changes import RETRY_EVERY_S, ApplyChanges
from agents.applier.deployments.apply_deployments import Deployments
from agents.applier.deployments.deployment_report import DeploymentReport
from agents.applier.expire_holds import ExpireHolds
from agents.applier.hold_report import HoldReport
from agents.applier.publish_changes import PublishChanges
from agents.applier.rollbacks.apply_rollbacks import Rollbacks
from agents.applier.rollbacks.rollback_report import RollbackReport
from agents.applier.trace_changes import TraceChanges
from agents.applier.waiting.attempts import Changes, RequestMessage
from agents.applier.waiting.set_aside_report import SetAsideReport, numbers_set_aside
from agents.comparer.fair_comparer import FairComparer
from agents.dead_letters.box import DeadLetterBox
from agents.traces.span import Span
from agents.traces.tracer import Tracer
from db.postgres.pool import Pool
from policy.breaking.finding import Finding, Kind, new_finding
from schemas.deployment import Deployment, DeploymentOutcome
from schemas.execution import Activation, read_log_entry
from schemas.rollback import RollbackCommand, RollbackOutcome
from schemas.settings import Settings
from streams.broker_topics.watch import TopicWatch
from streams.driver.batch import Batch
from streams.driver.outbox import Outgoing
from streams.records import RecordValidator
from streams.topics import Topics
from streams.waits import Waits
from tests.support.inputs.stored import NOW

SETTINGS = Settings(partitions=1)
TOPICS = Topics.of(SETTINGS)


class Broker:
    """A broker that keeps what was published; messages that were published together form a list."""

    def __init__(self) -> None:
        self.published: list[list[Outgoing]] = []

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        if messages:
            self.published.append(list(messages))

    def of(self, topic: str) -> list[bytes]:
        """Return the values that were published to the topic."""
        return [each.value for some in self.published for each in some if each.topic == topic]

    def shape(self) -> list[tuple[str, list[str]]]:
        """Return, for each time something was published, the topic and the tools."""
        return [
            (some[0].topic, [(each.key or b"").decode() for each in some])
            for some in self.published
        ]

    def deployed(self) -> list[DeploymentOutcome]:
        return list(map(DeploymentOutcome.from_bytes, self.of(TOPICS.deployment_outcomes)))

    def rolled_back(self) -> list[RollbackOutcome]:
        return list(map(RollbackOutcome.from_bytes, self.of(TOPICS.outcomes)))

    def activations(self, tool: str) -> list[int]:
        entries = map(read_log_entry, self.of(TOPICS.executions))
        return [
            each.activation
            for each in entries
            if isinstance(each, Activation) and each.tool_name == tool
        ]


class Comparer:
    """A code comparer that keeps the pairs of code that it was given, with one finding each."""

    def __init__(self) -> None:
        self.asked: list[tuple[str | None, str]] = []
        self.meanwhile: Callable[[], Any] | None = None
        """Called once, during the next comparison."""
        self.kind: Kind = "default_changed"
        self.slow: dict[str, Callable[[], object]] = {}
        """When a comparison of this new code ends: as soon as the condition holds."""

    async def try_compare(self, old: str | None, new: str) -> list[Finding]:
        self.asked.append((old, new))
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        await asyncio.sleep(0)
        while new in self.slow and not self.slow[new]():
            await asyncio.sleep(0.01)
        return [new_finding(self.kind, "", f"{old} to {new}", None)]


def expire_holds(pool: Pool, broker: Any, registry: CollectorRegistry) -> ExpireHolds:
    """Return the expiry of holds, which publishes to this broker."""
    reports = RollbackReport(registry), DeploymentReport(registry), HoldReport(registry)
    return ExpireHolds(pool, broker, TOPICS, *reports)


class Applier:
    """The two halves of the applier, for deployments and for rollbacks, with one broker."""

    def __init__(
        self, pool: Pool, broker: Broker | None = None, settings: Settings = SETTINGS
    ) -> None:
        self.broker, self.comparer, self.waits = broker or Broker(), Comparer(), Waits()
        self.spans: list[Span] = []
        outbox: Any = self.broker
        fake: Any = self.comparer
        comparer = FairComparer(fake, fake)
        validator = RecordValidator(settings, 1)
        publish = PublishChanges(pool, outbox, TOPICS)
        traces = TraceChanges(Tracer(self.spans.append), settings)
        self.registry = CollectorRegistry()
        deployed = DeploymentReport(self.registry)
        deployments = Deployments(
            publish, pool, outbox, validator, comparer, settings, TOPICS, deployed, traces
        )
        dead_letters = DeadLetterBox("applier", settings, self.registry)
        watch = TopicWatch(settings, 1, self.waits)
        numbers = numbers_set_aside(self.registry)

        def apply(changes: Changes[RequestMessage], kind: str) -> ApplyChanges[RequestMessage]:
            told = SetAsideReport(self.waits.ticket(), numbers.labels(kind))
            return ApplyChanges(changes, pool, outbox, dead_letters, self.waits, watch, told)

        self.deployments = apply(deployments, "deployment")
        report = RollbackReport(self.registry)
        rollbacks = Rollbacks(publish, pool, validator, comparer, settings, TOPICS, report, traces)
        self.rollbacks = apply(rollbacks, "rollback")

    def set_aside(self, change: str) -> float | None:
        """Return the metric of the tools that are reported to be set aside."""
        return self.registry.get_sample_value("rollguard_tools_set_aside", {"change": change})

    async def deploy(self, *requests: Deployment | bytes) -> None:
        """Handle these records until none of them is set aside."""
        await self.deployments.handle(batch(TOPICS.deployments, *requests))
        await all_applied(self.deployments)

    async def roll_back(self, *requests: RollbackCommand | bytes) -> None:
        """Handle these records until none of them is set aside."""
        await self.rollbacks.handle(batch(TOPICS.commands, *requests))
        await all_applied(self.rollbacks)


async def all_applied(changes: ApplyChanges[Any]) -> None:
    """Retry as a worker does, until nothing is set aside any more."""
    while changes.is_any_aside:
        await changes.retry()
        await asyncio.sleep(RETRY_EVERY_S)


def batch(topic: str, *requests: Deployment | RollbackCommand | bytes) -> Batch:
    """Return a batch of these messages; bytes are a bad record."""
    records: list[Any] = []
    for offset, request in enumerate(requests):
        key, value = (
            (b"bad", request)
            if isinstance(request, bytes)
            else (request.tool_name.encode(), request.to_bytes())
        )
        at_ms = int(NOW.timestamp() * 1000) + 7_200_000
        records.append(ConsumerRecord(topic, 0, offset, at_ms, 0, key, value, None, 0, 0, ()))
    return Batch(records)

"""Deployments: the applier compares their code, makes versions of it, and publishes outcomes."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from aiokafka.structs import ConsumerRecord

from agents.applier.deployments.decide_deployments import DecideDeployments
from agents.applier.deployments.deployment_report import DeploymentReport
from agents.applier.publish_changes import PublishChanges
from agents.applier.trace_changes import TraceChanges
from agents.applier.waiting.attempts import Request
from agents.comparer.fair_comparer import FairComparer
from db.postgres.pool import Pool
from schemas.deployment import (
    Deployment,
    DeploymentId,
    DeploymentOutcome,
)
from schemas.errors import Rejected
from schemas.fields import micros_of, storable, time_of
from schemas.settings import Settings
from streams.driver.outbox import Outbox, Outgoing, sendable_key
from streams.records import RecordValidator
from streams.topics import Topics

_LAST_MS: Final = micros_of(datetime.max.replace(tzinfo=UTC)) // 1000
"""The last time that an outcome can name. A producer may write a later one into a record, if the
topic does not have the broker's time."""


class Deployments:
    """The changes that records of `tool-deployments` ask for."""

    def __init__(
        self,
        publish: PublishChanges,
        pool: Pool,
        outbox: Outbox,
        validator: RecordValidator,
        comparer: FairComparer,
        settings: Settings,
        topics: Topics,
        report: DeploymentReport,
        traces: TraceChanges,
    ) -> None:
        self._publish = publish
        self._pool = pool
        self._outbox = outbox
        self._validator = validator
        self._comparer = comparer
        self._settings = settings
        self._topics = topics
        self._traces = traces
        self._report = report

    def read(self, record: ConsumerRecord) -> Deployment:
        """Read a record. Raises Rejected."""
        return self._validator.deployment(record)

    async def apply(self, group: Sequence[Request[Deployment]]) -> None:
        """Compare the code, make the versions, and publish them and the outcomes."""
        requests = [each.message for each in group]
        trace = self._traces.begin(group)
        decide = DecideDeployments(
            self._comparer, requests, self._settings, lambda: trace.reached("decided")
        )
        await decide.compare(self._pool)
        outcomes = await self._publish.make(
            [request.tool_name for request in requests],
            decide.deploy,
            self._topics.deployment_outcomes,
            trace,
            decide.others,
        )
        trace.end(outcomes)
        for outcome in decide.superseded:
            self._report.decided(outcome)
        for request, outcome in zip(requests, outcomes, strict=True):
            self._report.decided(outcome, request)

    async def rejected(self, record: ConsumerRecord, error: Rejected) -> None:
        """Publish the outcome `refused` if the id of the deployment can be read.

        If signatures are required, only what an author has sent has an outcome: whoever sends
        somebody's id, or a deployment that somebody has signed, must not decide what becomes of it.

        The outcome follows from the record alone, so it is the same after a crash. It is not
        stored: a bad record must not use up the id of a good one.
        """
        outcome = refusal_of(record, error) if self._validator.is_from_author(record) else None
        if outcome is not None:
            key, topic = sendable_key(record.key), self._topics.deployment_outcomes
            await self._outbox.publish([Outgoing(topic, key, outcome.to_bytes())])
            self._report.refused(outcome)


def refusal_of(record: ConsumerRecord, error: Rejected) -> DeploymentOutcome | None:
    """Return the outcome of a bad deployment; None if its id cannot be read. Pure.

    A bad answer has none: the deployment that it answers still waits.
    """
    try:
        request = DeploymentId.from_bytes(record.value)
    except Rejected:
        return None
    if request.is_answer:
        return None
    named = request.tool_name
    key = sendable_key(record.key) or b""
    tool_name = named if isinstance(named, str) else key.decode(errors="replace")
    return DeploymentOutcome(
        deployment_id=request.deployment_id,
        tool_name=storable(tool_name[:255]),
        status="refused",
        refusal=storable(str(error)),
        applied_at=time_of(min(max(0, record.timestamp), _LAST_MS) * 1000),
    )

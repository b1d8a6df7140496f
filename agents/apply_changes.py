"""The applier: deployments and rollback commands become versions in Postgres, then messages.

One Postgres transaction for each, then, still under the tool's lock, what Postgres now says is
published: the activation into the tool's log, the version, the outcome, each acknowledged before
the next. A crash in between repeats it: the transaction knows the id and answers with the first
outcome, and what is published again is current.
"""

import time
from uuid import UUID

import structlog
from aiokafka.structs import ConsumerRecord

from agents.breaking.analyst import Analyst
from agents.breaking.finding import Finding, is_breaking, sentences
from agents.retries import patiently
from db.pool import Connection, Pool, acquire
from db.rollbacks import roll_back
from db.versions import current_version, deploy, refuse, tool_lock
from schemas.deployment import Deployment, DeploymentId, DeploymentOutcome
from schemas.errors import Rejected
from schemas.fields import storable
from schemas.rollback import RollbackCommand, RollbackOutcome
from schemas.settings import Settings
from streams.batches import Batch
from streams.outbox import Outbox, Outgoing, sendable_key
from streams.records import Guard, dead_letter
from streams.steps import reached
from streams.topics import Topics
from streams.waits import Waits

log = structlog.get_logger()

ROLE = "applier"


class ApplyChanges:
    """Applies deployments and rollbacks, one after the other, and publishes what came of them."""

    def __init__(
        self,
        pool: Pool,
        outbox: Outbox,
        guard: Guard,
        analyst: Analyst,
        settings: Settings,
        waits: Waits,
    ) -> None:
        self._pool = pool
        self._waits = waits
        self._analyst = analyst
        self._outbox = outbox
        self._guard = guard
        self._topics = Topics.of(settings)

    async def handle(self, batch: Batch) -> None:
        """Apply the records of one partition of either topic."""
        for record in batch.records:
            try:
                if record.topic == self._topics.deployments:
                    await self._deploy(self._guard.deployment(record))
                else:
                    await self._roll_back(self._guard.command(record), record.timestamp)
            except Rejected as error:
                await self._reject(record, error)

    async def _deploy(self, deployment: Deployment) -> None:
        async def apply() -> DeploymentOutcome:
            async with acquire(self._pool) as conn, tool_lock(conn, deployment.tool_name):
                # under the tool's lock: what is compared with is what is replaced
                findings = await self._findings(conn, deployment)
                outcome = await deploy(conn, deployment, sentences(findings), is_breaking(findings))
                reached("applier.committed")
                if outcome.status == "created":
                    await self._publish_current(conn, deployment.tool_name)
            await self._publish_deployment_outcome(outcome, deployment.tool_name.encode())
            reached("applier.outcome_published")
            return outcome

        outcome = await patiently(apply, self._waits)
        log.info(
            "deployment",
            tool=deployment.tool_name,
            status=outcome.status,
            version=outcome.version_id,
            number=outcome.version_number,
            breaking=outcome.is_breaking_change,
            activation=outcome.activation,
        )

    async def _findings(self, conn: Connection, deployment: Deployment) -> list[Finding]:
        """What the code breaks against the current version's; that same code breaks nothing."""
        current = await current_version(conn, deployment.tool_name)
        if current is not None and current.code == deployment.code:
            return []
        replaced = None if current is None else current.code
        return await self._analyst.compare(replaced, deployment.code)

    async def _roll_back(self, command: RollbackCommand, commanded_ms: int) -> None:
        async def apply() -> RollbackOutcome:
            async with acquire(self._pool) as conn, tool_lock(conn, command.tool_name):
                outcome = await roll_back(conn, command)
                reached("applier.committed")
                if outcome.status == "applied":
                    await self._publish_current(conn, command.tool_name)
            await self._outbox.publish(
                [Outgoing.of(self._topics.outcomes, command.tool_name, outcome)]
            )
            reached("applier.outcome_published")
            return outcome

        outcome = await patiently(apply, self._waits)
        _log_rollback(command, outcome, commanded_ms)

    async def _publish_current(self, conn: Connection, tool: str) -> None:
        """Publish what Postgres says now: it may be newer than what was just applied."""
        version = await current_version(conn, tool)
        if version is None:
            raise RuntimeError(f"{tool} has no current version behind an applied change")
        await self._outbox.publish(
            [Outgoing.of(self._topics.executions, tool, version.as_activation())]
        )
        reached("applier.activation_published")
        await self._outbox.publish([Outgoing.of(self._topics.versions, tool, version)])
        reached("applier.version_published")

    async def _publish_deployment_outcome(
        self, outcome: DeploymentOutcome, key: bytes | None
    ) -> None:
        await self._outbox.publish(
            [Outgoing(self._topics.deployment_outcomes, key, outcome.to_bytes())]
        )

    async def _reject(self, record: ConsumerRecord, error: Rejected) -> None:
        """A dead letter; for a deployment whose id can be read, the outcome `refused` as well."""
        letter = dead_letter(ROLE, record, error)
        log.warning(
            "dead_letter", topic=record.topic, offset=record.offset, error=letter.error[:300]
        )
        await self._outbox.publish([Outgoing.letter(self._topics.dead_letters, record.key, letter)])
        reached("applier.letter_published")
        if record.topic != self._topics.deployments:
            return
        try:
            wish = DeploymentId.from_bytes(record.value)
        except Rejected:
            return
        key = sendable_key(record.key)
        named = (
            wish.tool_name
            if isinstance(wish.tool_name, str)
            else (key or b"").decode(errors="replace")
        )
        await self._refuse(wish.deployment_id, key, storable(named[:255]), str(error))

    async def _refuse(
        self, deployment_id: UUID, key: bytes | None, tool_name: str, refusal: str
    ) -> None:
        async def apply() -> None:
            async with acquire(self._pool) as conn:
                outcome = await refuse(conn, deployment_id, tool_name, refusal)
            reached("applier.refusal_committed")
            await self._publish_deployment_outcome(outcome, key)

        await patiently(apply, self._waits)


def _log_rollback(command: RollbackCommand, outcome: RollbackOutcome, commanded_ms: int) -> None:
    say = log.error if outcome.rejection == "no_previous_version" else log.info
    say(
        "rollback",
        tool=command.tool_name,
        status=outcome.status,
        rejection=outcome.rejection,
        from_version=outcome.from_version_id,
        to_version=outcome.to_version_id,
        tier=outcome.tier,
        reason=outcome.reason,
        executions=command.details.get("executions"),
        failures=command.details.get("failures"),
        command=str(command.command_id),
        latency_ms=round(time.time() * 1000 - commanded_ms, 1),
    )

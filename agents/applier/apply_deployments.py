"""Deployments: compared with what they replace, made versions, each with its outcome."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import structlog
from aiokafka.structs import ConsumerRecord

from agents.applier.apply_changes import Request
from agents.applier.in_time import COMPARE_GROUP_S, those_in_time
from agents.applier.publish_changes import PublishChanges
from agents.applier.refusals import rolled_back_code
from agents.comparer.code_comparer import CodeComparer
from db.postgres.pool import Connection, Pool, acquire
from db.versions.tool_versions import Compared, current_versions, deploy_each, refuse
from policy.breaking.finding import Finding, is_breaking, sentences
from schemas.deployment import Deployment, DeploymentId, DeploymentOutcome, ToolVersion
from schemas.errors import Rejected
from schemas.fields import storable
from schemas.settings import Settings
from streams.crash_points import crash_point
from streams.driver.outbox import Outbox, Outgoing, sendable_key
from streams.records import RecordValidator
from streams.retries import patiently
from streams.topics import Topics
from streams.waits import Waits

log = structlog.get_logger()


class Deployments:
    """What `tool-deployments` asks for."""

    def __init__(
        self,
        publish: PublishChanges,
        pool: Pool,
        outbox: Outbox,
        validator: RecordValidator,
        comparer: CodeComparer,
        settings: Settings,
        topics: Topics,
        waits: Waits,
    ) -> None:
        self._publish = publish
        self._pool = pool
        self._outbox = outbox
        self._validator = validator
        self._comparer = comparer
        self._settings = settings
        self._topics = topics
        self._waits = waits

    def read(self, record: ConsumerRecord) -> Deployment:
        return self._validator.deployment(record)

    async def apply(self, group: Sequence[Request[Deployment]]) -> int:
        """Those of the group that could be compared in ``COMPARE_GROUP_S``: a worker that commits
        nothing for long is taken to be stuck.
        """
        comparison = _Comparison(self._comparer, [each.request for each in group])
        async with acquire(self._pool) as conn:
            current = await current_versions(conn, [each.request.tool_name for each in group])
        requests = await comparison.begin(current)
        tools = [request.tool_name for request in requests]

        async def deploy(conn: Connection) -> list[DeploymentOutcome]:
            # Under the tools' locks: what is compared with is what is replaced. It is known
            # already, but for tools that were changed since.
            current = await current_versions(conn, tools)
            rolled_back = await rolled_back_code(conn, requests, current, self._settings)
            return await deploy_each(conn, await comparison.with_those(current), rolled_back)

        outcomes = await self._publish.make(tools, deploy, self._topics.deployment_outcomes)
        for request, outcome in zip(requests, outcomes, strict=True):
            _log(request, outcome)
        return len(requests)

    async def rejected(self, record: ConsumerRecord, error: Rejected) -> None:
        """The outcome `refused`, where the deployment's id can be read."""
        try:
            request = DeploymentId.from_bytes(record.value)
        except Rejected:
            return
        key = sendable_key(record.key)
        named = (
            request.tool_name
            if isinstance(request.tool_name, str)
            else (key or b"").decode(errors="replace")
        )
        await self._refuse(request.deployment_id, key, storable(named[:255]), str(error))

    async def _refuse(
        self, deployment_id: UUID, key: bytes | None, tool_name: str, refusal: str
    ) -> None:
        async def apply() -> None:
            async with acquire(self._pool) as conn:
                outcome = await refuse(conn, deployment_id, tool_name, refusal)
            crash_point("applier.refusal_committed")
            topic = self._topics.deployment_outcomes
            await self._outbox.publish([Outgoing(topic, key, outcome.to_bytes())])

        await patiently(apply, self._waits)


class _Comparison:
    """Deployments of different tools beside the versions that are current."""

    def __init__(self, comparer: CodeComparer, requests: Sequence[Deployment]) -> None:
        self._comparer = comparer
        self._wishes = requests
        self._known: dict[tuple[str, int | None], list[Finding]] = {}
        """By tool and the id of the version that was current."""

    async def begin(self, current: Mapping[str, ToolVersion]) -> Sequence[Deployment]:
        """Compare for ``COMPARE_GROUP_S``; leave those that were not come to, and return the
        others.
        """

        async def compare(request: Deployment) -> None:
            await self._findings(request, current.get(request.tool_name))

        self._wishes = await those_in_time(self._wishes, compare, COMPARE_GROUP_S)
        return self._wishes

    async def with_those(self, current: Mapping[str, ToolVersion]) -> list[Compared]:
        """What each of them breaks; what was asked before is known."""
        compared = []
        for request in self._wishes:
            findings = await self._findings(request, current.get(request.tool_name))
            compared.append(Compared(request, sentences(findings), is_breaking(findings)))
        return compared

    async def _findings(self, request: Deployment, current: ToolVersion | None) -> list[Finding]:
        """What the code breaks against the current version's; that same code breaks nothing."""
        if current is not None and current.code == request.code:
            return []
        place = request.tool_name, None if current is None else current.version_id
        if place not in self._known:
            replaced = None if current is None else current.code
            self._known[place] = await self._comparer.compare(replaced, request.code)
        return self._known[place]


def _log(request: Deployment, outcome: DeploymentOutcome) -> None:
    log.info(
        "deployment",
        tool=request.tool_name,
        status=outcome.status,
        refusal=outcome.refusal,
        version=outcome.version_id,
        number=outcome.version_number,
        breaking=outcome.is_breaking_change,
        activation=outcome.activation,
    )

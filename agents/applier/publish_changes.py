"""One Postgres transaction for a group of changes, and the messages that follow from it.

Messages are published while the tools are still locked: first the activations to
`tool-executions`, then the versions, then the outcomes. Each kind is acknowledged before the next
one is published. After a crash in between, everything is done again: the transaction finds the ids
and returns the first outcomes, and the versions that are published again are the current ones.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar
from uuid import UUID

from agents.applier.trace_changes import GroupTrace
from db.postgres.locks import locked_tools
from db.postgres.pool import Connection, Pool
from db.versions.reading import current_versions
from schemas.deployment import DeploymentOutcome
from schemas.rollback import RollbackOutcome
from streams.crash_points import crash_point
from streams.driver.outbox import Outbox, Outgoing
from streams.topics import Topics

Outcome = TypeVar("Outcome", DeploymentOutcome, RollbackOutcome)

_CHANGED: Final = ("created", "applied")
_TOLD: Final = ("dismissed", "outage")
"""The rejections that detectors must know: each is the name of a field of an activation."""


class PublishChanges:
    """Makes the changes of a group and publishes them."""

    def __init__(self, pool: Pool, outbox: Outbox, topics: Topics) -> None:
        self._pool = pool
        self._outbox = outbox
        self._topics = topics

    async def make(
        self,
        tools: Sequence[str],
        change: Callable[[Connection], Awaitable[list[Outcome]]],
        outcomes_topic: str,
        trace: GroupTrace,
        others: Callable[[Connection], Awaitable[list[Outcome]]] | None = None,
    ) -> list[Outcome]:
        """Lock the tools, call ``change``, which runs its transaction, and publish the results.

        The records belong to ``trace``, which must have been told when the changes were decided.
        ``others`` returns more outcomes that follow from the change, by what is stored.

        Return the outcomes, one for each tool, after the broker has acknowledged them. No tool may
        be there twice. Raises Retryable.
        """
        async with locked_tools(self._pool, *tools) as conn:
            outcomes = await change(conn)
            trace.reached("committed")
            crash_point("applier.committed")
            await self._publish_current(conn, _changed(tools, outcomes), trace)
            await self._publish_answers(conn, _answers(tools, outcomes))
            more: list[Outcome] = [] if others is None else await others(conn)
            await self._outbox.publish(
                [Outgoing.of(outcomes_topic, each.tool_name, each) for each in more]
                + [
                    Outgoing.of(outcomes_topic, tool, outcome, trace.headers(tool, "outcome"))
                    for tool, outcome in zip(tools, outcomes, strict=True)
                ]
            )
            trace.reached("outcome")
            crash_point("applier.outcome_published")
            return outcomes

    async def _publish_current(
        self, conn: Connection, tools: Sequence[str], trace: GroupTrace
    ) -> None:
        """Publish the current versions and their activations.

        If an outcome is repeated, the current version may be newer than that of the outcome.
        """
        if not tools:
            return
        current = await current_versions(conn, tools)
        if missing := set(tools) - current.keys():
            raise RuntimeError(f"{missing} have no current version after an applied change")
        versions = [(tool, current[tool]) for tool in tools]
        await self._outbox.publish(
            [
                Outgoing.of(
                    self._topics.executions,
                    tool,
                    version.as_activation(),
                    trace.headers(tool, "activation"),
                )
                for tool, version in versions
            ]
        )
        trace.reached("activation")
        crash_point("applier.activation_published")
        await self._outbox.publish(
            [
                Outgoing.of(self._topics.versions, tool, version, trace.headers(tool, "version"))
                for tool, version in versions
            ]
        )
        trace.reached("version")
        crash_point("applier.version_published")

    async def _publish_answers(
        self, conn: Connection, answers: Mapping[str, Mapping[str, UUID]]
    ) -> None:
        """Say in the logs of these tools what became of a command, so that detectors know it.

        It is said by the current activation once more. If it is said twice, or about a version that
        is no longer current, that changes nothing.
        """
        if not answers:
            return
        current = await current_versions(conn, list(answers))
        await self._outbox.publish(
            [
                Outgoing.of(
                    self._topics.executions,
                    tool,
                    version.as_activation().model_copy(update=answers[tool]),
                )
                for tool, version in current.items()
            ]
        )


def _answers(tools: Sequence[str], outcomes: Sequence[Outcome]) -> dict[str, dict[str, UUID]]:
    """Return, by tool, the field of an activation that says what became of a command.

    Only what detectors must know: that a person dismissed it, or that there was an outage.
    """
    answers: dict[str, dict[str, UUID]] = {}
    for tool, outcome in zip(tools, outcomes, strict=True):
        if isinstance(outcome, RollbackOutcome) and outcome.rejection in _TOLD:
            answers[tool] = {outcome.rejection: outcome.command_id}
    return answers


def _changed(tools: Sequence[str], outcomes: Sequence[Outcome]) -> list[str]:
    """Return the tools that have a new activation."""
    return [
        tool for tool, outcome in zip(tools, outcomes, strict=True) if outcome.status in _CHANGED
    ]

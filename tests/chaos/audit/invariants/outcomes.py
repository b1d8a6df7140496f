"""Invariant: each command and each deployment has one outcome, in its topic and in Postgres."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from uuid import UUID

from tests.chaos.audit.final_state import FinalState, refused_id
from tests.chaos.audit.invariants.violation import Violation


class _Requests(NamedTuple):
    """All commands or all deployments, with their outcomes, by the id of the request."""

    kind: str
    tools: dict[UUID, str]
    stored: dict[UUID, Any]
    """The outcome in Postgres."""
    published: dict[UUID, set[Any]]
    """The different outcomes in the topic; one may be there several times."""


def wrong_outcomes(state: FinalState) -> Iterator[Violation]:
    """Yield requests that have no outcome or several, and outcomes that no request has."""
    commands, deployments = _commands(state), _deployments(state)
    yield from _wrong_of(commands)
    for command, outcomes in commands.published.items():
        stored = commands.stored.get(command)
        if command in commands.tools and len(outcomes) == 1 and outcomes != {stored}:
            text = f"{outcomes} in the topic, {stored} in Postgres"
            yield Violation("outcomes", commands.tools[command], f"command {command}", text)
    yield from _wrong_of(deployments)


def _commands(state: FinalState) -> _Requests:
    return _Requests(
        "command",
        {command.command_id: command.tool_name for _, command in state.commands},
        {row["command_id"]: (row["status"], row["rejection"]) for row in state.tables["rollbacks"]},
        _by_request(
            (each.command_id, (each.status, each.rejection)) for each in state.rollback_outcomes
        ),
    )


def _deployments(state: FinalState) -> _Requests:
    """Return the deployments; a bad one whose id can be read is refused and has an outcome too."""
    tools = {each.deployment_id: each.tool_name for _, each in state.deployments}
    for _, record in state.poison.values():
        if record.topic == "tool-deployments" and (bad := refused_id(record)) is not None:
            tools[bad] = "?"
    return _Requests(
        "deployment",
        tools,
        {row["deployment_id"]: row["outcome"] for row in state.tables["deployments"]},
        _by_request(
            (each.deployment_id, each.model_dump_json()) for each in state.deployment_outcomes
        ),
    )


def _by_request(outcomes: Iterable[tuple[UUID, Any]]) -> dict[UUID, set[Any]]:
    found = defaultdict(set)
    for request, outcome in outcomes:
        found[request].add(outcome)
    return dict(found)


def _wrong_of(requests: _Requests) -> Iterator[Violation]:
    kind, tools, stored, published = requests
    for request, tool in tools.items():
        if request not in stored:
            yield Violation("outcomes", tool, f"{kind} {request}", "has no row in Postgres")
        if (number := len(published.get(request, ()))) != 1:
            text = f"has {number} different outcomes"
            yield Violation("outcomes", tool, f"{kind} {request}", text)
    for stray in (stored.keys() | published.keys()) - tools.keys():
        yield Violation("outcomes", "?", f"{kind} {stray}", "nobody asked for it")

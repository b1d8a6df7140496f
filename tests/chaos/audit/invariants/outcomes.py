"""Invariant: each command and each deployment has one outcome, in its topic and in Postgres."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from uuid import UUID

from tests.chaos.audit.final_state import FinalState
from tests.chaos.audit.invariants.violation import Violation


class _Request(NamedTuple):
    """A command or a deployment: an id counts within its tool, and within the kind of command."""

    tool: str
    id: UUID
    is_automatic: bool = False


class _Requests(NamedTuple):
    """All commands or all deployments, with their outcomes."""

    kind: str
    requests: set[_Request]
    stored: dict[_Request, Any]
    """The outcome in Postgres."""
    published: dict[_Request, set[Any]]
    """The different outcomes in the topic; one may be there several times."""


def wrong_outcomes(state: FinalState) -> Iterator[Violation]:
    """Yield requests that have no outcome or several, and outcomes that no request has."""
    commands, deployments = _commands(state), _deployments(state)
    yield from _wrong_of(commands)
    for command, outcomes in commands.published.items():
        stored = commands.stored.get(command)
        if command in commands.requests and len(outcomes) == 1 and outcomes != {stored}:
            text = f"{outcomes} in the topic, {stored} in Postgres"
            yield Violation("outcomes", command.tool, f"command {command.id}", text)
    yield from _wrong_of(deployments)
    yield from _wrong_refusals(state)


def _commands(state: FinalState) -> _Requests:
    return _Requests(
        "command",
        {_Request(*command.key) for _, command in state.commands},
        {
            _Request(row["tool_name"], row["command_id"], row["tier"] != "manual"): (
                *(row["status"], row["rejection"]),
            )
            for row in state.tables["rollbacks"]
        },
        _by_request(
            (_Request(*each.key), (each.status, each.rejection)) for each in state.rollback_outcomes
        ),
    )


def _deployments(state: FinalState) -> _Requests:
    """Return the good deployments, with their outcomes."""
    refused = _refused(state)
    held = {
        (row["tool_name"], row["deployment_id"])
        for row in state.tables["held_deployments"]
        if row["status"] == "held"
    }
    return _Requests(
        "deployment",
        {_Request(each.tool_name, each.deployment_id) for _, each in state.deployments},
        {
            _Request(row["tool_name"], row["deployment_id"]): row["outcome"]
            for row in state.tables["deployments"]
        },
        _by_request(
            (_Request(each.tool_name, each.deployment_id), each.model_dump_json())
            for each in state.deployment_outcomes
            if each.deployment_id not in refused
            # one that does not wait any more has another outcome afterwards
            and (each.status != "held" or (each.tool_name, each.deployment_id) in held)
        ),
    )


def _refused(state: FinalState) -> set[UUID]:
    """Return the ids of the bad deployments that must have a refusal."""
    return {each.refused_id for each in state.poison.values() if each.refused_id is not None}


def _wrong_refusals(state: FinalState) -> Iterator[Violation]:
    """Yield bad deployments without exactly one refusal; ids of poison are their own."""
    published = _by_request(
        (_Request("?", each.deployment_id), each.model_dump_json())
        for each in state.deployment_outcomes
        if each.status == "refused"
    )
    for bad in _refused(state):
        if (number := len(published.get(_Request("?", bad), ()))) != 1:
            text = f"has {number} different refusals"
            yield Violation("outcomes", "?", f"deployment {bad}", text)


def _by_request(outcomes: Iterable[tuple[_Request, Any]]) -> dict[_Request, set[Any]]:
    found = defaultdict(set)
    for request, outcome in outcomes:
        found[request].add(outcome)
    return dict(found)


def _wrong_of(requests: _Requests) -> Iterator[Violation]:
    kind, asked, stored, published = requests
    for request in asked:
        if request not in stored:
            text = "has no row in Postgres"
            yield Violation("outcomes", request.tool, f"{kind} {request.id}", text)
        if (number := len(published.get(request, ()))) != 1:
            text = f"has {number} different outcomes"
            yield Violation("outcomes", request.tool, f"{kind} {request.id}", text)
    for stray in (stored.keys() | published.keys()) - asked:
        yield Violation("outcomes", stray.tool, f"{kind} {stray.id}", "nobody asked for it")

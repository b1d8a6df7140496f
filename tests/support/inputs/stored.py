"""Messages for tests, and functions that store them in Postgres as the product does."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final
from uuid import uuid4

from agents.applier.comparisons import NotCompared
from agents.applier.rollbacks.decide_rollbacks import DecideRollbacks
from agents.comparer.fair_comparer import FairComparer
from db.executions.recording import LogEntry, next_offset, record
from db.postgres.pool import Connection
from db.stops.changing import NewStop, StopEnd, begin, end
from db.versions.deploying import Compared, deploy_each
from db.versions.reading import current_version, history
from policy.breaking.finding import Finding
from schemas.deployment import Deployment, DeploymentOutcome
from schemas.execution import ActivatedBy, Activation, Execution
from schemas.execution_entry import ExecutionEntry
from schemas.explanation import SeenError
from schemas.later_verdict import LaterVerdict
from schemas.rollback import RollbackCommand, RollbackOutcome
from schemas.rules.fleet import FleetRules
from schemas.rules.outages import OutageRules
from schemas.rules.rules import Rules
from schemas.stops import Stop, StopKind
from tests.support.waiting import until

NOW: Final = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
TOPIC: Final = "tool-executions"
DEFAULT_RULES: Final = Rules()
DEFAULT_FLEET: Final = FleetRules()


def deployment(code: str = "one", tool: str = "parser", **fields: Any) -> Deployment:
    given = {
        "deployment_id": uuid4(),
        "tool_name": tool,
        "code": code,
        "created_by": "human",
        "improvement_type": "bug_fix",
        "deployed_at": NOW,
    }
    return Deployment.model_validate(given | fields)


def command(tool: str = "parser", **fields: Any) -> RollbackCommand:
    given = {
        "command_id": uuid4(),
        "tool_name": tool,
        "tier": "manual",
        "reason": "manual",
        "issued_by": "someone",
        "issued_at": NOW + timedelta(hours=1),
    }
    return RollbackCommand.model_validate(given | fields)


def execution(tool: str = "parser", success: bool = True, **fields: Any) -> Execution:
    given = {
        "execution_id": uuid4(),
        "tool_name": tool,
        "success": success,
        "executed_at": NOW,
    }
    return Execution.model_validate(given | fields)


def activation(version_id: int, number: int, tool: str = "parser") -> Activation:
    return Activation(
        tool_name=tool,
        version_id=version_id,
        version_number=1,
        code_hash="0" * 64,
        activation=number,
        activated_at=NOW,
        activated_by=ActivatedBy(kind="deployment", id=uuid4()),
    )


async def deploy(
    conn: Connection,
    deployment: Deployment,
    breaking: Sequence[str] = (),
    is_breaking: bool = False,
) -> DeploymentOutcome:
    """Deploy one version, as a group with one member."""
    [outcome] = await deploy_each(conn, [Compared(deployment, breaking, is_breaking)])
    return outcome


class _NothingBreaks:
    """A code comparer without findings."""

    async def try_compare(self, old: str | None, new: str) -> list[Finding]:
        return []


async def roll_back(
    conn: Connection, command: RollbackCommand, rules: Rules = DEFAULT_RULES
) -> RollbackOutcome:
    """Decide and apply one command as the applier does."""
    [outcome] = await roll_back_each(conn, [command], lambda _: rules)
    return outcome


async def roll_back_each(
    conn: Connection,
    commands: Sequence[RollbackCommand],
    rules_of: Callable[[str], Rules] = lambda _: DEFAULT_RULES,
    fleet: FleetRules = DEFAULT_FLEET,
    errors: Mapping[str, Sequence[SeenError]] = MappingProxyType({}),
) -> list[RollbackOutcome]:
    """Decide and apply a group of commands as the applier does; no target breaks anything."""
    nothing: Any = _NothingBreaks()
    decide = DecideRollbacks(
        FairComparer(nothing, nothing),
        rules_of,
        commands,
        errors,
        fleet,
        OutageRules(),
        lambda: None,
    )
    while True:
        try:
            return await decide.roll_back(conn)
        except NotCompared as error:
            await asyncio.wait(error.tools.values())


async def deploy_all(conn: Connection, *codes: str, tool: str = "parser") -> list[int]:
    """Deploy these codes in their order, and return the ids of the versions."""
    outcomes = [await deploy(conn, deployment(code, tool)) for code in codes]
    return [outcome.version_id or 0 for outcome in outcomes]


async def begin_stop(
    conn: Connection,
    kind: StopKind,
    tool: str | None = "parser",
    reason: str = "release",
    by: str = "ann",
    until: datetime | None = None,
) -> Stop | None:
    """Pin, or freeze, as a person does."""
    return await begin(conn, NewStop(kind, tool, reason, by, until))


async def end_stop(
    conn: Connection, kind: StopKind, tool: str | None = "parser", by: str = "ben"
) -> Stop | None:
    """End a stop as a person does."""
    return await end(conn, StopEnd(kind, tool, by, "removed"))


def entry(**fields: Any) -> ExecutionEntry:
    """Return an execution as the recorder reads it."""
    return ExecutionEntry.of(execution(**fields))


def verdict(**fields: Any) -> LaterVerdict:
    """Return a later verdict: an execution of version 1 of `parser` was bad."""
    values = {
        "verdict_id": uuid4(),
        "execution_id": uuid4(),
        "tool_name": "parser",
        "version_id": 1,
        "bad": True,
        "by": "judge",
        "why": "wrong",
        "judged_at": NOW,
    }
    return LaterVerdict.model_validate(values | fields)


async def record_all(conn: Connection, *entries: Execution | Activation | LaterVerdict) -> int:
    """Store the next entries of a log as the recorder does."""
    start = await next_offset(conn, TOPIC, 0)
    end = start + len(entries)
    read = [log_entry(offset, entry) for offset, entry in enumerate(entries, start)]
    return await record(conn, TOPIC, 0, start, end, read)


def log_entry(
    offset: int, entry: Execution | Activation | LaterVerdict, rules: Rules = DEFAULT_RULES
) -> LogEntry:
    """Return an entry of the log as the recorder reads it under these rules."""
    if not isinstance(entry, Execution):
        return LogEntry(offset, entry)
    origin = None if entry.success else rules.failure_classes.origin_of(entry)
    return LogEntry(offset, ExecutionEntry.of(entry), origin)


async def metrics(conn: Connection, version_id: int) -> tuple[int, int, float | None]:
    """Return the executions, the successes and the success rate of a version."""
    row = await conn.fetchrow(
        "select total_executions, successful_executions, success_rate from tool_versions"
        " where version_id = $1",
        version_id,
    )
    assert row is not None
    return tuple(row)


async def automatic(conn: Connection, tool: str = "parser", **fields: Any) -> RollbackOutcome:
    """Apply a command as the detector issues it when the current version fails."""
    current = await current_version(conn, tool)
    about = (
        {"from_version_id": current.version_id, "from_activation": current.activation}
        if current
        else {}
    )
    decided = {"tier": "immediate", "reason": "complete_failure"}
    return await roll_back(conn, command(tool, **(decided | about | fields)))


async def trusted(conn: Connection, tool: str = "parser") -> list[bool]:
    """Return, for each version in the order of their numbers, whether it is trusted."""
    return [found.trusted for found in reversed(await history(conn, tool, 100))]


def answer(held: RollbackCommand, fields: dict[str, Any]) -> RollbackCommand:
    """Return a person's answer to a held command: the command with more fields."""
    return held.model_copy(update=fields)


async def let_expire(conn: Connection, held: RollbackCommand) -> datetime:
    """Let a held command expire, and return the time at which it did."""
    at: datetime = await conn.fetchval(
        "update rollbacks set expires_at = clock_timestamp() - interval '1 minute'"
        " where command_id = $1 returning expires_at",
        held.command_id,
    )
    return at


async def held_locks(conn: Connection) -> int:
    """Return how many locks of tools are held on the server."""
    [locked] = await conn.fetch(
        "select count(*) from tool_locks"
        " where (tool_name, kind) not in"
        " (select tool_name, kind from tool_locks for update skip locked)"
    )
    return int(locked[0])


async def until_one_waits(conn: Connection) -> None:
    """Return when another session of the database of ``conn`` waits for a lock."""

    async def waits() -> bool:
        await conn.execute(
            "select pg_stat_clear_snapshot()"
        )  # a transaction keeps what it has seen
        waiting: bool = await conn.fetchval(
            "select exists (select from pg_stat_activity"
            " where wait_event_type = 'Lock' and datname = current_database())"
        )
        return waiting

    await until(waits)

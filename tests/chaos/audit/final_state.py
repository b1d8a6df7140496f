"""The final state of a run: all records and all rows, read once by plain clients."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote
from uuid import UUID

import aiohttp
import asyncpg
from aiokafka.structs import ConsumerRecord
from yarl import URL

from schemas.dead_letter import DeadLetter
from schemas.deployment import Deployment, DeploymentOutcome, ToolVersion
from schemas.execution import Activation, Execution, read_log_entry
from schemas.later_verdict import LaterVerdict
from schemas.rollback import RollbackCommand, RollbackOutcome
from schemas.settings import Settings
from tests.chaos.attack.forgeries import FORGED, POISON, UNANSWERED
from tests.chaos.audit.topic_reader import read_all
from tests.chaos.engines import Engines, LoadedVersion
from tests.chaos.placement import partition_of

FORWARDED = "rollguard-from"

LogEntry = Execution | Activation | LaterVerdict


class RecordPosition(NamedTuple):
    """The position of a record in Kafka."""

    topic: str
    partition: int
    offset: int


class BadRecord(NamedTuple):
    """A record that had to become a dead letter."""

    cause: str
    """A text that the error of the dead letter must contain."""
    refused_id: UUID | None
    """The id of a deployment that must have the outcome `refused`; None if there must be none."""


@dataclass
class FinalState:
    """The log of each tool, in order; all other records in the order of their partitions."""

    settings: Settings
    """The settings of the workers."""
    logs: dict[str, list[tuple[ConsumerRecord, LogEntry]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    deployments: list[tuple[ConsumerRecord, Deployment]] = field(default_factory=list)
    commands: list[tuple[ConsumerRecord, RollbackCommand]] = field(default_factory=list)
    versions: list[tuple[ConsumerRecord, ToolVersion]] = field(default_factory=list)
    deployment_outcomes: list[DeploymentOutcome] = field(default_factory=list)
    rollback_outcomes: list[RollbackOutcome] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    rows: list[ConsumerRecord] = field(default_factory=list)
    """The changelog of the detector's table."""
    poison: dict[RecordPosition, BadRecord] = field(default_factory=dict)
    misplaced: dict[RecordPosition, ConsumerRecord] = field(default_factory=dict)
    """Executions and verdicts that lie in another partition than that of their key."""
    copies: list[ConsumerRecord] = field(default_factory=list)
    """What was forwarded, also again."""
    forged: int = 0
    """How many records of the attacker are in topics."""
    loaded: set[LoadedVersion] = field(default_factory=set)
    """All that engines have loaded."""
    in_use: dict[str, int] = field(default_factory=dict)
    """The activation of each tool that engines have in use."""
    tables: dict[str, list[asyncpg.Record]] = field(default_factory=dict)
    """The rows of the tables in Postgres."""
    health: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The detector's answer about the health of each tool, with the HTTP status as `status`."""


_QUERIES = {
    "versions": "select * from tool_versions order by tool_name, version_number",
    "executions": "select execution_id, tool_name, version_id, success, error_origin, duration_ms,"
    " cost from tool_executions",
    "verdicts": "select * from later_verdicts",
    "held_deployments": "select tool_name, deployment_id, status from held_deployments",
    "rollbacks": "select * from rollbacks",
    "deployments": "select tool_name, deployment_id, outcome::text from deployments",
    "stops": "select * from stops",
}


async def read_final_state(
    settings: Settings, dsn: str, detector_url: str, engines: Engines
) -> FinalState:
    """Read everything; all workers must have caught up."""
    state = FinalState(settings)
    for record in counted_once(state, await _good_records(state, "tool-executions")):
        entry = read_log_entry(record.value)
        state.logs[entry.tool_name].append((record, entry))
    for record in await _good_records(state, "tool-deployments"):
        state.deployments.append((record, Deployment.from_bytes(record.value)))
    for record in await _good_records(state, "rollback-commands"):
        state.commands.append((record, RollbackCommand.from_bytes(record.value)))
    for record in await _good_records(state, "tool-versions"):
        state.versions.append((record, ToolVersion.from_bytes(record.value)))
    for record in await read_all(settings, "deployment-outcomes"):
        state.deployment_outcomes.append(DeploymentOutcome.from_bytes(record.value))
    for record in await read_all(settings, "rollback-outcomes"):
        state.rollback_outcomes.append(RollbackOutcome.from_bytes(record.value))
    for record in await read_all(settings, "dead-letters"):
        state.dead_letters.append(DeadLetter.from_bytes(record.value))
    state.rows = await read_all(settings, "rollguard-detector-tool-windows-changelog")
    state.tables = await _tables(dsn)
    state.health = await _health(detector_url, list(state.logs))
    await engines.wait_for(current_activations(state))
    state.loaded, state.in_use = engines.loaded, engines.activations()
    return state


async def _good_records(state: FinalState, topic: str) -> list[ConsumerRecord]:
    """Return the records of a topic without the bad ones, which are noted in the state."""
    return [
        record for record in await read_all(state.settings, topic) if not _is_bad(state, record)
    ]


def counted_once(state: FinalState, records: list[ConsumerRecord]) -> list[ConsumerRecord]:
    """Return the records that count: of what was forwarded, the first copy.

    The others are noted in the state.
    """
    found, sources = list[ConsumerRecord](), set[bytes]()
    for record in records:
        source = dict(record.headers).get(FORWARDED)
        if record.partition != partition_of(record.key.decode()):
            state.misplaced[RecordPosition(record.topic, record.partition, record.offset)] = record
            continue
        if source is not None:
            state.copies.append(record)
            if source in sources:
                continue
            sources.add(source)
        found.append(record)
    return found


def _is_bad(state: FinalState, record: ConsumerRecord) -> bool:
    """Return whether nothing may follow from the record; note what must become of it."""
    headers = dict(record.headers)
    state.forged += FORGED in headers
    if POISON in headers:
        position = RecordPosition(record.topic, record.partition, record.offset)
        is_answered = record.topic == "tool-deployments" and UNANSWERED not in headers
        refused_id = _deployment_id(record) if is_answered else None
        state.poison[position] = BadRecord(headers[POISON].decode(), refused_id)
    return POISON in headers or FORGED in headers


async def _tables(dsn: str) -> dict[str, list[asyncpg.Record]]:
    connection = await asyncpg.connect(dsn)
    try:
        return {name: list(await connection.fetch(sql)) for name, sql in _QUERIES.items()}
    finally:
        await connection.close()


async def _health(url: str, tools: list[str]) -> dict[str, dict[str, Any]]:
    found = {}
    async with aiohttp.ClientSession() as session:
        for tool in tools:
            path = f"/tools/{quote(tool, safe='')}/health"
            async with session.get(URL(url + path, encoded=True)) as answer:
                found[tool] = {"status": answer.status, **await answer.json()}
    return found


def _deployment_id(record: ConsumerRecord) -> UUID | None:
    """Return the id of a bad deployment; None if it cannot be read."""
    try:
        return UUID(json.loads(record.value)["deployment_id"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def current_activations(state: FinalState) -> dict[str, int]:
    """Return the activation of each tool that is current in Postgres."""
    rows = state.tables["versions"]
    return {row["tool_name"]: row["activation"] for row in rows if row["is_current"]}

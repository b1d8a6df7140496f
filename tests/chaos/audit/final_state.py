"""The final state of a run: all records and all rows, read once by plain clients."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

import aiohttp
import asyncpg
from aiokafka.structs import ConsumerRecord

from schemas.dead_letter import DeadLetter
from schemas.deployment import Deployment, DeploymentOutcome, ToolVersion
from schemas.execution import Activation, Execution, read_log_entry
from schemas.rollback import RollbackCommand, RollbackOutcome
from schemas.settings import Settings
from tests.chaos.audit.topic_reader import read_all
from tests.chaos.workload import HEADER


class RecordPosition(NamedTuple):
    """The position of a record in Kafka."""

    topic: str
    partition: int
    offset: int


@dataclass
class FinalState:
    """The log of each tool, in order; all other records in the order of their partitions."""

    settings: Settings
    """The settings of the workers."""
    logs: dict[str, list[tuple[ConsumerRecord, Execution | Activation]]] = field(
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
    poison: dict[RecordPosition, tuple[str, ConsumerRecord]] = field(default_factory=dict)
    """The records that had to become dead letters, with a text that the cause must contain."""
    tables: dict[str, list[asyncpg.Record]] = field(default_factory=dict)
    """The rows of the tables in Postgres."""
    health: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The detector's answer about the health of each tool, with the HTTP status as `status`."""


_QUERIES = {
    "versions": "select * from tool_versions order by tool_name, version_number",
    "executions": "select execution_id, tool_name, version_id, success from tool_executions",
    "rollbacks": "select * from rollbacks",
    "deployments": "select tool_name, deployment_id, outcome::text from deployments",
}


async def read_final_state(settings: Settings, dsn: str, detector_url: str) -> FinalState:
    """Read everything; all workers must have caught up."""
    state = FinalState(settings)
    for record in await _good_records(state, "tool-executions"):
        entry = read_log_entry(record.value)
        state.logs[entry.tool_name].append((record, entry))
    for record in await _good_records(state, "tool-deployments"):
        state.deployments.append((record, Deployment.from_bytes(record.value)))
    for record in await _good_records(state, "rollback-commands"):
        state.commands.append((record, RollbackCommand.from_bytes(record.value)))
    for record in await read_all(settings, "tool-versions"):
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
    return state


async def _good_records(state: FinalState, topic: str) -> list[ConsumerRecord]:
    """Return the records of a topic without the poison, which is kept in ``state.poison``."""
    return [
        record for record in await read_all(state.settings, topic) if not _poisoned(state, record)
    ]


def _poisoned(state: FinalState, record: ConsumerRecord) -> bool:
    """Return whether the record is poison; keep it in ``state.poison`` if it is."""
    for name, value in record.headers:
        if name == HEADER:
            position = RecordPosition(record.topic, record.partition, record.offset)
            state.poison[position] = (value.decode(), record)
            return True
    return False


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
            async with session.get(f"{url}/tools/{tool}/health") as answer:
                found[tool] = {"status": answer.status, **await answer.json()}
    return found


def refused_id(record: ConsumerRecord) -> UUID | None:
    """Return the id of a bad deployment; None if it cannot be read."""
    try:
        return UUID(json.loads(record.value)["deployment_id"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None

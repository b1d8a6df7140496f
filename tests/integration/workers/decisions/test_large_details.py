"""Commands with large details cost the applier's log and whoever reads the history little."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
import pytest_asyncio

from tests.support.systems.system import System
from tests.support.waiting import until

TOOL: Final = "words"
KIB: Final = 1024

pytestmark = pytest.mark.timeout(540)


@pytest.fixture
def kafka(embedded_broker: str) -> str:
    return embedded_broker


@pytest_asyncio.fixture
async def applier(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[System]:
    async with System.started(kafka, database_dsn, topic_prefix, tmp_path, ("applier",)) as running:
        yield running


def command(version_id: int | None, details: dict[str, Any]) -> bytes:
    return json.dumps(
        {
            "command_id": str(uuid4()),
            "tool_name": TOOL,
            "from_version_id": version_id,
            "tier": "manual",
            "reason": "manual",
            "details": details,
            "issued_by": "mallory",
            "issued_at": "2026-01-31T12:00:00Z",
        }
    ).encode()


async def test_sixty_commands_with_large_details(applier: System) -> None:
    version = (await applier.deploy(TOOL, "a")).version_id
    huge = {"executions": "x" * 3_900_000, "recent": ["x"] * 10}
    large = {"executions": "x" * (58 * KIB), "failures": 10**4_000}
    await applier.send(
        applier.topics.commands,
        TOOL,
        *(command(version, huge) for _ in range(10)),
        *(command(version, large) for _ in range(60)),
    )

    async def done() -> bool:
        [row] = await applier.query("SELECT count(*) FROM rollbacks")
        return bool(row[0] == 60)

    await until(done, timeout_s=120)
    assert len(await applier.records(applier.topics.dead_letters, 10)) == 10
    [row] = await applier.query("SELECT max(octet_length(details::text)) FROM rollbacks")
    assert row[0] <= 65 * KIB

    async def all_logged() -> bool:  # each is logged after it is in Postgres
        return applier.log("applier").count('"event": "rollback"') == 60

    await until(all_logged)
    logged = applier.log("applier")
    assert len(logged) < 60 * KIB
    assert max(map(len, logged.splitlines())) < 2 * KIB

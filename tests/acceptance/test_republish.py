"""`topics --republish`: new topics get the current version of each tool from Postgres."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from schemas.deployment import ToolVersion
from schemas.execution import Activation
from tests.support.systems.command_line import rollguard
from tests.support.systems.system import System


@pytest_asyncio.fixture
async def applier(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[System]:
    """Provide versions in a database and in topics of its own."""
    started = System.started(kafka, database_dsn, topic_prefix, tmp_path, ("applier",))
    async with started as system:
        yield system


@pytest.mark.timeout(360)
async def test_new_topics_get_the_current_versions(applier: System) -> None:
    system = applier
    first = await system.deploy("parser", "a")
    await system.deploy("parser", "b")
    await system.deploy("lexer", "x")
    assert first.version_number == 1
    prefix = f"new-{system.settings.topic_prefix}"

    env = system.environment(ROLLGUARD_TOPIC_PREFIX=prefix)
    result = await rollguard("topics", "--republish", env=env)
    assert (result.code, result.err) == (0, "")
    assert f"created {prefix}tool-versions" in result.out
    assert result.out.endswith("published 2 versions\n")

    records = await system.records(f"{prefix}tool-versions", 2)
    versions = {v.tool_name: v for v in (ToolVersion.from_bytes(each.value) for each in records)}
    assert (versions["parser"].version_number, versions["parser"].code) == (2, "b")
    assert versions["lexer"].version_number == 1
    for record in await system.records(f"{prefix}tool-executions", 2):
        activation = Activation.from_bytes(record.value)
        assert activation == versions[activation.tool_name].as_activation()

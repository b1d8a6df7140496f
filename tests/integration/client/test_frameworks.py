"""The examples with agent frameworks work with a real system, and each call counts once."""

import asyncio
import os
from pathlib import Path
from typing import Final

import pytest

from tests.support.systems.system import System

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(600)]

ROOT: Final = Path(__file__).parents[3]
EXAMPLES: Final = ROOT / "examples/frameworks"
PYTEST: Final = ROOT / ".venv-frameworks/bin/pytest"
FRAMEWORKS: Final = 5


async def test_agents_go_on_with_the_good_version(shared_system: System, tmp_path: Path) -> None:
    """Run the examples' own tests, in their own environment, and count what came of their calls.

    Each asks its agent four times: once with the good version, twice with the bad one, and once
    after the rollback.
    """
    settings = shared_system.settings
    environment = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONPATH" and not name.startswith("ROLLGUARD_")
    } | {
        "ROLLGUARD_KAFKA_BROKERS": ",".join(settings.kafka_brokers),
        "ROLLGUARD_TOPIC_PREFIX": settings.topic_prefix,
        "ROLLGUARD_DATA_DIR": str(tmp_path),
    }
    process = await asyncio.create_subprocess_exec(PYTEST, cwd=EXAMPLES, env=environment)
    assert await process.wait() == 0

    await shared_system.executions_recorded("price", 4 * FRAMEWORKS)
    await shared_system.executions_recorded("stock", 4 * FRAMEWORKS)
    counted = await shared_system.query(
        "SELECT tool_name, improvement_reason, success, error_type, count(*)"
        " FROM tool_executions LEFT JOIN tool_versions USING (tool_name, version_id)"
        " GROUP BY 1, 2, 3, 4 ORDER BY 1, 2"
    )
    assert [tuple(row) for row in counted] == [
        ("price", "bad", False, "TypeError", 2 * FRAMEWORKS),
        ("price", "good", True, None, 2 * FRAMEWORKS),
        ("stock", None, True, None, 4 * FRAMEWORKS),
    ]

"""Versions and executions for tests of the manager and the monitor."""

from typing import Any, Final

from tests.support.inputs.messages import execution
from tests.support.systems.system import System

ONE: Final = "def execute(text):\n    return text\n"
TWO: Final = "def execute(text, limit):\n    return text[:limit]\n"


async def record_each(system: System, tool: str, *errors: str | None, **fields: Any) -> list[str]:
    """Record an execution for each error (None: a success); return their ids, the newest first."""
    before = len(await system.query("SELECT FROM tool_executions WHERE tool_name = $1", tool))
    runs = [execution(tool, error, **fields) for error in errors]
    await system.run(*runs)
    await system.executions_recorded(tool, before + len(runs))
    return [str(each.execution_id) for each in runs][::-1]

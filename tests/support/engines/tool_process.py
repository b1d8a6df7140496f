"""Tool processes of the example engine, with the versions of tools that they run."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from examples.engine.catalogue import TOOLS
from rollguard.client import ToolVersion
from rollguard_client import ToolFailed
from rollguard_client.registry.child.tool_process import ToolProcess
from schemas.deployment import code_hash_of
from schemas.execution import ActivatedBy


def version_of(tool_name: str, code: str, number: int = 1) -> ToolVersion:
    """Return a version of a tool whose ids and numbers are all ``number``."""
    return ToolVersion(
        tool_name=tool_name,
        version_id=number,
        version_number=number,
        code=code,
        code_hash=code_hash_of(code),
        created_by="human",
        improvement_type="initial",
        is_breaking_change=False,
        breaking_changes=[],
        deployment_id=UUID(int=number),
        activation=number,
        activated_at=datetime(2026, 1, 31, tzinfo=UTC),
        activated_by=ActivatedBy(kind="deployment", id=UUID(int=number)),
    )


@asynccontextmanager
async def running_tool(code: str, limit_s: float = 120) -> AsyncIterator[ToolProcess]:
    """Provide a process that has loaded the code. Raises ToolFailed."""
    process = ToolProcess(code, limit_s)
    try:
        await process.start()
        yield process
    finally:
        await process.close()


async def errors_on(tool_name: str, code: str, files: list[Path]) -> list[str | None]:
    """Return for each file the class name of the error in the engine's call, or None.

    If the code does not load, each call fails with the error of the load.
    """
    tool, errors = TOOLS[tool_name], list[str | None]()
    try:
        async with running_tool(code) as process:
            for path in files:
                call = tool.call(str(path))
                try:
                    assert await process.call(*call.args, **call.kwargs) is not None
                    errors.append(None)
                except ToolFailed as error:
                    errors.append(error.error_type)
    except ToolFailed as error:
        return [error.error_type] * len(files)
    return errors

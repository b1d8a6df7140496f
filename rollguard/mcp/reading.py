"""The tools that read."""

from typing import Any, Final

from rollguard.mcp.agent_tool import AgentTool, Request
from rollguard.mcp.arguments import (
    CheckArguments,
    CompareArguments,
    ExplainArguments,
    HealthArguments,
    HistoryArguments,
    RollbacksArguments,
    ToolsArguments,
)
from rollguard.operations.overview.health import check_data, health_data
from rollguard.operations.rollbacks import id_beginning
from rollguard.operations.versions import VersionName
from rollguard.printing import data_of
from schemas.errors import Rejected


async def _check(request: Request, given: CheckArguments) -> Any:
    return check_data(await request.system.overview.health(given.tool_name, request.note))


async def _health(request: Request, given: HealthArguments) -> Any:
    return health_data(await request.system.overview.health(given.tool_name, request.note))


async def _history(request: Request, given: HistoryArguments) -> Any:
    return (await request.system.versions.history(given.tool_name, given.limit)).data()


async def _compare(request: Request, given: CompareArguments) -> Any:
    names = [version_named(each) for each in (given.from_version, given.to_version)]
    return await request.system.versions.compare(given.tool_name, *names)


async def _rollbacks(request: Request, given: RollbacksArguments) -> Any:
    found = await request.system.rollbacks.newest(given.tool_name, given.since, given.limit)
    return [data_of(each) for each in found]


async def _explain(request: Request, given: ExplainArguments) -> Any:
    try:
        beginning = id_beginning(given.command_id)
    except ValueError as error:
        raise Rejected(f"command_id: {error}") from None
    return (await request.system.rollbacks.explained(beginning, given.tool_name)).data()


async def _tools(request: Request, given: ToolsArguments) -> Any:
    found = await request.system.overview.tools(given.state, request.note)
    return [data_of(each) for each in found]


def version_named(text: str | int) -> VersionName:
    """Return the version that an agent names. Raises Rejected if it is no version."""
    try:
        return VersionName.of(str(text))
    except ValueError as error:
        raise Rejected(str(error)) from None


READING: Final = (
    AgentTool("tools", ToolsArguments, _tools),
    AgentTool("check", CheckArguments, _check),
    AgentTool("health", HealthArguments, _health),
    AgentTool("history", HistoryArguments, _history),
    AgentTool("compare", CompareArguments, _compare),
    AgentTool("rollbacks", RollbacksArguments, _rollbacks),
    AgentTool("explain", ExplainArguments, _explain),
)

"""The arguments of the tools. The docstring of each class describes its tool to agents."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.deployment import MAX_ACCEPTED_BREAKS, MAX_CHECKS, AcceptedBreak, Check
from schemas.fields import ImprovementType, LongText, NewToolName, Time, ToolName
from schemas.stops import StopReason

_NAME: Final = Field(description="The tool's name.")
_OF_TOOL: Final = Field(description="Only of this tool.")
Version = Annotated[str | int, Field(description="A version: its number (`v2`), or its id (`7`).")]
Limit = Annotated[int, Field(ge=1, le=200, description="List at most this many.")]


class Arguments(BaseModel):
    """What an agent gives to a tool; what is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class OfTool(Arguments):
    """The name of a tool."""

    tool_name: Annotated[ToolName, _NAME]


class CheckArguments(OfTool):
    """Say whether a rule demands a rollback of the tool now, and why."""


class HealthArguments(OfTool):
    """Show what the rules judge: the windows, the newest executions, and what stops machines."""


class HistoryArguments(OfTool):
    """List the versions of a tool with code and metrics, the newest first."""

    limit: Limit = 5


class CompareArguments(OfTool):
    """Compare two versions: their success rates, what breaks for callers, and the code's diff."""

    from_version: Version
    to_version: Version


class RollbacksArguments(Arguments):
    """List rollbacks, carried out or not, the newest first."""

    tool_name: Annotated[ToolName | None, _OF_TOOL] = None
    since: Annotated[Time | None, Field(description="Only since then, with an offset.")] = None
    limit: Limit = 20


class ExplainArguments(Arguments):
    """Say why a rollback was decided: the rule, the numbers, the executions and their errors."""

    command_id: Annotated[
        str, Field(description="The command's id, as `rollbacks` has it, or its beginning.")
    ]
    tool_name: Annotated[ToolName | None, _OF_TOOL] = None


class ToolsArguments(Arguments):
    """List all tools: current version, state, success rate, last rollback, what stops machines."""

    state: Annotated[
        Literal["healthy", "suspect", "condemned", "unjudged", "unknown"] | None,
        Field(description="Only tools in this state."),
    ] = None


class DeployArguments(Arguments):
    """Deploy code as the tool's new version, wait until it is current, and return it.

    It is deployed as the work of a machine (`autonomous`), so it may be refused, or held until a
    person approves it.
    """

    tool_name: Annotated[NewToolName, _NAME]
    code: Annotated[str, Field(description="Python source with a function `execute`.")]
    improvement_type: Annotated[
        ImprovementType, Field(description="What kind of change it is, such as `bug_fix`.")
    ] = "initial"
    improvement_reason: Annotated[LongText | None, Field(description="Why it was made.")] = None
    accepted_breaks: Annotated[
        list[AcceptedBreak],
        Field(max_length=MAX_ACCEPTED_BREAKS, description="Changes for callers that you intend."),
    ] = []
    checks: Annotated[
        list[Check],
        Field(max_length=MAX_CHECKS, description="Checks that you have made of the code."),
    ] = []


class RollbackArguments(OfTool):
    """Make any version of the tool's history current, and wait for the outcome."""

    version: Version
    reason: Annotated[LongText, Field(description="Why; kept and shown.")]


class PinArguments(OfTool):
    """Stop automatic rollbacks of the tool, for a while or until a person unpins it."""

    reason: Annotated[StopReason, Field(description="Why; kept and shown.")]
    for_s: Annotated[
        int | None, Field(ge=1, le=10 * 365 * 86_400, description="For so many seconds.")
    ] = None

"""The entries of a tool's log, `tool-executions`: executions, activations and later verdicts."""

from datetime import datetime, timezone
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID, uuid4, uuid5

from msgspec import Meta

from rollguard_client.messages.fields import (
    Count,
    EngineId,
    Sha256,
    ShortText,
    Time,
    ToolName,
    VersionId,
)
from rollguard_client.messages.message import Message

ErrorOrigin = Literal["tool", "caller", "environment"]
"""Whose failure it is: the tool's, its caller's, or that of something that the tool depends on."""

_VERDICTS = UUID("5d2b3d0e-7c1e-5f3a-8a37-1f1d9f0b6c42")


class Execution(Message, frozen=True, kw_only=True):
    """One execution of a tool: whether it succeeded, and when."""

    free_text: ClassVar[tuple[str, ...]] = ("session_id", "caller", "input_hash")
    error_texts: ClassVar[tuple[str, ...]] = ("error", "error_type")
    without_nul: ClassVar[tuple[str, ...]] = ("tool_name",)
    times: ClassVar[tuple[str, ...]] = ("executed_at",)
    finite: ClassVar[tuple[str, ...]] = ("duration_ms", "cost")

    kind: Literal["execution"] | None = "execution"
    execution_id: UUID
    """An execution that is published twice with the same id counts once."""
    tool_name: ToolName
    version_id: VersionId | None = None
    """The version that was executed; without it, the version that is current at this position of
    the log."""
    success: bool
    error: str | None = None
    """The error message of a failure; at most 8 KiB of it are kept."""
    error_type: str | None = None
    """The class of the exception, with or without its module; without it, it is read from
    ``error``."""
    error_origin: ErrorOrigin | None = None
    """Whose failure it is. Only failures of the tool are judged."""
    executed_at: Time
    duration_ms: float | None = None
    """How long it took, in milliseconds."""
    session_id: ShortText | None = None
    caller: ShortText | None = None
    """Who called the tool; policy `guarded` uses it, together with ``input_hash``."""
    input_hash: ShortText | None = None
    """A hash of the arguments."""
    cost: Annotated[float, Meta(ge=0)] | None = None
    """What it cost, in whatever unit the engine uses."""
    engine_id: EngineId | None = None
    """The engine that executed the tool. Calls that the client publishes have it."""

    @classmethod
    def now(cls, tool_name: str, success: bool, **fields: Any) -> "Execution":
        """Return an execution that has just ended, with a new id. ``fields`` are the others."""
        ended = datetime.now(timezone.utc)
        given: dict[str, Any] = {"execution_id": uuid4(), "executed_at": ended} | fields
        return cls(tool_name=tool_name, success=success, **given)


class LaterVerdict(Message, frozen=True, kw_only=True, tag_field="kind", tag="verdict"):
    """A judge's, a user's or a test's word that the result of one execution was good or bad."""

    free_text: ClassVar[tuple[str, ...]] = ("by",)
    error_texts: ClassVar[tuple[str, ...]] = ("why",)
    without_nul: ClassVar[tuple[str, ...]] = ("tool_name",)
    on_one_line: ClassVar[tuple[str, ...]] = ("by",)
    times: ClassVar[tuple[str, ...]] = ("judged_at",)

    verdict_id: UUID
    """The id of the verdict, within its tool; ``verdict_id_of`` makes the usual one."""
    execution_id: UUID
    tool_name: ToolName
    version_id: VersionId
    bad: bool
    """Whether the result was wrong, although the execution has succeeded."""
    by: ShortText
    """Who says so: a person, a judge, a test."""
    why: str | None = None
    """The reason, in words."""
    judged_at: Time


def verdict_id_of(execution_id: UUID, by: str) -> UUID:
    """Return the id of what one judge says of an execution: always the same.

    So a judge who says it twice is heard once.
    """
    return uuid5(_VERDICTS, f"{execution_id}/{by}")


class ActivatedBy(Message, frozen=True, kw_only=True):
    """The deployment or rollback that made a version current."""

    kind: str
    """``deployment`` or ``rollback``."""
    id: UUID


class Activation(Message, frozen=True, kw_only=True, tag_field="kind", tag="activation"):
    """An entry from which on a version is the current one of its tool. The applier writes it."""

    tool_name: ToolName
    version_id: VersionId
    version_number: Count
    previous_version_id: VersionId | None = None
    code_hash: Sha256
    activation: Count
    """The number of this activation of the tool; the first one is 1."""
    activated_at: Time
    activated_by: ActivatedBy
    dismissed: UUID | None = None
    """The command about this activation that a person has dismissed, if that is why it is said."""
    outage: UUID | None = None
    """The command about this activation that an outage has stopped, if that is why it is said."""
    author: ShortText | None = None
    """The name of the author who has signed the deployment of the version."""
    is_breaking_change: bool | None = None
    """Whether it is a deployment's, and the version breaks calls that the one before allowed."""
    adopts: bool | None = None
    """Whether it takes the place of any other activation."""

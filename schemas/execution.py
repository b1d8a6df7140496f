"""The entries of a tool's log, `tool-executions`: executions, activations and later verdicts."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import (
    Field,
    FiniteFloat,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from schemas.errors import Rejected
from schemas.failures.error_class import class_of, label_of
from schemas.failures.failure_classes import ErrorOrigin
from schemas.fields import (
    MAX_ERROR_BYTES,
    Count,
    EngineId,
    ErrorText,
    Sha256,
    ShortText,
    Time,
    ToolName,
    VersionId,
)
from schemas.later_verdict import LaterVerdict
from schemas.message import Message, parse_json


class Execution(Message):
    """One execution of a tool: whether it succeeded, and when."""

    cleaned = ("error", "error_type", "error_origin", "session_id", "caller", "input_hash")

    kind: Literal["execution"] | None = "execution"
    execution_id: UUID
    tool_name: ToolName
    version_id: VersionId | None = None
    """The version that was executed; without it, the version that is current at this position of
    the log."""
    success: bool
    error: ErrorText | None = None
    """The error message of a failure."""
    error_type: ErrorText | None = None
    """The class of the exception, with or without its module; without it, it is read from
    ``error``."""
    error_origin: ErrorOrigin | None = None
    """Whose failure it is: ``tool``; ``caller`` if the arguments were wrong; ``environment`` if
    something failed that the tool depends on (timeout, quota, network). Only failures of the tool
    are judged. Without it, or if the value is invalid, the settings say it by the error's class;
    otherwise it is the tool's. It says nothing of a success."""
    executed_at: Time
    duration_ms: FiniteFloat | None = None
    """How long it took, in milliseconds."""
    session_id: ShortText | None = None
    caller: ShortText | None = None
    """Who called the tool. Caller and ``input_hash`` tell policy `guarded` which executions repeat
    one call. An invalid value is ignored, because it must not make a failure invisible."""
    input_hash: ShortText | None = None
    """A hash of the arguments. An invalid value is ignored as well."""
    cost: Annotated[FiniteFloat, Field(ge=0)] | None = None
    """What it cost, in whatever unit the engine uses. An invalid value is ignored as well."""

    engine_id: EngineId | None = None
    """The engine that executed the tool (``EngineReport``). An invalid value is ignored as well."""

    @field_validator("error_origin", "caller", "input_hash", "cost", "engine_id", mode="wrap")
    @classmethod
    def _hint(cls, value: object, read: ValidatorFunctionWrapHandler) -> object:
        try:
            return read(value)
        except ValidationError:
            return None

    @classmethod
    def from_bytes(cls, value: bytes | None) -> Self:
        """Read the value of a record, and the class from the error before the error is cut."""
        execution = super().from_bytes(value)
        error = execution.error
        if value is None or error is None:
            return execution
        if len(error) * 4 < MAX_ERROR_BYTES or len(error.encode()) < MAX_ERROR_BYTES - 3:
            return execution
        given, whole = execution.error_type, parse_json(value)["error"]
        label = label_of(given, whole)
        if given and label == label_of(given, None):
            return execution
        return execution.model_copy(update={"error_type": label or None})

    @property
    def error_class(self) -> str | None:
        """The class name of the exception, without its module; None for a success.

        ``error_type`` if it is given, otherwise the class that ``error`` names.
        """
        return None if self.success else class_of(self.error_type, self.error)


class ActivatedBy(Message):
    """The deployment or rollback that made a version current."""

    kind: Literal["deployment", "rollback"]
    id: UUID


class Activation(Message):
    """An entry from which on a version is the current one of its tool."""

    kind: Literal["activation"] = "activation"
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
    """The command about this activation that a person has dismissed; set if the activation is
    published again because of that."""
    outage: UUID | None = None
    """The command about this activation that was not carried out because many tools of several
    partitions failed at once; set if the activation is published again because of that."""
    author: ShortText | None = None
    """The name of the author who has signed the deployment of the version."""
    is_breaking_change: bool | None = None
    """Whether it is a deployment's, and the version breaks calls that the version before it
    allowed: then policy `guarded` watches it more closely. It is not given otherwise."""
    adopts: bool | None = None
    """Whether it takes the place of any other activation, also of one with a greater number. It is
    obeyed only if signatures are required (``rollguard keys adopt``)."""


class _Kind(Message):
    kind: str | None = None


def read_log_entry(value: bytes | None) -> Execution | Activation | LaterVerdict:
    """Read a value of `tool-executions`. Raises Rejected with what is wrong."""
    if value is None or b'"kind"' not in value:
        return Execution.from_bytes(value)
    kind = _Kind.from_bytes(value).kind
    if kind == "activation":
        return Activation.from_bytes(value)
    if kind == "verdict":
        return LaterVerdict.from_bytes(value)
    if kind not in (None, "execution"):
        raise Rejected(f"kind: {kind[:50]!r} is none of 'execution', 'activation', 'verdict'")
    return Execution.from_bytes(value)

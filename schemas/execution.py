"""The entries of a tool's log, `tool-executions`: executions and activations."""

import re
from typing import Final, Literal, Self
from uuid import UUID

from pydantic import (
    FiniteFloat,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from schemas.errors import Rejected
from schemas.fields import (
    MAX_ERROR_BYTES,
    Count,
    ErrorText,
    Sha256,
    ShortText,
    Time,
    ToolName,
    VersionId,
)
from schemas.message import Message, parse_json

SIGNATURE_ERRORS: Final = frozenset({"TypeError", "AttributeError"})
"""The exceptions that a changed signature raises in its callers."""

_CLASS_NAME: Final = re.compile(r"\s*((?:\w+\.)*[^\W\d]\w*)\s*(?:[(:]|$)")

_TRACEBACK: Final = re.compile(r"^Traceback \(most recent call last\):", re.MULTILINE)


class Execution(Message):
    """One execution of a tool: whether it succeeded, and when."""

    cleaned = ("error", "error_type", "session_id", "caller", "input_hash")

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
    """The class of the exception; without it, it is read from ``error``."""
    executed_at: Time
    duration_ms: FiniteFloat | None = None
    """How long it took, in milliseconds."""
    session_id: ShortText | None = None
    caller: ShortText | None = None
    """Who called the tool. Caller and ``input_hash`` tell policy `guarded` which executions repeat
    one call. An invalid value is ignored, because it must not make a failure invisible."""
    input_hash: ShortText | None = None
    """A hash of the arguments. An invalid value is ignored as well."""

    @field_validator("caller", "input_hash", mode="wrap")
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
        if value is None or error is None or execution.error_type:
            return execution
        if len(error) * 4 < MAX_ERROR_BYTES or len(error.encode()) < MAX_ERROR_BYTES - 3:
            return execution
        named = class_named_by(parse_json(value)["error"])
        return execution.model_copy(update={"error_type": named})

    @property
    def error_class(self) -> str | None:
        """The class name of the exception, without its module; None for a success.

        ``error_type`` if it is given, otherwise the class that ``error`` names.
        """
        return None if self.success else class_of(self.error_type, self.error)

    @property
    def is_signature_error(self) -> bool:
        """Whether it failed in the way in which a call of a changed signature fails."""
        return self.error_class in SIGNATURE_ERRORS


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


class _Kind(Message):
    kind: str | None = None


def read_log_entry(value: bytes | None) -> Execution | Activation:
    """Read a value of `tool-executions`. Raises Rejected with what is wrong."""
    if value is None or b'"kind"' not in value:
        return Execution.from_bytes(value)
    kind = _Kind.from_bytes(value).kind
    if kind == "activation":
        return Activation.from_bytes(value)
    if kind not in (None, "execution"):
        raise Rejected(f"kind: {kind[:50]!r} is neither 'execution' nor 'activation'")
    return Execution.from_bytes(value)


def class_of(error_type: str | None, error: str | None) -> str | None:
    """Return the class of a failure's exception, without its module.

    It is ``error_type`` if that is given, otherwise the class that ``error`` names, if any.
    """
    if error_type:
        return error_type.rpartition(".")[2].strip() or None
    return class_named_by(error) if error else None


def class_named_by(error: str) -> str | None:
    """Return the exception class that an error text names, without its module; None if none.

    ``TypeError("…")``, ``TypeError: …``, a dotted name and the last line of a traceback name one. A
    word inside a message (``KeyError: 'TypeErrorCount'``) does not.
    """
    text = error.strip()
    if _TRACEBACK.search(text):
        text = _last_of_traceback(text)
    match = _CLASS_NAME.match(text)
    return match.group(1).rpartition(".")[2] if match else None


def _last_of_traceback(text: str) -> str:
    """Return the line that names the exception of the last traceback in a text.

    It is the first line after the header and the frames that is not indented. The message may have
    more lines after it.
    """
    named = ""
    in_frames = False
    for line in text.splitlines():
        if line.startswith(("Traceback (most recent call last):", '  File "')):
            in_frames = True
        elif in_frames and line and not line.startswith((" ", "\t")):
            named, in_frames = line, False
    return named

"""Later verdicts: what a judge says of an execution that has succeeded."""

from typing import Final, Literal
from uuid import UUID, uuid5

from schemas.fields import ErrorText, ShortLine, Time, ToolName, VersionId
from schemas.message import Message

_VERDICTS: Final = UUID("5d2b3d0e-7c1e-5f3a-8a37-1f1d9f0b6c42")


def verdict_id_of(execution_id: UUID, by: str) -> UUID:
    """Return the id of what one judge says of an execution: always the same.

    So a judge who says it twice is heard once.
    """
    return uuid5(_VERDICTS, f"{execution_id}/{by}")


class LaterVerdict(Message):
    """A judge's, a user's or a test's word that the result of one execution was good or bad.

    It counts once, however often it is sent. It need not follow its execution in the log, and it
    counts for the version that it names, also if the execution is not known.
    """

    cleaned = ("by", "why")

    kind: Literal["verdict"] = "verdict"
    verdict_id: UUID
    """The id of the verdict, within its tool."""
    execution_id: UUID
    tool_name: ToolName
    version_id: VersionId
    """The version that was executed."""
    bad: bool
    """Whether the result was wrong, although the execution has succeeded."""
    by: ShortLine
    """Who says so: a person, a judge, a test."""
    why: ErrorText | None = None
    """The reason, in words."""
    judged_at: Time

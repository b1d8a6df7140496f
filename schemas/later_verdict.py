"""Later verdicts: what a judge says of an execution that has succeeded."""

from typing import Literal
from uuid import UUID

from schemas.fields import ErrorText, ShortLine, Time, ToolName, VersionId
from schemas.message import Message


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

"""Stops: what a person said against automatic rollbacks and autonomous deployments."""

from typing import ClassVar
from uuid import UUID

from rollguard_client.messages.fields import Count, Time, VersionId
from rollguard_client.messages.message import Message


class Stop(Message, frozen=True, kw_only=True):
    """A pin, a freeze, a rejection or a wait, in force or ended."""

    times: ClassVar[tuple[str, ...]] = ("began_at", "expires_at", "ended_at")

    kind: str
    """``pin``: no automatic rollback of the tool. ``freeze``: no autonomous deployment of it.
    ``wait``: the same, after a person's rollback. ``rejection``: some code is no target of a
    rollback, and is not deployed autonomously."""
    tool_name: str | None = None
    """None: all tools, also those that come later."""
    version_id: VersionId | None = None
    """The version whose code was rejected."""
    version_number: Count | None = None
    code_hash: str | None = None
    """The code that was rejected."""
    command_id: UUID | None = None
    """The rollback that a wait began with."""
    reason: str
    set_by: str
    began_at: Time
    expires_at: Time | None = None
    """None: until somebody ends it."""
    ended_at: Time | None = None
    """None: it is in force."""
    ended_by: str | None = None
    """None: it is in force, or it expired."""
    ended_how: str | None = None

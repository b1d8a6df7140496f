"""Stops: what a person said against automatic rollbacks and autonomous deployments."""

from typing import Annotated, Final, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field

from schemas.fields import Count, Time, VersionId, storable
from schemas.message import Message

StopKind = Literal["pin", "freeze", "rejection", "wait"]
"""``pin``: no automatic rollback of the tool. ``freeze``: no autonomous deployment of it. ``wait``:
the same, after a person's rollback. ``rejection``: some code is no target of a rollback, and is not
deployed autonomously."""
Ending = Literal["removed", "replaced", "expired", "deployment", "rollback"]
"""How a stop has ended. ``removed``: by a verb. ``replaced``: by another one of its kind.
``expired``: its time was over. ``deployment``, ``rollback``: by one of a person."""
MAX_REASON: Final = 2_000
"""The longest reason, in characters."""
StopReason = Annotated[str, Field(max_length=MAX_REASON), AfterValidator(storable)]
"""Why a person begins a stop."""


class Stop(Message):
    """A pin, a freeze, a rejection or a wait, in force or ended."""

    kind: StopKind
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
    ended_how: Ending | None = None


class Pin(Message):
    """A pin: why, by whom, since when, and until when (None: until it is removed)."""

    tool_name: str | None
    """None: all tools, also those that come later."""
    reason: str
    pinned_by: str
    pinned_at: Time
    expires_at: Time | None

    @classmethod
    def of(cls, stop: Stop) -> Self:
        """Return a stop of the kind ``pin`` as a pin."""
        return cls(
            tool_name=stop.tool_name,
            reason=stop.reason,
            pinned_by=stop.set_by,
            pinned_at=stop.began_at,
            expires_at=stop.expires_at,
        )

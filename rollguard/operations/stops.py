"""Stops: freezes, rejections and waits, and lists of all stops; pins have a module of their own.

A stop limits machines, never a person.
"""

from datetime import datetime
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter, ValidationError

from db.postgres.pool import Connection
from db.rollbacks.trust import Target, WayBackFrom, ways_back
from db.stops import changing, reading
from db.stops.changing import NewStop, StopEnd
from db.versions.reading import VersionRecord, current_version
from rollguard.operations.connection import changing_connection, connection
from rollguard.operations.versions import VersionName, found_version
from rollguard.person_name import valid_name
from rollguard.printing import data_of
from schemas.errors import Missing, Rejected
from schemas.message import explain
from schemas.settings import Settings
from schemas.stops import Stop, StopKind, StopReason

_REASON: Final[TypeAdapter[str]] = TypeAdapter(StopReason)
_IS_NOT: Final[dict[StopKind, str]] = {
    "pin": "pinned",
    "freeze": "frozen",
    "wait": "waiting for `resume`: its autonomous deployments are not stopped by a rollback",
}


class RejectedVersion(NamedTuple):
    """A version whose code was rejected."""

    stop: Stop
    is_current: bool
    """Whether it is current, and stays so."""
    way_back: Target | None
    """If it is current: the nearest trusted version back; None if there is none."""

    def data(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        way_back = None if self.way_back is None else self.way_back._asdict()
        return {**data_of(self.stop), "is_current": self.is_current, "way_back": way_back}


async def freeze(
    settings: Settings, tool: str | None, reason: str, by: str, until: datetime | None
) -> Stop:
    """Refuse autonomous deployments of the tool, and return the freeze; a person may deploy.

    If ``tool`` is None, those of all tools are refused, also of tools that come later. The freeze
    ends at ``until``, a time with an offset; if ``until`` is None it stays until ``unfreeze``. It
    replaces an earlier freeze. Errors are those of ``rollguard.operations.pins.pin``.
    """
    return await begin_stop(settings, "freeze", tool, reason, by, until)


async def unfreeze(settings: Settings, tool: str | None, by: str) -> Stop:
    """End the tool's freeze in the name of ``by``, and return it; None is that of all tools.

    Rejected if no such freeze is in force. A tool that is frozen with all others stays frozen.
    """
    return await end_stop(settings, "freeze", tool, by)


async def resume(settings: Settings, tool: str, by: str) -> Stop:
    """Allow autonomous deployments that wait since a person's rollback; return the wait.

    Rejected if they do not wait.
    """
    return await end_stop(settings, "wait", tool, by)


async def reject(
    settings: Settings, tool: str, version: VersionName, reason: str, by: str
) -> RejectedVersion:
    """Take the trust of a version's code: no rollback leads to it, and no machine may deploy it.

    A person who deploys this code, or rolls back to it, gives the trust again. The version stays
    current if it is. Rejected if the tool has no such version; other errors are those of
    ``rollguard.operations.pins.pin``.
    """
    by, reason = valid_name(by, "by"), _valid_reason(reason)
    async with changing_connection(settings) as conn:
        found = (await found_version(conn, tool, version)).record
        begun = await changing.begin(conn, _rejection_of(found, reason, by))
        assert begun is not None, "it has versions"
        current = await current_version(conn, tool)
        if current is None or current.version_id != found.version_id:
            return RejectedVersion(begun, is_current=False, way_back=None)
        back = await ways_back(conn, [WayBackFrom(tool, found.version_id, found.code_hash)])
    way_back = next((each.target for each in back.get(tool, ())), None)
    return RejectedVersion(begun, is_current=True, way_back=way_back)


def _rejection_of(version: VersionRecord, reason: str, by: str) -> NewStop:
    return NewStop(
        "rejection",
        version.tool_name,
        reason,
        by,
        version_id=version.version_id,
        code_hash=version.code_hash,
    )


async def stops_of(
    where: Settings | Connection,
    tool: str | None,
    *,
    ended: bool = False,
    limit: int | None = None,
) -> list[Stop]:
    """Return the stops that are in force, the newest first; with ``ended`` the others, too.

    With ``tool`` those of this tool and those of all tools.
    """
    async with connection(where) as conn:
        return await reading.stops_of(conn, tool, ended=ended, limit=limit)


async def begin_stop(
    settings: Settings,
    kind: StopKind,
    tool: str | None,
    reason: str,
    by: str,
    until: datetime | None,
) -> Stop:
    """Begin a stop of a tool, or of all tools. Missing if the tool has no versions."""
    _require_name(tool)
    new = NewStop(kind, tool, _valid_reason(reason), valid_name(by, "by"), until)
    async with changing_connection(settings) as conn:
        begun = await changing.begin(conn, new)
    if begun is None:
        raise Missing(f"{tool!r} has no versions; deploy one before you {kind} it")
    return begun


async def end_stop(settings: Settings, kind: StopKind, tool: str | None, by: str) -> Stop:
    """End a stop of a tool, or of all tools. Missing if none is in force."""
    _require_name(tool)
    ending = StopEnd(kind, tool, valid_name(by, "by"), "removed")
    async with changing_connection(settings) as conn:
        ended = await changing.end(conn, ending)
        if ended is not None:
            return ended
        of_all = await reading.stops_of_kind(conn, kind, [reading.ALL_TOOLS])
    if tool is None:
        raise Missing(f"not all tools are {_IS_NOT[kind]}")
    if of_all:
        raise Missing(f"{tool!r} is {_IS_NOT[kind]} with all tools: `un{kind} --all` ends that")
    raise Missing(f"{tool!r} is not {_IS_NOT[kind]}")


def name_in_database(tool: str | None) -> str:
    """Return the name by which a stop of this tool, or of all tools, is stored."""
    _require_name(tool)
    return reading.ALL_TOOLS if tool is None else tool


def _require_name(tool: str | None) -> None:
    """Raise Rejected for the empty name: it must not mean all tools."""
    if tool == reading.ALL_TOOLS:
        raise Rejected("tool: an empty name is not the name of a tool")


def _valid_reason(reason: str) -> str:
    try:
        return _REASON.validate_python(reason)
    except ValidationError as error:
        raise Rejected(f"reason: {explain(error)}") from error

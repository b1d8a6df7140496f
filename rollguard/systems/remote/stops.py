"""What persons say against machines, through a console."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel

from db.rollbacks.trust import Target
from rollguard.operations.stops import RejectedVersion
from rollguard.operations.versions import VersionName
from rollguard.systems.remote.reading import Answers, one
from rollguard.systems.remote.versions import version_path
from rollguard_client.http.console import in_path
from schemas.errors import Rejected
from schemas.fields import format_time
from schemas.stops import Pin, Stop

M = TypeVar("M", bound=BaseModel)


class RemoteStops:
    """What persons say against machines. A ``tool`` that is None stands for all tools."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def pin(self, tool: str | None, reason: str, by: str, until: datetime | None) -> Pin:
        """Stop automatic rollbacks."""
        body = {"reason": reason, "pinned_by": by, "expires_at": _time(until)}
        return await self._changed("PUT", _path(tool, "pin"), Pin, body)

    async def unpin(self, tool: str | None, by: str) -> Pin:
        """Allow them again."""
        return await self._changed("DELETE", _path(tool, "pin"), Pin, by=by)

    async def pin_of(self, tool: str | None) -> Pin:
        """Return the pin of the tool, or else that of all tools."""
        return await self._answers.get(_path(tool, "pin"), lambda data: one(Pin, data))

    async def pins(self) -> list[Pin]:
        """Return all pins that are in force, by tool."""
        found = await self._answers.items("/stops", "stops", Stop, kind="pin")
        return sorted(map(Pin.of, found), key=lambda each: each.tool_name or "")

    async def freeze(self, tool: str | None, reason: str, by: str, until: datetime | None) -> Stop:
        """Stop autonomous deployments."""
        body = {"reason": reason, "set_by": by, "expires_at": _time(until)}
        return await self._changed("PUT", _path(tool, "freeze"), Stop, body)

    async def unfreeze(self, tool: str | None, by: str) -> Stop:
        """Allow them again."""
        return await self._changed("DELETE", _path(tool, "freeze"), Stop, by=by)

    async def resume(self, tool: str, by: str) -> Stop:
        """End the wait after a person's rollback."""
        return await self._changed("POST", _path(tool, "resume"), Stop, {"resumed_by": by})

    async def reject(
        self, tool: str, version: VersionName, reason: str, by: str
    ) -> RejectedVersion:
        """Reject the code of a version."""
        answer = await self._answers.console.send(
            "POST", f"{version_path(tool, version)}/reject", {"reason": reason, "set_by": by}
        )
        return self._answers.understood(_rejected, answer.data)

    async def all(self, tool: str | None, *, ended: bool, limit: int) -> list[Stop]:
        """Return the newest stops; with ``ended`` also those that are over."""
        return await self._answers.items("/stops", "stops", Stop, limit, tool=tool, ended=ended)

    async def _changed(
        self, method: str, path: str, model: type[M], body: Any = None, **query: str
    ) -> M:
        answer = await self._answers.console.send(method, path, body, query=query)
        return self._answers.understood(lambda data: one(model, data), answer.data)


def _path(tool: str | None, what: str) -> str:
    """Return where a stop of a tool is, or of all tools. Rejected for the empty name."""
    if tool == "":
        raise Rejected("tool: an empty name is not the name of a tool")
    return f"/{what}" if tool is None else f"/tools/{in_path(tool)}/{what}"


def _time(until: datetime | None) -> str | None:
    return None if until is None else format_time(until)


def _rejected(data: Mapping[str, Any]) -> RejectedVersion:
    back = data["way_back"]
    return RejectedVersion(
        one(Stop, data), data["is_current"], None if back is None else Target(**back)
    )

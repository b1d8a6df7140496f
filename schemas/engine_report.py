"""Reports of engines: which version of a tool each of them has loaded, or could not load."""

import re
from typing import Final, NamedTuple, Self

from schemas.errors import Rejected
from schemas.fields import ENGINE_ID, Count, EngineId, ErrorText, Time, ToolName, VersionId
from schemas.message import Message

_LONGEST_NAME: Final = 255


def report_key(engine_id: str, tool_name: str) -> bytes:
    """Return the key of the reports of an engine about a tool.

    It names both, because compaction keeps the newest record of each key. The id of an engine has
    no ``/``, so the first one ends it.
    """
    return f"{engine_id}/{tool_name}".encode()


class EngineReport(Message):
    """What an engine says when it has loaded a version of a tool, and from time to time after that.

    A record with the same key and without a value takes it back: the engine has ended.
    """

    cleaned = ("error", "error_type")

    engine_id: EngineId
    tool_name: ToolName
    version_id: VersionId
    version_number: Count
    activation: Count
    """The activation of the tool that the engine has learned of."""
    ok: bool
    """Whether the version could be loaded. If not, it is in use with its error."""
    error: ErrorText | None = None
    """Why it could not be loaded."""
    error_type: ErrorText | None = None
    """The class of that exception."""
    loaded_at: Time
    """When it was loaded; the same in each report about this load."""

    @property
    def key(self) -> bytes:
        """The key of its record."""
        return report_key(self.engine_id, self.tool_name)


class EndedEngine(NamedTuple):
    """An engine that does not run a tool any more, as a record without a value says."""

    engine_id: str
    tool_name: str

    @classmethod
    def of_key(cls, key: bytes | None) -> Self:
        """Read the key of such a record. Raises Rejected."""
        try:
            engine_id, _, tool_name = (key or b"").decode().partition("/")
        except UnicodeDecodeError:
            engine_id = tool_name = ""
        is_name = 0 < len(tool_name) <= _LONGEST_NAME and "\0" not in tool_name
        if not re.fullmatch(ENGINE_ID, engine_id) or not is_name:
            raise Rejected("the record has no value, and its key is not <engine_id>/<tool_name>")
        return cls(engine_id, tool_name)

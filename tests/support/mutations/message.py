"""A good message as a dictionary of fields, its JSON text, and the record that is sent."""

import json
from datetime import datetime
from random import Random
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

Fate = Literal["good", "bad", "open"]
Fields = dict[str, Any]
Kind = Literal["execution", "deployment", "command"]

ID_OF: Final[dict[Kind, str]] = {
    "execution": "execution_id",
    "deployment": "deployment_id",
    "command": "command_id",
}
TIME_OF: Final[dict[Kind, str]] = {
    "execution": "executed_at",
    "deployment": "deployed_at",
    "command": "issued_at",
}


class Case(NamedTuple):
    """One record to be sent.

    ``fields`` are those of the message before its text was changed. If ``partition`` is None, it is
    that of the key. ``codec`` is the compression of the record's batch.
    """

    name: str
    kind: Kind
    fate: Fate
    key: bytes | None
    value: bytes | None
    fields: Fields
    partition: int | None = None
    codec: str | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class Raw(NamedTuple):
    """A JSON text in the place of a value, such as a number that Python would write differently."""

    text: str


def json_of(value: Any) -> str:
    """Return a value or the fields of a message as JSON; ``Raw`` texts are kept."""
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, dict):
        pairs = (f"{json.dumps(name)}: {json_of(each)}" for name, each in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(json_of, value)) + "]"
    return json.dumps(value)


def unescaped_json_of(fields: Fields) -> str:
    """Return the fields as JSON without escapes. Lone surrogates are not in UTF-8: replace them."""
    text = json.dumps(fields, ensure_ascii=False)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def good(kind: Kind, tool: str, random: Random, now: datetime, version_id: int) -> Fields:
    """Return a plain good message of the time ``now``; a command's target is ``version_id``."""
    fields: Fields = {
        ID_OF[kind]: str(UUID(int=random.getrandbits(128), version=4)),
        "tool_name": tool,
        TIME_OF[kind]: now.isoformat(),
    }
    if kind == "execution":
        fields |= {"success": True, "session_id": "s", "duration_ms": 1.5}
    elif kind == "deployment":
        code = f"def execute(x):\n    return {random.randrange(5)}\n"
        fields |= {"code": code, "created_by": "human", "improvement_type": "bug_fix"}
    else:
        fields |= {"to_version_id": version_id, "tier": "manual", "reason": "manual"}
        fields |= {"details": {"reason": "x"}, "issued_by": "someone"}
    return fields

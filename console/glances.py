"""Some tools at a glance, as their detectors see them: what a page of the list of tools shows."""

from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from rollguard.operations.overview.detector import DetectorClient
from schemas.errors import Missing, RollguardError

_LONGEST: Final = 6_000
"""How long the query of one question may be: a server takes lines of 8,190 bytes."""
_AT_ONCE: Final = 100
"""How many tools a detector takes in one question."""


async def glances_of(
    detector: DetectorClient, tools: Sequence[str], notes: list[str]
) -> dict[str, dict[str, Any]]:
    """Return what the detectors say of these tools, by name; ``notes`` gets what is not known."""
    found: dict[str, dict[str, Any]] = {}
    for query in _queries(tools):
        try:
            answer = await detector.ask(f"/glances?{query}", notes.append)
        except Missing:
            notes.append("the nearest rules are not known: the detector is of an older release")
            break
        except RollguardError as error:
            notes.append(f"the nearest rules are not known: {error}")
            break
        found |= {each["tool_name"]: each for each in answer["tools"]}
    return found


def _queries(tools: Sequence[str]) -> Iterator[str]:
    """Yield queries that name all tools, each short enough for one question."""
    parts: list[str] = []
    for tool in tools:
        part = urlencode({"tool": tool})
        if parts and (len(parts) == _AT_ONCE or sum(map(len, parts)) + len(part) > _LONGEST):
            yield "&".join(parts)
            parts = []
        parts.append(part)
    if parts:
        yield "&".join(parts)

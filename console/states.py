"""The states of all tools, as the detectors know them from the stream's table."""

from dataclasses import dataclass, field
from typing import Any, Final

from console.shared_answer import SharedAnswer
from rollguard.operations.overview.detector import DetectorClient
from schemas.errors import RollguardError

FRESH_S: Final = 3.0
"""For how long states are used again; a detector computes those of 10,000 tools in about a second
of CPU time."""
FEW: Final = 1_000
"""So many names cost Postgres less than to look at all tools."""
USABLE_S: Final = 30.0
"""For how long states are shown while new ones are asked for."""


@dataclass(frozen=True)
class StatesNow:
    """What the detectors say of each tool, and what they do not say."""

    by_tool: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """What is not known, and why."""

    def of(self, tool: str, activation: int) -> dict[str, Any] | None:
        """Return what is said of an activation; None if nothing is: a detector may lag behind."""
        found = self.by_tool.get(tool)
        return found if found is not None and found["activation"] == activation else None

    def state_of(self, tool: str, activation: int) -> str:
        """Return the state of an activation."""
        found = self.by_tool.get(tool)
        if found is None or found["activation"] != activation:
            return "unknown"
        return str(found["state"])

    def few_in(self, state: str) -> list[str] | None:
        """Return the tools that may be in a state, if they are few; None if they are many."""
        if state == "unknown":
            return None
        found = [tool for tool, each in self.by_tool.items() if each["state"] == state]
        return found if len(found) <= FEW else None


States = SharedAnswer[StatesNow]


def states_of(detector: DetectorClient) -> States:
    """Return the states of all tools as ``detector`` says them, shared by all who ask."""

    async def ask() -> StatesNow:
        notes: list[str] = []
        try:
            answer = await detector.ask("/tools", notes.append)
        except RollguardError as error:
            return StatesNow(notes=(f"the states are not known: {error}",))
        notes += [f"some states are not known: {each}" for each in answer["unanswered"]]
        return StatesNow({each["tool_name"]: each for each in answer["tools"]}, tuple(notes))

    return SharedAnswer(ask, FRESH_S, USABLE_S)

"""The requests of tools that cannot be applied now, so that those of other tools can go on. Pure.

The requests of one tool stay in their order: while one is set aside, all later ones of its tool are
set aside after it, and only the first one may be tried.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Final, Generic, NamedTuple, TypeVar

MAX_RECORDS: Final = 4_096
MAX_BYTES: Final = 64 * 1024**2
"""If more is set aside, nothing more is read until there is room again."""
FIRST_PAUSE_S: Final = 0.02
MAX_PAUSE_S: Final = 1.0
"""The pause between two tries of one tool doubles from the first to this one."""
NAMED: Final = 10
"""A report names so many tools."""

Item = TypeVar("Item")


@dataclass
class _Tool(Generic[Item]):
    """The requests of one tool that are set aside."""

    since: float
    due_at: float
    cause: str
    items: deque[tuple[Item, int]] = field(default_factory=deque)
    """Each request with its size in bytes."""
    tries: int = 0


class WaitingTool(NamedTuple):
    """A tool whose requests are set aside."""

    name: str
    since: float
    cause: str
    records: int

    def text(self, now: float) -> str:
        """Say it in one line."""
        return f"{self.name!r} for {now - self.since:.0f} s ({self.records} records): {self.cause}"


class SetAside(Generic[Item]):
    """The requests that are set aside. All times are those of one clock of the caller."""

    def __init__(self) -> None:
        self._tools: dict[str, _Tool[Item]] = {}
        self._records = 0
        self._bytes = 0

    def __bool__(self) -> bool:
        """Return whether anything is set aside."""
        return bool(self._tools)

    def __contains__(self, tool: str) -> bool:
        """Return whether a later request of this tool must be set aside, too."""
        return tool in self._tools

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be read before something is done."""
        return self._records >= MAX_RECORDS or self._bytes >= MAX_BYTES

    def add(self, tool: str, item: Item, size: int, now: float, cause: str = "") -> None:
        """Set a request aside, after those of its tool that are set aside already.

        ``cause`` says why, if it is the first one of its tool.
        """
        if tool not in self._tools:
            self._tools[tool] = _Tool(now, now + FIRST_PAUSE_S, cause)
        self._tools[tool].items.append((item, size))
        self._records += 1
        self._bytes += size

    def first(self, tool: str) -> Item:
        """Return the first request of a tool: no other one of it may be tried."""
        item, _ = self._tools[tool].items[0]
        return item

    def done(self, tool: str, now: float) -> None:
        """Remove the first request of a tool, which was applied; the next one is due at once."""
        waiting = self._tools[tool]
        self._forget(waiting.items.popleft()[1])
        waiting.since, waiting.due_at, waiting.tries, waiting.cause = now, now, 0, ""
        if not waiting.items:
            del self._tools[tool]

    def postpone(self, tool: str, now: float, cause: str) -> None:
        """Note that the first request of a tool could not be applied, and why."""
        waiting = self._tools[tool]
        waiting.tries += 1
        waiting.cause = cause
        waiting.due_at = now + min(FIRST_PAUSE_S * 2.0 ** min(waiting.tries, 16), MAX_PAUSE_S)

    def suspend(self, tool: str, cause: str) -> None:
        """Do not try the first request of a tool until ``release``."""
        waiting = self._tools[tool]
        waiting.cause, waiting.due_at = cause, inf

    def release(self, tool: str, now: float) -> None:
        """Try the tool now, if it is still set aside."""
        if tool in self._tools:
            self._tools[tool].due_at = now

    def due(self, now: float) -> list[str]:
        """Return the tools whose first request is to be tried now, the longest due first."""
        due = [tool for tool, waiting in self._tools.items() if waiting.due_at <= now]
        return sorted(due, key=lambda tool: self._tools[tool].due_at)

    def drop(self, is_lost: Callable[[Item], bool]) -> None:
        """Remove the requests that another one will handle."""
        for tool, waiting in list(self._tools.items()):
            for item, size in waiting.items:
                if is_lost(item):
                    self._forget(size)
            waiting.items = deque(each for each in waiting.items if not is_lost(each[0]))
            if not waiting.items:
                del self._tools[tool]

    def waiting(self, before: float) -> Iterator[WaitingTool]:
        """Yield the tools of which the first request waits since before this time."""
        for tool, waiting in self._tools.items():
            if waiting.since <= before:
                yield WaitingTool(tool, waiting.since, waiting.cause, len(waiting.items))

    def _forget(self, size: int) -> None:
        self._records -= 1
        self._bytes -= size


def report_of(waiting: list[WaitingTool], now: float) -> str:
    """Say in one line which tools are set aside; of many, only the longest waiting are named."""
    waiting = sorted(waiting, key=lambda each: each.since)
    more = len(waiting) - NAMED
    named = "; ".join(each.text(now) for each in waiting[:NAMED])
    return f"set aside: {named}" + (f"; and {more} more tools" if more > 0 else "")

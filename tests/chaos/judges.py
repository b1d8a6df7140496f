"""The judges of the workload: they say later of executions that these were bad or good."""

from collections import defaultdict, deque
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final, NamedTuple
from uuid import UUID

from schemas.later_verdict import LaterVerdict

UNKNOWN_VERSION: Final = 999_999_999
_NAMES: Final = ("judge", "a user", "a test")


class Success(NamedTuple):
    """An execution that succeeded, and what a judge will say of it."""

    execution_id: UUID
    version_id: int
    is_bad: bool


class Judges:
    """The successes of each tool that can be judged, and what was said of them."""

    def __init__(self) -> None:
        self._successes: dict[str, deque[Success]] = defaultdict(lambda: deque(maxlen=100))
        self._said: dict[str, deque[LaterVerdict]] = defaultdict(lambda: deque(maxlen=20))

    def note(self, tool: str, success: Success) -> None:
        """Remember a success that may be judged later."""
        self._successes[tool].append(success)

    def verdict(self, tool: str, draw: Random) -> LaterVerdict | None:
        """Return a new verdict, or one that was said before; None if nothing can be judged.

        A verdict that is said again may say the opposite: the first one counts.
        """
        verdict = self.new_verdict(tool, draw)
        if draw.random() < 0.2 and self._said[tool]:
            verdict = draw.choice(self._said[tool])
            if draw.random() < 0.3:
                verdict = verdict.model_copy(update={"bad": not verdict.bad})
        if verdict is not None:
            self._said[tool].append(verdict)
        return verdict

    def new_verdict(self, tool: str, draw: Random) -> LaterVerdict | None:
        """Return a verdict on a success, mostly the newest, now and then on an unknown one."""
        successes = self._successes[tool]
        if not successes:
            return None
        number = len(successes)
        success = successes[draw.randrange(number) if draw.random() < 0.3 else number - 1]
        execution_id, version_id = success.execution_id, success.version_id
        if draw.random() < 0.1:
            execution_id = UUID(int=draw.getrandbits(128))
        if draw.random() < 0.03:
            version_id = UNKNOWN_VERSION
        return LaterVerdict(
            verdict_id=UUID(int=draw.getrandbits(128)),
            execution_id=execution_id,
            tool_name=tool,
            version_id=version_id,
            bad=success.is_bad,
            by=draw.choice(_NAMES),
            why="it was wrong" if success.is_bad else None,
            judged_at=datetime.now(UTC) - timedelta(seconds=draw.choice((0, 0, 0, 30, 5_000))),
        )

"""The four scenarios of the seed as data: the versions, the attempts, and what must happen.

Minutes are event time since the deployment of the version that breaks. Scenario 3 is played twice.
As the seed prints it, its first three attempts are three failures in a row within five minutes, so
`consecutive_failures` decides earlier than the seed says. With attempts three minutes apart, only
the fast tier can decide.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from schemas.rollback import Reason, Tier


@dataclass(frozen=True)
class Attempt:
    """One execution, ``minutes`` after the deployment; a success if ``error`` is None."""

    minutes: float
    error: str | None = None


@dataclass(frozen=True)
class Scenario:
    """A version that breaks: it is deployed, executed by ``attempts``, and must be rolled back.

    ``version`` is its number. The rule ``tier`` and ``reason`` must decide at attempt number
    ``decides``. ``predecessor`` are executions of the version before; their minutes are negative,
    that is, before the deployment.
    """

    tool: str
    title: str
    version: int
    attempts: Sequence[Attempt]
    decides: int
    tier: Tier
    reason: Reason
    predecessor: Sequence[Attempt] = ()


_SIGNATURE: Final = "TypeError(\"unexpected keyword argument 'limit'\")"
_SERVER: Final = "500 Internal Server Error"
_TIMEOUT: Final = "TimeoutError: no answer"


def _pattern(marks: str, every: float, first: float, error: str) -> list[Attempt]:
    """Return an attempt for each mark, ``every`` minutes apart: ``+`` succeeds, ``-`` fails."""
    return [
        Attempt(first + index * every, None if mark == "+" else error)
        for index, mark in enumerate(marks.replace(" ", ""))
    ]


SCENARIOS: Final = (
    Scenario(
        tool="scenario-1-signature",
        title="1 signature change",
        version=3,
        attempts=_pattern("---", 1, 1, _SIGNATURE),
        decides=2,
        tier="immediate",
        reason="signature_change",
    ),
    Scenario(
        tool="scenario-2-consecutive",
        title="2 consecutive failures",
        version=4,
        attempts=_pattern("----", 1, 1, _SERVER),
        decides=3,
        tier="immediate",
        reason="consecutive_failures",
    ),
    Scenario(
        tool="scenario-3-breakage",
        title="3 complete breakage, as printed",
        version=5,
        attempts=_pattern("-----", 1, 1, _TIMEOUT) + _pattern("--", 2.5, 7.5, _TIMEOUT),
        decides=3,
        tier="immediate",
        reason="consecutive_failures",
    ),
    Scenario(
        tool="scenario-3-breakage-slow",
        title="3 complete breakage, 3 minutes apart",
        version=5,
        attempts=_pattern("-------", 3, 3, _TIMEOUT),
        decides=5,
        tier="fast",
        reason="complete_failure",
    ),
    Scenario(
        tool="scenario-4-statistics",
        title="4 wait for statistics",
        version=6,
        # 15 of 20, a baseline of 75 %
        predecessor=_pattern("+++- +++- +++- +++- +++-", 4, -81, _SERVER),
        # 3 of 4, 5 of 7, 8 of 12 as printed; then never 60 % or less before 18 of 30
        attempts=_pattern("+++- ++- +-++- -++-+-++-+-++-+-+-", 4, 4, _SERVER),
        decides=30,
        tier="standard",
        reason="success_rate_drop",
    ),
)

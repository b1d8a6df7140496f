"""Whether an outage is seen over all partitions, when a rollback is decided.

The detector sees the tools of one partition (``policy.state.outage_watch``). With few tools in a
partition it cannot tell an outage from a version that broke. The applier looks at all tools, at
what the recorder has stored: the last execution of each tool before the command was issued. The
conditions are those of the detector.

A tool counts from its first success with the current version on, so that several broken versions
which are deployed at the same time are no outage.

It is looked a second time, at ``LOOK_BACK`` before: when an outage is over, a tool may fail by
chance before it succeeds again, and its failures in the outage would condemn it.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import Final, NamedTuple

from policy.state.outage_watch import BY_CHANCE, chance
from schemas.rules.outages import OutageRules

LOOK_BACK: Final = timedelta(seconds=15)


def moments_of(issued_at: datetime) -> tuple[datetime, datetime]:
    """Return the moments at which an outage stops a command that was issued at this time."""
    return issued_at, issued_at - LOOK_BACK


class SeenTool(NamedTuple):
    """A tool that was executed within ``outage_window_s`` before a moment."""

    failed: bool
    """Whether its last execution before the moment failed."""
    producer: str
    """Who published this execution (``policy.state.producers``)."""
    executions: int
    """How often the tool was executed, with all versions, as far as it is recorded."""
    failures: int


def loudest_in_outage(tools: Sequence[SeenTool], rules: OutageRules) -> str | None:
    """Return the producer with the most failing tools, if these tools look like an outage.

    None if they do not. If they do, it is an outage unless the others are well
    (``others_are_well``).
    """
    failing = [tool for tool in tools if tool.failed]
    if (
        len(tools) < rules.outage_tools
        or len(failing) < rules.outage_share * len(tools)
        or chance(len(failing), len(tools), _usual_failure_rate(tools)) > BY_CHANCE
    ):
        return None
    loud = Counter(tool.producer for tool in failing)
    return max(loud, key=lambda producer: (loud[producer], producer))


def others_are_well(failed: Sequence[bool], rules: OutageRules) -> bool:
    """Return whether fewer tools than in an outage fail for others than the loudest producer.

    ``failed`` has, for each tool that others executed within ``doubt_s``, whether the last of these
    executions failed. If there is none, nobody is known to be well.
    """
    return bool(failed) and sum(failed) < rules.outage_share * len(failed)


def _usual_failure_rate(tools: Sequence[SeenTool]) -> float:
    """Return how often executions of these tools fail, rounded up as the detector does it."""
    executions = sum(tool.executions for tool in tools)
    failures = sum(tool.failures for tool in tools)
    return min(ceil((failures + 1) / (executions + 20) * 1_000) / 1_000, 0.5)

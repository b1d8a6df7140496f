"""A verdict: what speaks against the current version of a tool."""

from typing import NamedTuple

from policy.state.counts import Counts
from schemas.rollback import Reason, Tier


class Verdict(NamedTuple):
    """A rule that holds, or the reason `regression`, with the counts of the window that decided."""

    tier: Tier
    reason: Reason
    counts: Counts

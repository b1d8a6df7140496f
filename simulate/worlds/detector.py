"""When a policy rolls tools back that share a partition."""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Final

from policy.decision.fold import Numbered, fold_all
from policy.state.outages import NO_OUTAGE, OutageWatch
from schemas.outages import OutageRules
from schemas.rules import Rules
from simulate.deciders.decider import POLICIES
from simulate.worlds.histories import History, log_of, outcomes_of

_PRODUCT: Final = {"guarded": Rules(policy="guarded"), "seed": Rules()}
"""What the detector itself decides, by the log of the partition."""

RolledBack = dict[str, int]
"""The times, in milliseconds, of the executions that roll their tools back, by tool; who is not
rolled back is not in it."""


def rolled_back(policy: str, histories: Sequence[History]) -> RolledBack:
    """Of tools of one partition; each at its first rollback."""
    if policy in _PRODUCT:
        return _by_detector(histories, _PRODUCT[policy])
    found = {}
    for history in histories:
        judging = POLICIES[policy](outcomes_of(history.target))
        for call in history.life:
            if judging.judge(call.outcome):
                found[history.tool] = call.at_ms
                break
    return found


def _by_detector(histories: Iterable[History], rules: Rules) -> RolledBack:
    """As the detector folds one batch that holds all of the partition's log."""
    log = sorted(
        ((at_ms, entry) for history in histories for at_ms, entry in log_of(history)),
        key=itemgetter(0),
    )
    read = [
        (entry.tool_name.encode(), (offset, at_ms, entry))
        for offset, (at_ms, entry) in enumerate(log)
    ]
    timeline = OutageWatch().follow(read, OutageRules()) if rules.policy == "guarded" else NO_OUTAGE
    logs: dict[bytes, list[Numbered]] = {}
    for key, numbered in read:
        logs.setdefault(key, []).append(numbered)
    found = {}
    for key, tool_log in logs.items():
        _, decided = fold_all(None, tool_log, rules, timeline)
        # the target is judged as well, but it is not what is asked for
        times = [at_ms for _, at_ms, command in decided if command.from_version_id == 2]
        if times:
            found[key.decode()] = times[0]
    return found

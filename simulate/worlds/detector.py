"""When a policy rolls tools back that share a partition."""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Final

from policy.decision.fold import fold_all
from policy.decision.policies import policy_for
from policy.state.log import LogRecord
from policy.state.outage import NO_OUTAGE
from policy.state.outage_watch import OutageWatch
from schemas.outages import OutageRules
from schemas.rules import Rules
from simulate.deciders.policies import POLICIES
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
    records = [LogRecord.of(offset, at_ms, entry) for offset, (at_ms, entry) in enumerate(log)]
    policy, timeline = policy_for(rules), NO_OUTAGE
    if policy.watches_outages:
        timeline = OutageWatch().follow(records, OutageRules())
    logs: dict[bytes, list[LogRecord]] = {}
    for record in records:
        logs.setdefault(record.key, []).append(record)
    found = {}
    for key, tool_log in logs.items():
        _, decided = fold_all(None, tool_log, policy, timeline)
        # the target is judged as well, but it is not what is asked for
        times = [at_ms for _, at_ms, command in decided if command.from_version_id == 2]
        if times:
            found[key.decode()] = times[0]
    return found

"""When a decider rolls back the tools of one partition."""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Final

from policy.decision.fold import fold_all
from policy.decision.policies import policy_for
from policy.state.log import LogRecord
from policy.state.outage import NO_OUTAGE
from policy.state.outage_watch import OutageWatch
from schemas.rules.outages import OutageRules
from schemas.rules.rules import Rules
from simulate.deciders.decider import DECIDERS
from simulate.worlds.histories import History, log_of, outcomes_of

_PRODUCT: Final = {"guarded": Rules(policy="guarded"), "seed": Rules()}
"""The rules of those deciders that are the detector's own policies."""

RolledBack = dict[str, int]
"""By tool, the time in milliseconds of the execution that rolled it back. Tools that were not
rolled back are not in it."""


def rolled_back(decider: str, histories: Sequence[History]) -> RolledBack:
    """Return the first rollback of each of these tools, which share a partition."""
    if decider in _PRODUCT:
        return _by_detector(histories, _PRODUCT[decider])
    found = {}
    for history in histories:
        judging = DECIDERS[decider](outcomes_of(history.baseline))
        for call in history.life:
            if judging.judge(call.outcome):
                found[history.tool] = call.at_ms
                break
    return found


def _by_detector(histories: Iterable[History], rules: Rules) -> RolledBack:
    """Fold the log of the partition as the detector folds one batch."""
    log = sorted(
        ((at_ms, entry) for history in histories for at_ms, entry in log_of(history)),
        key=itemgetter(0),
    )
    records = [LogRecord.of(offset, at_ms, entry) for offset, (at_ms, entry) in enumerate(log)]
    policy, timeline = policy_for(rules), NO_OUTAGE
    if policy.watches_outages:
        timeline = OutageWatch().follow(records, OutageRules(), lambda _: None)
    logs: dict[bytes, list[LogRecord]] = {}
    for record in records:
        logs.setdefault(record.key, []).append(record)
    found = {}
    for key, tool_log in logs.items():
        _, decided = fold_all(None, tool_log, policy, timeline)
        # the detector judges the baseline version (1) too, but only version 2 counts here
        times = [at_ms for _, at_ms, command in decided if command.from_version_id == 2]
        if times:
            found[key.decode()] = times[0]
    return found

"""Outages against an oracle that computes everything anew at each record."""

from dataclasses import dataclass, field
from math import ceil, comb
from typing import Any

import pytest

from policy.state.log import LogRecord
from policy.state.outage_watch import OutageWatch
from schemas.execution import Activation
from schemas.outages import OutageRules
from tests.support.cases import cases
from tests.support.policy.partition_logs import Record, random_log

pytestmark = pytest.mark.exhaustive

QUICK = OutageRules(outage_tools=3, outage_window_s=20, doubt_s=5)
RULES = (OutageRules(), QUICK, OutageRules(outage_tools=2, outage_share=0.9, doubt_share=0.5))


@dataclass
class SlowWatch:
    """What is known at each record, from all records up to it. Cells are tools here."""

    rules: OutageRules
    seen: list[tuple[int, str, str]] = field(default_factory=list)
    spans: list[list[Any]] = field(default_factory=list)
    counted: list[bool] = field(default_factory=list)
    suspected_ms: int | None = None
    checked_s: int = 0
    halves: list[int] = field(default_factory=lambda: [0, 0])

    def lasts(self) -> bool:
        return bool(self.spans) and self.spans[-1][1] is None

    def shares(self, but: str = "") -> tuple[int, int]:
        now_ms = max(each[0] for each in self.seen)
        window_s = self.rules.outage_window_s * (10 if self.lasts() else 1)
        since_s = (now_ms - window_s * 1_000) // 1_000
        newest: dict[str, tuple[int, str]] = {}
        now = 0
        for at_ms, tool, outcome in self.seen:
            now = max(now, at_ms)
            is_new = outcome == "failed" and newest.get(tool, (0, ""))[1] == "new"
            newest[tool] = now, "new" if is_new else outcome
        live = [s for t, (at, s) in newest.items() if at // 1_000 >= since_s and t != but]
        return len(live) - live.count("new"), live.count("failed")

    def usual(self) -> float:
        executions, failures = self.halves
        return min(ceil((failures + 1) / (executions + 20) * 1_000) / 1_000, 0.5)

    def improbable(self, failing: int, tools: int, most: float) -> bool:
        rate = self.usual()
        tail = sum(
            comb(tools, n) * rate**n * (1 - rate) ** (tools - n) for n in range(failing, tools + 1)
        )
        return tail <= most

    def is_suspicious(self, tools: int, failing: int) -> bool:
        rules = self.rules
        return (
            tools >= rules.outage_tools - 1
            and failing >= 1
            and failing >= rules.doubt_share * tools
            and self.improbable(failing, tools, 0.05)
        )

    def read(self, record: Record) -> bool:
        """Return whether the record is a failure at which decisions are deferred."""
        _, at_ms, entry = record
        rules, tool = self.rules, entry.tool_name
        if isinstance(entry, Activation):
            self.seen.append((at_ms, tool, "new"))
            return False
        self.seen.append((at_ms, tool, "good" if entry.success else "failed"))
        now_ms = max(each[0] for each in self.seen)
        tools, failing = self.shares()
        deferred = False
        if self.lasts():
            usual = tools >= rules.outage_tools and not self.improbable(failing, tools, 0.1)
            if failing < rules.outage_share / 2 * tools or tools == 0 or usual:
                self.spans[-1][1] = now_ms
        elif (
            not entry.success
            and tools >= rules.outage_tools
            and failing >= rules.outage_share * tools
            and self.improbable(failing, tools, 0.001)
        ):
            self.spans.append([now_ms - rules.outage_window_s * 1_000, None])
            self.suspected_ms = None
        elif self.suspected_ms is not None and self.checked_s != now_ms // 1_000:
            self.checked_s = now_ms // 1_000
            if not self.is_suspicious(tools - 1, failing - 1):
                self.suspected_ms = None
        if not entry.success and not self.lasts() and self.is_suspicious(*self.shares(but=tool)):
            self.suspected_ms = now_ms if self.suspected_ms is None else self.suspected_ms
            deferred = now_ms - self.suspected_ms <= rules.doubt_s * 1_000
        if not self.lasts() or record[0] % 8 == 0:
            self.halves[0] += 1
            self.halves[1] += not entry.success
        return deferred


@pytest.mark.parametrize("which", range(len(RULES)))
def test_the_watch_knows_what_the_oracle_knows(which: int) -> None:
    began, deferred_records, over = 0, 0, 0
    for seed in range(cases(40)):
        slow, watch = SlowWatch(RULES[which]), OutageWatch()
        for record in random_log(seed):
            timeline = watch.follow([LogRecord.of(*record)], RULES[which])
            deferred = slow.read(record)
            spans = tuple(tuple(each) for each in slow.spans[-8:])
            assert timeline.outages_at(record[0]) == spans, (seed, record[0])
            assert (record[0] in timeline.deferred) == deferred, (seed, record[0])
            deferred_records += deferred
        began += len(slow.spans)
        over += sum(end is not None for _, end in slow.spans)
    assert began > 10
    assert over > 10
    assert deferred_records > 10

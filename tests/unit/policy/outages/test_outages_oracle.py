"""Outages against a slow reading of what they are, record by record."""

from dataclasses import dataclass, field
from math import ceil, comb
from typing import Any

import pytest

from policy.state.log import LogRecord
from policy.state.outage_watch import OutageWatch
from schemas.execution import Activation
from schemas.outages import OutageRules
from tests.support.partition_logs import Record, random_log

QUICK = OutageRules(outage_tools=3, outage_window_s=20, doubt_s=5)
RULES = (OutageRules(), QUICK, OutageRules(outage_tools=2, outage_share=0.9, doubt_share=0.5))


@dataclass
class Slowly:
    """What is known behind each record, from all records before it; cells are tools here."""

    rules: OutageRules
    seen: list[tuple[int, str, str]] = field(default_factory=list)
    spans: list[list[Any]] = field(default_factory=list)
    counted: list[bool] = field(default_factory=list)
    doubt_ms: int | None = None
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
        for at_ms, tool, says in self.seen:
            now = max(now, at_ms)
            if says == "failed" and newest.get(tool, (0, ""))[1] == "new":
                says = "new"
            newest[tool] = now, says
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

    def many(self, tools: int, failing: int) -> bool:
        rules = self.rules
        return (
            tools >= rules.outage_tools - 1
            and failing >= 1
            and failing >= rules.doubt_share * tools
            and self.improbable(failing, tools, 0.05)
        )

    def read(self, record: Record) -> bool:
        """Whether the record is a failure at which decisions wait."""
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
        else:
            if (
                not entry.success
                and tools >= rules.outage_tools
                and failing >= rules.outage_share * tools
                and self.improbable(failing, tools, 0.001)
            ):
                self.spans.append([now_ms - rules.outage_window_s * 1_000, None])
                self.doubt_ms = None
            elif self.doubt_ms is not None and self.checked_s != now_ms // 1_000:
                self.checked_s = now_ms // 1_000
                if not self.many(tools - 1, failing - 1):
                    self.doubt_ms = None
        if not entry.success and not self.lasts() and self.many(*self.shares(but=tool)):
            self.doubt_ms = now_ms if self.doubt_ms is None else self.doubt_ms
            deferred = now_ms - self.doubt_ms <= rules.doubt_s * 1_000
        if not self.lasts() or record[0] % 8 == 0:
            self.halves[0] += 1
            self.halves[1] += not entry.success
        return deferred


@pytest.mark.parametrize("which", range(len(RULES)))
def test_what_is_known_is_what_a_slow_reading_knows(which: int) -> None:
    began, doubted, over = 0, 0, 0
    for seed in range(40):
        slow, watch = Slowly(RULES[which]), OutageWatch()
        for record in random_log(seed):
            timeline = watch.follow([LogRecord.of(*record)], RULES[which])
            deferred = slow.read(record)
            spans = tuple(tuple(each) for each in slow.spans[-8:])
            assert timeline.outages_at(record[0]) == spans, (seed, record[0])
            assert (record[0] in timeline.deferred) == deferred, (seed, record[0])
            doubted += deferred
        began += len(slow.spans)
        over += sum(end is not None for _, end in slow.spans)
    assert began > 10
    assert over > 10
    assert doubted > 10

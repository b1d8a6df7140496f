"""Outages against an oracle that computes everything anew at each record."""

from dataclasses import dataclass, field
from math import ceil, comb
from typing import Any
from zlib import crc32

import pytest

from policy.state.log import LogRecord
from policy.state.outage_watch import OutageWatch
from schemas.execution import Activation
from schemas.later_verdict import LaterVerdict
from schemas.rules.outages import OutageRules
from tests.support.cases import THOROUGH
from tests.support.policy.partition_logs import Record, random_log

pytestmark = pytest.mark.exhaustive

QUICK = OutageRules(outage_tools=3, outage_window_s=20, doubt_s=5)
RULES = (OutageRules(), QUICK, OutageRules(outage_tools=2, outage_share=0.9, doubt_share=0.5))
HASHES = {"": 0} | {name: crc32(name.encode()) & 0xFFFF for name in ("one", "two")}
"""Of two producers with equally many failing tools the one with the larger hash is the loudest."""


@dataclass
class SlowWatch:
    """What is known at each record, from all records up to it. Cells are tools here."""

    rules: OutageRules
    seen: list[tuple[int, str, str, str]] = field(default_factory=list)
    """The time, the tool, what happened, and who executed it."""
    now_ms: int = 0
    activated: set[str] = field(default_factory=set)
    recognised: list[int] = field(default_factory=list)
    last_suspected_ms: int = 0
    spans: list[list[Any]] = field(default_factory=list)
    counted: list[bool] = field(default_factory=list)
    suspected_ms: int | None = None
    checked_s: int = 0
    halves: list[int] = field(default_factory=lambda: [0, 0])

    def known_since(self, key: bytes) -> int | None:
        return 0 if key.decode() in self.activated else None

    def lasts(self) -> bool:
        return bool(self.spans) and self.spans[-1][1] is None

    def shares(self, but: str = "") -> tuple[int, int]:
        window_s = self.rules.outage_window_s * (10 if self.lasts() else 1)
        since_s = (self.now_ms - window_s * 1_000) // 1_000
        live = [
            history[-1][1]
            for tool, history in self.histories().items()
            if history[-1][0] // 1_000 >= since_s and tool != but
        ]
        return len(live) - live.count("new"), live.count("failed")

    def histories(self) -> dict[str, list[tuple[int, str, str]]]:
        """Return of each tool the time, the state and the producer of all since its activation."""
        histories: dict[str, list[tuple[int, str, str]]] = {}
        for now, tool, outcome, producer in self.seen:
            history = histories.setdefault(tool, [])
            if outcome == "new":
                history.clear()
            is_new = outcome == "failed" and bool(history) and history[-1][1] == "new"
            history.append((now, "new" if is_new else outcome, producer))
        return histories

    def others_are_well(self, share: float, since_ms: int) -> bool:
        """Compare with what was seen by all but the producer with the most failing tools."""
        histories = self.histories()
        loud: dict[str, int] = {}
        for history in histories.values():
            _, state, producer = history[-1]
            if state == "failed":
                loud[producer] = loud.get(producer, 0) + 1
        loudest = max(loud, key=lambda name: (loud[name], HASHES[name]), default="nobody")
        tools = failing = 0
        for history in histories.values():
            by_others = [each for each in history if each[2] not in (loudest, "applier")]
            if by_others and by_others[-1][0] // 1_000 >= since_ms // 1_000:
                tools += by_others[-1][1] != "new"
                failing += by_others[-1][1] == "failed"
        return tools > 0 and failing < share * tools

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

    def is_over(self, tools: int, failing: int) -> bool:
        rules = self.rules
        usual = tools >= rules.outage_tools and not self.improbable(failing, tools, 0.1)
        since_ms = min(self.recognised[-1], self.now_ms - rules.doubt_s * 1_000)
        well = self.others_are_well(rules.outage_share / 2, since_ms)
        return failing <= rules.outage_share / 2 * tools or usual or well

    def is_outage(self, tools: int, failing: int) -> bool:
        rules = self.rules
        return (
            tools >= rules.outage_tools
            and failing >= rules.outage_share * tools
            and self.improbable(failing, tools, 0.001)
            and not self.others_are_well(rules.outage_share, self.now_ms - rules.doubt_s * 1_000)
        )

    def read(self, record: Record) -> bool:
        """Return whether the record is a failure at which decisions are deferred."""
        offset, at_ms, entry = record
        tool = entry.tool_name
        self.now_ms = max(self.now_ms, at_ms)
        if isinstance(entry, Activation):
            self.activated.add(tool)
            self.seen.append((self.now_ms, tool, "new", "applier"))
            return False
        if tool not in self.activated:
            return False
        if isinstance(entry, LaterVerdict):
            return False
        if not entry.success and entry.error_origin == "caller":
            return False
        producer = entry.session_id or ""
        self.seen.append((self.now_ms, tool, "good" if entry.success else "failed", producer))
        return self.judge(offset, tool, entry.success)

    def judge(self, offset: int, tool: str, success: bool) -> bool:
        rules, now_ms = self.rules, self.now_ms
        tools, failing = self.shares()
        deferred = False
        if self.lasts():
            if self.is_over(tools, failing):
                self.spans[-1][1] = now_ms
        elif not success and self.is_outage(tools, failing):
            self.recognised.append(now_ms)
            self.spans.append([now_ms - rules.outage_window_s * 1_000, None])
            self.suspected_ms = None
        elif self.suspected_ms is not None and self.checked_s != now_ms // 1_000:
            self.checked_s = now_ms // 1_000
            if not self.is_suspicious(tools - 1, failing - 1):
                self.suspected_ms = None
        if not success and not self.lasts() and self.is_suspicious(*self.shares(but=tool)):
            if self.suspected_ms is None:
                if now_ms - self.last_suspected_ms > 2 * rules.doubt_s * 1_000:
                    self.last_suspected_ms = now_ms
                self.suspected_ms = self.last_suspected_ms
            deferred = now_ms - self.suspected_ms <= rules.doubt_s * 1_000
        if not self.lasts() or offset % 8 == 0:
            self.halves[0] += 1
            self.halves[1] += not success
        return deferred


@pytest.mark.parametrize("which", range(len(RULES)))
def test_the_watch_knows_what_the_oracle_knows(which: int) -> None:
    began, deferred_records, over = 0, 0, 0
    for seed in range(60 if THOROUGH else 20):
        slow, watch = SlowWatch(RULES[which]), OutageWatch()
        for record in random_log(seed):
            timeline = watch.follow([LogRecord.of(*record)], RULES[which], slow.known_since)
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

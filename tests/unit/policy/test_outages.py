"""Outages: against a slow reading of what they are, in batches of any length, and by hand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil, comb
from random import Random
from typing import Any
from uuid import UUID
from zlib import crc32

import pytest

from policy.decision.fold import fold_all
from policy.decision.health import health_of, outage_of
from policy.decision.policies import policy_for
from policy.state.log import LogRecord
from policy.state.outage import NO_OUTAGE
from policy.state.outage_watch import (
    OutageWatch,
    chance,
    decode_watch,
    encode_watch,
)
from policy.state.row import Row, decode, encode
from schemas.execution import ActivatedBy, Activation
from schemas.execution_entry import ExecutionEntry
from schemas.fields import micros_of, time_of
from schemas.outages import OutageRules
from schemas.rollback import RollbackCommand
from schemas.settings import Settings, load_settings
from tests.support.partition import Partition
from tests.unit.policy.test_rules_oracle import HASH, START

SECOND_MS = 1_000
BEGIN_MS = micros_of(START) // 1_000
GUARDED = load_settings(policy="guarded")
Record = tuple[int, int, ExecutionEntry | Activation]


@dataclass
class LogOfMany:
    """Writes a partition's log of several tools."""

    log: list[Record] = field(default_factory=list)
    activations: dict[str, int] = field(default_factory=dict)
    random: Random = field(default_factory=lambda: Random(1))

    def deploy(self, tool: str, at_ms: int, by: Any = "deployment") -> None:
        number = self.activations[tool] = self.activations.get(tool, 0) + 1
        activation = Activation(
            tool_name=tool,
            version_id=number,
            version_number=number,
            code_hash=HASH,
            activation=number,
            activated_at=time_of(at_ms * 1_000),
            activated_by=ActivatedBy(kind=by, id=UUID(int=number)),
        )
        self.log.append((len(self.log), at_ms, activation))

    def run(self, tool: str, at_ms: int, success: bool, error: str = "ConnectionError") -> None:
        run = ExecutionEntry(
            UUID(int=len(self.log)),
            tool,
            success,
            "",
            error_type=None if success else error,
            executed_us=at_ms * 1_000,
        )
        self.log.append((len(self.log), at_ms, run))

    def round(self, at_ms: int, failing: Sequence[str], tools: Sequence[str]) -> None:
        """Each tool once, within five seconds, in an order by chance."""
        for place, tool in enumerate(self.random.sample(tools, len(tools))):
            self.run(tool, at_ms + place * 5_000 // len(tools), tool not in failing)


def tools_of(number: int) -> list[str]:
    """Each in a cell of its own."""
    found: dict[int, str] = {}
    for name in (f"tool-{n}" for n in range(1_000)):
        found.setdefault(crc32(name.encode()) % 64, name)
    return list(found.values())[:number]


def commands_in(
    log: Sequence[Record], settings: Settings = GUARDED
) -> list[tuple[int, RollbackCommand]]:
    """With the offset at which each was decided."""
    partition = Partition(settings)
    decided = ((record[0], partition.read(*record)) for record in log)
    return [(offset, command) for offset, command in decided if command is not None]


# ------------------------------------------------------------------------------------------------
# Against a slow reading.
# ------------------------------------------------------------------------------------------------

QUICK = OutageRules(outage_tools=3, outage_window_s=20, doubt_s=5)
RULES = (OutageRules(), QUICK, OutageRules(outage_tools=2, outage_share=0.9, doubt_share=0.5))


def random_log(seed: int) -> list[Record]:
    """Times of health and of trouble, of many tools and of few."""
    random = Random(seed)
    writer, tools = LogOfMany(random=random), tools_of(random.choice((3, 5, 12, 40)))
    at_ms = BEGIN_MS
    for tool in tools:
        writer.deploy(tool, at_ms)
    trouble, pace_ms = 0.0, 500
    for _ in range(400):
        what = random.random()
        if what < 0.03:
            trouble = random.choice((0.0, 0.0, 0.02, 0.3, 0.9, 1.0))
            pace_ms = random.choice((0, 100, 500, 3_000))
        elif what < 0.05:
            writer.deploy(random.choice(tools), at_ms)
        elif what < 0.06:
            at_ms += random.choice((20_000, 61_000, 700_000))
        at_ms += random.choice((pace_ms, 0, 2 * pace_ms))
        late_ms = random.choice((0, 0, 0, 0, -2_000))
        writer.run(random.choice(tools), at_ms + late_ms, random.random() >= trouble)
    return writer.log


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
        elif (
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


def batches(log: Sequence[Record], random: Random) -> Iterator[Sequence[Record]]:
    begin = 0
    while begin < len(log):
        end = begin + random.choice((1, 2, 7, 30, 150))
        yield log[begin:end]
        begin = end


@dataclass
class Detector:
    """What a detector does with a partition: rows and watch as bytes, tool by tool."""

    settings: Settings
    rows: dict[str, bytes] = field(default_factory=dict)
    watch: bytes = encode_watch(OutageWatch())
    commands: list[tuple[int, RollbackCommand]] = field(default_factory=list)

    def take(self, batch: Sequence[Record]) -> None:
        watch = decode_watch(self.watch)
        timeline = watch.follow([LogRecord.of(*each) for each in batch], self.settings.outages)
        logs: dict[str, list[LogRecord]] = {}
        for record in batch:
            logs.setdefault(record[2].tool_name, []).append(LogRecord.of(*record))
        for tool, log in logs.items():
            known = self.rows.get(tool)
            row: Row | None = None if known is None else decode(known)
            row, found = fold_all(row, log, policy_for(self.settings.rules_of(tool)), timeline)
            self.commands += [(offset, command) for offset, _, command in found]
            if row is not None:
                self.rows[tool] = encode(row)
        self.watch = encode_watch(watch)


SENSITIVE = load_settings(
    policy="guarded", alpha=0.2, signature_alpha=0.3, outage_tools=3, outage_window_s=20
)


def test_batches_make_no_difference_nor_does_a_crash_between_rows() -> None:
    decided, held = 0, 0
    for seed in range(30):
        log, random = random_log(seed), Random(seed)
        one_by_one = Partition(SENSITIVE)
        expected = [(each[0], one_by_one.read(*each)) for each in log]
        commands = {offset: command for offset, command in expected if command is not None}
        detector = Detector(SENSITIVE)
        for batch in batches(log, random):
            before = dict(detector.rows), detector.watch
            detector.take(batch)
            if random.random() < 0.3:  # some rows came through, what is known of outages did not
                for tool in random.sample(sorted(detector.rows), len(detector.rows) // 2):
                    if tool in before[0]:
                        detector.rows[tool] = before[0][tool]
                    else:
                        del detector.rows[tool]
                detector.watch = before[1]
                detector.take(batch)
        assert dict(detector.commands) == commands, seed
        assert {tool: encode(row) for tool, row in one_by_one.rows.items()} == detector.rows
        assert encode_watch(one_by_one.watch) == detector.watch
        decided += len(commands)
        unwatched = {
            tool: fold_all(
                None,
                [LogRecord.of(*record) for record in each],
                policy_for(SENSITIVE.rules_of(tool)),
            )[1]
            for tool, each in by_tool(log).items()
        }
        held += sum(map(len, unwatched.values())) - len(commands)
    assert decided > 20
    assert held > 20


def by_tool(log: Sequence[Record]) -> dict[str, list[Record]]:
    logs: dict[str, list[Record]] = {}
    for record in log:
        logs.setdefault(record[2].tool_name, []).append(record)
    return logs


# ------------------------------------------------------------------------------------------------
# By hand: a round is each tool once in five seconds.
# ------------------------------------------------------------------------------------------------


def healthy(tools: Sequence[str], rounds: int = 500) -> tuple[LogOfMany, int]:
    """All succeed nineteen times of twenty; the log, and when it ends."""
    writer = LogOfMany()
    for tool in tools:
        writer.deploy(tool, BEGIN_MS)
    for number in range(rounds):
        failing = [tool for tool in tools if writer.random.random() < 0.05]
        writer.round(BEGIN_MS + number * 5_000, failing, tools)
    for tool in tools:  # a version that is measured by a baseline
        writer.deploy(tool, BEGIN_MS + rounds * 5_000)
    for number in range(rounds, rounds + 3):
        writer.round(BEGIN_MS + number * 5_000, (), tools)
    return writer, BEGIN_MS + (rounds + 3) * 5_000


def test_an_outage_rolls_nothing_back_and_leaves_no_evidence() -> None:
    tools = tools_of(10)
    writer, at_ms = healthy(tools)
    for number in range(36):
        writer.round(at_ms + number * 5_000, tools, tools)
    for number in range(36, 60):
        writer.round(at_ms + number * 5_000, (), tools)
    partition = Partition(GUARDED)
    assert [each for each in (partition.read(*record) for record in writer.log) if each] == []
    for row in partition.rows.values():
        assert row.tool_evidence is not None
        assert row.tool_evidence.evidence.failures == 0
        assert row.tool_evidence.evidence.successes >= 26
    *_, span = partition.watch.spans
    assert 0 <= span[0] - (at_ms - 60_000) <= 5_000
    assert span[1] is not None
    assert 0 <= span[1] - (at_ms + 36 * 5_000) <= 5_000
    quiet = load_settings(policy="guarded", outage_tools=64)
    assert len(commands_in(writer.log, quiet)) == len(tools)


def test_what_broke_in_an_outage_is_found_within_a_minute_of_its_end() -> None:
    tools = tools_of(10)
    for broken in tools:
        writer, at_ms = healthy(tools)
        for number in range(36):
            writer.round(at_ms + number * 5_000, tools, tools)
        end_ms = at_ms + 36 * 5_000
        for number in range(36, 60):
            writer.round(at_ms + number * 5_000, [broken], tools)
        [(offset, command)] = commands_in(writer.log)
        assert command.tool_name == broken
        assert 0 <= writer.log[offset][1] - end_ms <= 60 * SECOND_MS
        assert command.details["evidence"]["seen"]["failures"] <= 8


def test_one_that_breaks_while_all_others_do_well_waits_for_nothing() -> None:
    tools = tools_of(10)
    writer, at_ms = healthy(tools)
    for number in range(10):
        writer.round(at_ms + number * 5_000, tools[:1], tools)
    [(offset, command)] = commands_in(writer.log)
    [(alone, _)] = [
        (each, command)
        for each, _, command in fold_all(
            None,
            [LogRecord.of(*record) for record in by_tool(writer.log)[tools[0]]],
            policy_for(GUARDED.rules_of("")),
        )[1]
    ]
    assert command.tool_name == tools[0]
    assert offset == alone


def test_three_that_break_at_once_wait_for_half_a_minute_at_most() -> None:
    tools, writer = tools_of(8), LogOfMany()
    for number in range(500):  # they hardly ever fail: three at once are no chance
        if number in (0, 499):
            for tool in tools:
                writer.deploy(tool, BEGIN_MS + number * 5_000)
        failing = tools[number // 20 % 8] if number % 20 == 7 else ""
        writer.round(BEGIN_MS + number * 5_000, [failing], tools)
    at_ms = BEGIN_MS + 500 * 5_000
    for number in range(20):
        writer.round(at_ms + number * 5_000, tools[:3], tools)

    def waited_s(settings: Settings) -> list[float]:
        decided = commands_in(writer.log, settings)
        assert {command.tool_name for _, command in decided} == set(tools[:3])
        return [(writer.log[offset][1] - at_ms) / 1_000 for offset, _ in decided]

    assert all(each < 25 for each in waited_s(load_settings(policy="guarded", outage_tools=64)))
    assert all(30 < each <= 41 for each in waited_s(GUARDED)), waited_s(GUARDED)


def test_versions_that_never_succeeded_are_no_outage() -> None:
    tools = tools_of(10)
    writer, at_ms = healthy(tools)
    for tool in tools[:8]:
        writer.deploy(tool, at_ms)
    for number in range(6):
        writer.round(at_ms + number * 5_000, tools[:8], tools)
    assert {command.tool_name for _, command in commands_in(writer.log)} == set(tools[:8])


def test_with_few_tools_there_is_none() -> None:
    tools = tools_of(3)
    writer, at_ms = healthy(tools)
    for number in range(12):
        writer.round(at_ms + number * 5_000, tools, tools)
    assert {command.tool_name for _, command in commands_in(writer.log)} == set(tools)


def test_chance_is_seldom_taken_for_one() -> None:
    """Tools that fail every other time, and every twentieth time."""
    for rate in (0.5, 0.05):
        for number in (5, 10, 40):
            tools, random, writer = tools_of(number), Random(3), LogOfMany()
            for tool in tools:
                writer.deploy(tool, BEGIN_MS)
            for round_ in range(500):
                failing = [tool for tool in tools if random.random() < rate]
                writer.round(BEGIN_MS + round_ * 5_000, failing, tools)
            partition, lost = Partition(GUARDED), 0
            for record in writer.log:
                partition.read(*record)
                lost += partition.watch.lasts
            assert lost < 0.1 * len(writer.log), (rate, number)


def test_who_calls_less_often_does_not_end_it() -> None:
    tools = tools_of(10)
    writer, at_ms = healthy(tools)
    for number in range(6):
        writer.round(at_ms + number * 5_000, tools, tools)
    for number in range(10):
        writer.run(tools[number], at_ms + 30_000 + number * 50_000, False)
    partition = Partition(GUARDED)
    for record in writer.log:
        assert partition.read(*record) is None
    assert partition.watch.lasts


def test_who_asks_is_told() -> None:
    tools = tools_of(10)
    writer, at_ms = healthy(tools)
    partition = Partition(GUARDED)
    for record in writer.log:
        partition.read(*record)
    assert outage_of(partition.watch, GUARDED.outages) is None
    policy, row = policy_for(GUARDED.rules_of("")), partition.rows[tools[0]]
    begun = len(writer.log)
    writer.round(at_ms, tools, tools)
    for record in writer.log[begun:]:
        partition.read(*record)
    told = outage_of(partition.watch, GUARDED.outages)
    assert told is not None
    assert (told["tools"], told["failing"]) == (10, 10)
    health = health_of(row, tools[0], policy, partition.watch, GUARDED.outages)
    assert health["outage"] == told
    assert not health["needs_rollback"]
    assert health_of(row, tools[0], policy, OutageWatch(), GUARDED.outages)["outage"] is None
    assert told["since"].startswith(str(time_of((at_ms - 60_000) * 1_000))[:10])


def test_the_row_of_what_is_known_is_small() -> None:
    tools = tools_of(64)
    writer, at_ms = healthy(tools)
    writer.round(at_ms, tools, tools)
    partition = Partition(GUARDED)
    for record in writer.log:
        partition.read(*record)
    watch = partition.watch
    watch.spans = [(at_ms, at_ms)] * 8
    assert len(encode_watch(watch)) < 600
    with pytest.raises(ValueError, match="not an outage row"):
        decode_watch(encode_watch(watch)[:-1])


def test_policy_seed_asks_for_nothing() -> None:
    tools = tools_of(10)
    writer, at_ms = healthy(tools)
    writer.round(at_ms, tools, tools)
    partition = Partition(load_settings())
    for record in writer.log:
        partition.read(*record)
    assert partition.watch == OutageWatch()
    assert not load_settings().is_guarded_anywhere
    assert load_settings(tools={"one": {"policy": "guarded"}}).is_guarded_anywhere
    assert NO_OUTAGE.is_without_outage


def test_chance_is_the_tail_of_the_binomial() -> None:
    assert chance(0, 5, 0.3) == pytest.approx(1)
    assert chance(5, 5, 0.5) == pytest.approx(1 / 32)
    assert chance(3, 4, 0.1) == pytest.approx(4 * 0.001 * 0.9 + 0.0001)


def test_a_day_between_two_outages() -> None:
    """The second one finds rows that were left in the first."""
    tools = tools_of(10)
    writer, at_ms = healthy(tools)
    writer.round(at_ms, tools, tools)  # each fails once, and is executed the next day only
    day_ms = at_ms + int(timedelta(days=1) / timedelta(milliseconds=1))
    for number in range(15):
        writer.round(day_ms + number * 5_000, tools[:1] if number > 1 else (), tools)
    partition = Partition(GUARDED)
    found = [each for each in (partition.read(*record) for record in writer.log) if each]
    assert [each.tool_name for each in found] == tools[:1]
    for tool in tools[1:]:
        tool_evidence = partition.rows[tool].tool_evidence
        assert tool_evidence is not None
        assert tool_evidence.evidence.failures == 0

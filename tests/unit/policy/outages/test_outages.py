"""Outages by hand. In a round, each tool is executed once within five seconds."""

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from policy.decision.fold import fold_all
from policy.decision.health import health_of, outage_of
from policy.decision.policies import policy_for
from policy.state.log import LogRecord
from policy.state.outage import NO_OUTAGE
from policy.state.outage_watch import OutageWatch, chance, decode_watch, encode_watch
from schemas.failures.failure_classes import ErrorOrigin
from schemas.fields import time_of
from schemas.rollback import RollbackCommand
from schemas.settings import Settings, load_settings
from tests.support.cases import cases
from tests.support.policy.partition import Partition
from tests.support.policy.partition_logs import (
    BEGIN_MS,
    PartitionLogWriter,
    Record,
    by_tool,
    tools_of,
)

SECOND_MS = 1_000
GUARDED = load_settings(policy="guarded")


def commands_in(
    log: Sequence[Record], settings: Settings = GUARDED
) -> list[tuple[int, RollbackCommand]]:
    """Return the commands, each with the offset of its record."""
    partition = Partition(settings)
    decided = ((record[0], partition.read(*record)) for record in log)
    return [(offset, command) for offset, command in decided if command is not None]


def healthy(tools: Sequence[str], rounds: int = 500) -> tuple[PartitionLogWriter, int]:
    """Return a log in which all tools succeed 19 times of 20, and the time at which it ends."""
    writer = PartitionLogWriter()
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


@pytest.mark.parametrize(
    ("origin", "changes", "is_outage"),
    [
        ("environment", {}, True),
        ("caller", {}, False),
        (None, {"caller_errors": ("ConnectionError",)}, False),
        (None, {"environment_errors": ("ConnectionError",)}, True),
        ("tool", {"caller_errors": ("ConnectionError",)}, True),
        (None, {"tools": {"other": {"caller_errors": ("ConnectionError",)}}}, True),
    ],
)
def test_failures_of_callers_are_no_sign_of_an_outage(
    origin: ErrorOrigin | None, changes: dict[str, Any], is_outage: bool
) -> None:
    tools = tools_of(10)
    writer, at_ms = healthy(tools, rounds=50)
    for index, tool in enumerate(tools * 3):
        writer.run(tool, at_ms + index * 100, success=False, origin=origin)
    settings = load_settings(policy="guarded", **changes)
    partition = Partition(settings)
    for record in writer.log:
        partition.read(*record)
    assert partition.watch.lasts == is_outage


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


@pytest.mark.exhaustive
def test_a_version_that_broke_in_an_outage_is_found_within_a_minute_after_it() -> None:
    tools = tools_of(10)
    for broken in tools[: cases(18)]:
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


def test_one_that_breaks_while_all_others_succeed_is_not_deferred() -> None:
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


def test_three_that_break_at_once_are_deferred_for_half_a_minute_at_most() -> None:
    tools, writer = tools_of(8), PartitionLogWriter()
    for number in range(500):  # they hardly ever fail, so three failing at once is not chance
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


def test_few_tools_are_no_outage() -> None:
    tools = tools_of(3)
    writer, at_ms = healthy(tools)
    for number in range(12):
        writer.round(at_ms + number * 5_000, tools, tools)
    assert {command.tool_name for _, command in commands_in(writer.log)} == set(tools)


@pytest.mark.exhaustive
def test_chance_is_seldom_taken_for_an_outage() -> None:
    """Tools fail every other time, or every twentieth time."""
    for rate in (0.5, 0.05):
        for number in (5, 10, 40):
            tools, random, writer = tools_of(number), Random(3), PartitionLogWriter()
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


def test_fewer_calls_do_not_end_an_outage() -> None:
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


def test_health_shows_the_outage() -> None:
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


@pytest.mark.exhaustive
def test_the_row_of_outages_is_small() -> None:
    tools = tools_of(64)
    writer, at_ms = healthy(tools)
    writer.round(at_ms, tools, tools)
    partition = Partition(GUARDED)
    for record in writer.log:
        partition.read(*record)
    watch = partition.watch
    watch.spans = [(at_ms, at_ms)] * 8
    assert len(encode_watch(watch)) < 1_300
    with pytest.raises(ValueError, match="not an outage row"):
        decode_watch(encode_watch(watch)[:-1])


def test_policy_seed_watches_no_outages() -> None:
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
    """The second outage finds rows that were last changed in the first one."""
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

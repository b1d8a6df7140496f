"""Attacks: whoever may publish executions cannot make an outage by itself.

A version breaks while the attack is on. It must be rolled back nearly as soon as without the
attack.
"""

from collections.abc import Callable
from functools import cache
from random import Random

import pytest

from policy.state.log import LogRecord
from policy.state.outage_watch import OutageWatch
from schemas.rollback import RollbackCommand
from schemas.settings import Settings, load_settings
from tests.support.policy.partition import Partition
from tests.support.policy.partition_logs import BEGIN_MS, PartitionLogWriter, tools_of

pytestmark = pytest.mark.exhaustive

GUARDED = load_settings(policy="guarded")
ENGINES = ("engine-1", "engine-2")
TOOLS = tools_of(10)
BROKEN = TOOLS[0]
BREAKS_MS = BEGIN_MS + 500 * 5_000
STEP_MS = 100

Attack = Callable[[PartitionLogWriter, int], None]
"""Writes what the attacker publishes at this time."""


def no_attack(writer: PartitionLogWriter, at_ms: int) -> None:
    """Publish nothing."""


def tools_that_nobody_deployed(writer: PartitionLogWriter, at_ms: int) -> None:
    """Fail ten executions of 400 tools that were never activated."""
    for number in range(10):
        tool = f"nobody-{(at_ms // STEP_MS * 10 + number) % 400}"
        writer.run(tool, at_ms, False, session=f"session-{number}")


def all_tools_fail_for_one(writer: PartitionLogWriter, at_ms: int) -> None:
    """Fail every tool that is deployed, seldom enough that this does not become usual."""
    if at_ms % 1_000:
        return
    for tool in TOOLS + IDLE:
        writer.run(tool, at_ms, False, session="attacker")


def suspicions(writer: PartitionLogWriter, at_ms: int) -> None:
    """Make some tools succeed for a moment every ten seconds, so that each suspicion is new."""
    if at_ms % 10_000 in (1_000, 2_400):
        for tool in IDLE[:10]:
            writer.run(tool, at_ms, at_ms % 10_000 == 1_000, session="attacker")


def idle_tools_fail_for_one(writer: PartitionLogWriter, at_ms: int) -> None:
    """Fail the tools that nobody else executes."""
    for tool in IDLE:
        writer.run(tool, at_ms, False, session="attacker")


IDLE = tools_of(30)[10:]


def attacked(attack: Attack, settings: Settings = GUARDED) -> list[tuple[int, RollbackCommand]]:
    """Return the commands about the tool that breaks, each with the time of its record.

    Two engines execute all tools once in five seconds each, for three minutes with the attack. A
    new version begins to fail at the same time, after some successes.
    """
    writer = before_the_attack()
    for at_ms in range(BREAKS_MS, BREAKS_MS + 180_000, STEP_MS):
        attack(writer, at_ms)
        for number, session in enumerate(ENGINES):
            for place, tool in enumerate(TOOLS):
                if (at_ms - BREAKS_MS) // STEP_MS % 50 == (5 * place + 2 * number) % 50:
                    writer.run(tool, at_ms, tool != BROKEN, session=session)
    partition = Partition(settings)
    read = ((record[1], partition.read(*record)) for record in writer.log)
    return [(at, each) for at, each in read if each is not None and each.tool_name == BROKEN]


def before_the_attack() -> PartitionLogWriter:
    """Return a log in which all is well for 500 rounds of five seconds."""
    writer, random = PartitionLogWriter(), Random(1)
    for tool in TOOLS + IDLE:
        writer.deploy(tool, BEGIN_MS)
    for at_ms in range(BEGIN_MS, BREAKS_MS, 5_000):
        for session in ENGINES:
            for tool in TOOLS:
                writer.run(tool, at_ms, random.random() > 0.02, session=session)
    for tool in IDLE:
        writer.run(tool, BREAKS_MS - 120_000, True, session=ENGINES[0])
    writer.deploy(BROKEN, BREAKS_MS)
    for session in ENGINES:
        writer.run(BROKEN, BREAKS_MS, True, session=session)
    return writer


@cache
def seconds_until_rollback(attack: Attack, settings: Settings = GUARDED) -> float | None:
    commands = attacked(attack, settings)
    return (commands[0][0] - BREAKS_MS) / 1_000 if commands else None


@pytest.mark.parametrize(
    "attack",
    [tools_that_nobody_deployed, all_tools_fail_for_one, idle_tools_fail_for_one, suspicions],
)
def test_an_attacker_cannot_keep_a_broken_version(attack: Attack) -> None:
    without = seconds_until_rollback(no_attack)
    within = seconds_until_rollback(attack)
    assert without is not None
    assert within is not None
    assert within <= without + GUARDED.outages.doubt_s + 10


@pytest.mark.parametrize("seldom", [2_500, 29_000])
def test_an_outage_of_two_producers_rolls_nothing_back(seldom: int) -> None:
    """One executes all tools every five seconds; the other one as seldom as this, one at a time.

    So what the other one saw before the outage looks well for a while.
    """
    writer, random = before_the_attack(), Random(2)
    for at_ms in range(BREAKS_MS, BREAKS_MS + 300_000, 500):
        is_down = 60_000 <= at_ms - BREAKS_MS < 240_000
        tool = TOOLS[at_ms // 500 % 10]
        writer.run(tool, at_ms, not is_down, session=ENGINES[0])
        if at_ms % seldom < 500:
            writer.run(random.choice(TOOLS), at_ms, not is_down, session=ENGINES[1])
    partition = Partition(GUARDED)
    commands = [each for each in (partition.read(*record) for record in writer.log) if each]
    assert commands == []
    [(begin_ms, end_ms)] = partition.watch.spans
    recognised_s = (begin_ms - BREAKS_MS) // 1_000  # a minute before it was recognised
    assert 0 <= recognised_s <= GUARDED.outages.doubt_s + 5
    assert end_ms is not None
    assert 240_000 <= end_ms - BREAKS_MS <= 250_000


def test_a_tool_counts_from_its_first_activation_on() -> None:
    """Also if the activation stands in the same batch."""
    writer = PartitionLogWriter()
    for number in range(3):
        writer.run("late", BEGIN_MS + number, False)
    writer.deploy("late", BEGIN_MS + 4)
    writer.run("late", BEGIN_MS + 5, True)
    writer.run("late", BEGIN_MS + 6, False)
    log = [LogRecord.of(*record) for record in writer.log]
    for end, found in ((3, (0, 0)), (5, (1, 0)), (6, (1, 1))):
        watch = OutageWatch()
        watch.follow(log[:end], GUARDED.outages, lambda _: None)
        assert watch.failing_tools(GUARDED.outages) == found
    assert watch.executions == 2, "the others are not usual either"

"""Attacks: whoever may publish executions cannot make an outage by itself.

A version breaks while the attack is on. It must be rolled back nearly as soon as without the
attack.
"""

from collections.abc import Callable
from random import Random

import pytest

from schemas.rollback import RollbackCommand
from schemas.settings import Settings, load_settings
from tests.support.policy.partition import Partition
from tests.support.policy.partition_logs import BEGIN_MS, PartitionLogWriter, tools_of

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

    Two engines execute all tools once in five seconds each, for 500 rounds without the attack and
    for three minutes with it. With the attack a new version begins to fail, after some successes.
    """
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
    for at_ms in range(BREAKS_MS, BREAKS_MS + 180_000, STEP_MS):
        attack(writer, at_ms)
        for number, session in enumerate(ENGINES):
            for place, tool in enumerate(TOOLS):
                if (at_ms - BREAKS_MS) // STEP_MS % 50 == (5 * place + 2 * number) % 50:
                    writer.run(tool, at_ms, tool != BROKEN, session=session)
    partition = Partition(settings)
    read = ((record[1], partition.read(*record)) for record in writer.log)
    return [(at, each) for at, each in read if each is not None and each.tool_name == BROKEN]


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
    print(attack.__name__, without, within)
    assert without is not None
    assert within is not None
    assert within <= without + GUARDED.outages.doubt_s + 10

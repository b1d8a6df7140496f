"""Known faults, planted: the harness catches every one of them, and names what broke."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.chaos.faults import stands_still, wait_until
from tests.chaos.scene import play
from tests.chaos.stack import SESSION_S, Stack

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(150)]

EXECUTIONS_ONLY = {"execute": 1}


def planted(fault: str) -> tuple[str, ...]:
    return ("-m", "tests.chaos.planted", fault)


async def dies_again_and_again(stack: Stack) -> None:
    """The detector, each time with what it wrote not yet committed."""
    worker = stack.one("detector")
    for times in range(1, 4):
        worker.arm("kill:offsets.flushed@3")
        assert await wait_until(lambda times=times: len(worker.ends) == times, 40)  # type: ignore[misc]


async def test_rows_without_watermark_count_twice(folder: Path) -> None:
    found = await play(
        folder,
        dies_again_and_again,
        armed={"detector": "kill:offsets.flushed@3"},
        program=planted("no_watermark"),
        tools=2,
        rate=150,
        kinds=EXECUTIONS_ONLY,
    )
    assert {each.invariant for each in found} & {"windows", "decisions"}


async def test_with_the_watermark_they_do_not(folder: Path) -> None:
    found = await play(
        folder,
        dies_again_and_again,
        armed={"detector": "kill:offsets.flushed@3"},
        tools=2,
        rate=150,
        kinds=EXECUTIONS_ONLY,
    )
    assert found == []


async def test_a_row_before_its_command_loses_the_command(folder: Path) -> None:
    async def dies(stack: Stack) -> None:
        worker = stack.one("detector")
        assert await wait_until(lambda: bool(worker.ends), 60)

    found = await play(folder, dies, program=planted("row_before_command"))
    assert any("not commanded" in each.text for each in found)


async def test_a_commit_before_the_flush_loses_rows(folder: Path) -> None:
    async def dies(stack: Stack) -> None:
        worker = stack.one("detector")
        assert await wait_until(lambda: bool(worker.ends), 60)

    found = await play(
        folder,
        dies,
        armed={"detector": "kill:offsets.committed@6"},
        program=planted("commit_before_flush"),
        kinds=EXECUTIONS_ONLY,
    )
    assert {each.invariant for each in found} & {"windows", "decisions"}


async def a_second_applier_takes_over(stack: Stack) -> None:
    await asyncio.sleep(8)
    stack.add("applier")
    await asyncio.sleep(16)


@pytest.mark.parametrize("plant", ["no_lock", "slow_publisher"])
async def test_publishing_without_the_lock(
    plant: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Caught without the lock; with it, the same slowness does no harm."""
    monkeypatch.setenv("PLANTED_SLOW_S", "3")
    found = await play(
        folder,
        a_second_applier_takes_over,
        program=planted(plant),
        tools=3,
        rate=10,
        kinds={"execute": 1, "deploy": 20},
    )
    caught = [each for each in found if each.where == "its last record"]
    assert bool(caught) == (plant == "no_lock"), found


class Stops:
    """The first worker of the step's role stands still there until its session is over; another
    takes its place. Postgres starts anew meanwhile, so that the lock it held is free."""

    def __init__(self, step: str) -> None:
        self.step = step
        self.role = step.partition(".")[0]

    async def __call__(self, stack: Stack) -> None:
        worker = stack.one(self.role)
        assert await wait_until(lambda: stands_still(worker), 60), "the step was not reached"
        stack.add(self.role)
        if self.role == "applier":
            stack.postgres.kill()
            await stack.postgres.start()
        await asyncio.sleep(SESSION_S + 8)
        os.kill(worker.pid, signal.SIGCONT)
        await asyncio.sleep(3)


_ZOMBIES = {"detector.commanded": "rows", "applier.activation_published": "versions"}


@pytest.mark.parametrize("step", _ZOMBIES)
async def test_a_woken_zombie_without_the_guard_is_caught(step: str, folder: Path) -> None:
    stops = Stops(step)
    found = await play(
        folder,
        stops,
        armed={stops.role: f"stop:{step}@8"},
        program=planted("no_stall_guard"),
        tools=3,
        kinds={"execute": 20, "deploy": 1},
    )
    assert _ZOMBIES[step] in {each.invariant for each in found}


@pytest.mark.parametrize("step", _ZOMBIES)
async def test_a_woken_zombie_with_the_guard_does_no_harm(step: str, folder: Path) -> None:
    stops = Stops(step)
    found = await play(
        folder,
        stops,
        armed={stops.role: f"stop:{step}@8"},
        tools=3,
        kinds={"execute": 20, "deploy": 1},
    )
    assert found == []

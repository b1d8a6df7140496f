"""Planted bugs: the audit finds each of them, and names the invariant that broke."""

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from schemas.rules.rules import PolicyName
from tests.chaos.attack.attacks import NAMES
from tests.chaos.faults import stands_still, wait_until
from tests.chaos.person import VERBS, Person
from tests.chaos.scene import play
from tests.chaos.stack import PRODUCT, SESSION_S, Stack
from tests.chaos.workload import Workload

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(360)]

EXECUTIONS_ONLY = {"execute": 1}


def planted(fault: str) -> tuple[str, ...]:
    return ("-m", "tests.chaos.planted", fault)


async def dies_three_times(stack: Stack, _: Workload) -> None:
    """Let the detector die three times, each time between writing its rows and the commit."""
    worker = stack.one("detector")
    for times in range(1, 4):
        worker.arm("kill:offsets.flushed@3")
        assert await wait_until(lambda times=times: len(worker.ends) == times, 40)  # type: ignore[misc]


async def test_rows_without_watermark_count_twice(folder: Path) -> None:
    found = await play(
        folder,
        dies_three_times,
        armed={"detector": "kill:offsets.flushed@3"},
        program=planted("no_watermark"),
        tools=2,
        rate=150,
        kinds=EXECUTIONS_ONLY,
    )
    assert {each.invariant for each in found} & {"windows", "decisions"}


async def test_rows_with_a_watermark_do_not_count_twice(folder: Path) -> None:
    found = await play(
        folder,
        dies_three_times,
        armed={"detector": "kill:offsets.flushed@3"},
        tools=2,
        rate=150,
        kinds=EXECUTIONS_ONLY,
    )
    assert found == []


async def forwards_twice(stack: Stack, _: Workload) -> None:
    """Let the detector die three times, each time between its copies and the commit."""
    worker = stack.one("detector")
    for times in range(1, 4):
        worker.arm("kill:detector.forwarded@5")
        assert await wait_until(lambda times=times: len(worker.ends) == times, 40)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("program", "is_found"), [(planted("copies_count_again"), True), (PRODUCT, False)]
)
async def test_copies_that_count_again_are_found(
    folder: Path, program: Sequence[str], is_found: bool
) -> None:
    found = await play(
        folder,
        forwards_twice,
        armed={"detector": "kill:detector.forwarded@5"},
        program=program,
        tools=6,
        rate=150,
        kinds=EXECUTIONS_ONLY,
    )
    assert bool({each.invariant for each in found} & {"windows", "decisions"}) == is_found
    assert is_found or found == []


async def test_a_commit_before_the_copies_loses_executions(folder: Path) -> None:
    async def dies(stack: Stack, _: Workload) -> None:
        worker = stack.one("detector")
        assert await wait_until(lambda: bool(worker.ends), 60)

    found = await play(folder, dies, program=planted("commit_before_copies"), kinds=EXECUTIONS_ONLY)
    assert "forwarded" in {each.invariant for each in found}


async def test_a_row_before_its_command_loses_the_command(folder: Path) -> None:
    async def dies(stack: Stack, _: Workload) -> None:
        worker = stack.one("detector")
        assert await wait_until(lambda: bool(worker.ends), 60)

    found = await play(folder, dies, program=planted("row_before_command"))
    assert any("not commanded" in each.text for each in found)


async def test_a_commit_before_the_flush_loses_rows(folder: Path) -> None:
    async def dies(stack: Stack, _: Workload) -> None:
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


class Stops:
    """Suspends the first worker of a role at a crash point until its session is over.

    Another worker takes over. The first one continues when no more records come, so that its record
    becomes the last one of its tool.
    """

    def __init__(self, point: str, *, lock_is_lost: bool) -> None:
        self.point = point
        self.role = point.partition(".")[0]
        self._lock_is_lost = lock_is_lost

    async def __call__(self, stack: Stack, workload: Workload) -> None:
        worker = stack.one(self.role)
        assert await wait_until(lambda: stands_still(worker), 60), "the crash point was not reached"
        stack.add(self.role)
        if self._lock_is_lost:
            stack.postgres.kill()
            await stack.postgres.start()
        await asyncio.sleep(SESSION_S + 8)
        workload.stop()
        await asyncio.sleep(3)
        os.kill(worker.pid, signal.SIGCONT)
        await asyncio.sleep(3)


async def broken_by_a_zombie(folder: Path, stops: Stops, program: Sequence[str]) -> set[str]:
    """Play a scene with a zombie, and return the invariants that broke."""
    found = await play(
        folder,
        stops,
        armed={stops.role: f"stop:{stops.point}@6"},
        program=program,
        tools=3,
        kinds={"execute": 60, "deploy": 1},
    )
    return {each.invariant for each in found}


DETECTOR, APPLIER = "detector.commanded", "applier.activation_published"


@pytest.mark.parametrize(("point", "broken"), [(DETECTOR, "rows"), (APPLIER, "versions")])
async def test_a_zombie_that_continues_without_the_watchdog_does_harm(
    point: str, broken: str, folder: Path
) -> None:
    stops = Stops(point, lock_is_lost=True)
    assert broken in await broken_by_a_zombie(folder, stops, planted("no_suspend_watchdog"))


@pytest.mark.parametrize("point", [DETECTOR, APPLIER])
async def test_a_zombie_that_continues_does_no_harm(point: str, folder: Path) -> None:
    stops = Stops(point, lock_is_lost=True)
    assert await broken_by_a_zombie(folder, stops, PRODUCT) == set()


@pytest.mark.parametrize(
    ("plant", "broken"), [("no_lock", {"versions"}), ("no_suspend_watchdog", set())]
)
async def test_publishing_without_the_lock(plant: str, broken: set[str], folder: Path) -> None:
    """While it is held, the lock of the tool is enough to keep the versions in order."""
    stops = Stops(APPLIER, lock_is_lost=False)
    assert await broken_by_a_zombie(folder, stops, planted(plant)) == broken


VERDICTS = {"execute": 60, "judge": 30, "repeat": 2, "deploy": 1}


async def judged(_: Stack, workload: Workload) -> None:
    """Go on until many verdicts were said, some of them again."""
    assert await wait_until(lambda: workload.sent > 800, 60)


async def test_verdicts_that_count_again_are_found(folder: Path) -> None:
    found = await play(
        folder, judged, program=planted("verdicts_repeat"), kinds=VERDICTS, policy="guarded"
    )
    assert {each.invariant for each in found} & {"windows", "decisions"}


async def recorder_dies(stack: Stack, workload: Workload) -> None:
    worker = stack.one("recorder")
    assert await wait_until(lambda: bool(worker.ends), 60)
    await judged(stack, workload)


async def test_verdicts_that_are_stored_after_the_offset_get_lost(folder: Path) -> None:
    found = await play(
        folder, recorder_dies, program=planted("verdicts_after_offset"), kinds=VERDICTS
    )
    assert {each.invariant for each in found} == {"verdicts"}


@pytest.mark.parametrize("policy", ["seed", "guarded"])
async def test_verdicts_count_once_although_workers_die(folder: Path, policy: PolicyName) -> None:
    async def die(stack: Stack, workload: Workload) -> None:
        for role in ("detector", "recorder"):
            worker = stack.one(role)
            assert await wait_until(lambda worker=worker: bool(worker.ends), 60)  # type: ignore[misc]
        await judged(stack, workload)

    armed = {"detector": "kill:detector.commanded@9", "recorder": "kill:recorder.committed@9"}
    assert await play(folder, die, armed=armed, kinds=VERDICTS, policy=policy) == []


GATE = {"execute": 30, "deploy": 20, "deploy_again": 2, "answer": 12}


async def answered(_: Stack, workload: Workload) -> None:
    """Go on until people have answered many deployments."""
    assert await wait_until(lambda: workload.answers > 200, 90)


async def test_an_open_gate_is_found(folder: Path) -> None:
    found = await play(folder, answered, program=planted("open_gate"), kinds=GATE)
    assert {each.invariant for each in found} == {"gate"}


async def test_nothing_passes_the_gate_but_what_people_approve(folder: Path) -> None:
    async def die(stack: Stack, workload: Workload) -> None:
        worker = stack.one("applier")
        assert await wait_until(lambda: bool(worker.ends), 60)
        await answered(stack, workload)

    armed = {"applier": "kill:applier.committed@20"}
    assert await play(folder, die, armed=armed, kinds=GATE) == []


TRANSACTIONS = {"execute": 20, "transaction": 10}


async def test_aborted_records_that_are_read_count(folder: Path) -> None:
    async def nothing_else_happens(_: Stack, __: Workload) -> None:
        await asyncio.sleep(12)

    found = await play(
        folder, nothing_else_happens, program=planted("reads_uncommitted"), kinds=TRANSACTIONS
    )
    assert {each.invariant for each in found} & {"metrics", "decisions", "windows"}


async def test_aborted_records_do_not_count(folder: Path) -> None:
    async def enough(_: Stack, workload: Workload) -> None:
        results = workload.transactions.results
        assert await wait_until(lambda: min(results["committed"], results["aborted"]) > 5, 60)

    assert await play(folder, enough, kinds=TRANSACTIONS) == []


DEPLOYMENTS = {"execute": 60, "deploy": 8, "roll_back": 2}


async def stopped_by_a_person(stack: Stack, workload: Workload) -> None:
    """Let a person use every verb several times, while machines deploy."""
    person = Person(stack.settings, workload.engines, 1)
    using = asyncio.create_task(person.run())
    try:
        assert await wait_until(lambda: min(person.done[verb] for verb in VERBS) > 2, 120), (
            person.done
        )
    finally:
        person.stop()
        await using


async def test_what_a_person_said_holds(folder: Path) -> None:
    assert await play(folder, stopped_by_a_person, kinds=DEPLOYMENTS, policy="guarded") == []


async def test_deployments_that_nothing_stops_are_found(folder: Path) -> None:
    found = await play(
        folder,
        stopped_by_a_person,
        program=planted("no_stops"),
        kinds=DEPLOYMENTS,
        policy="guarded",
    )
    assert {each.invariant for each in found} == {"stops"}


ATTACKS = {"execute": 40, "deploy": 2, "roll_back": 1, "attack": 12}


async def attacked(_: Stack, workload: Workload) -> None:
    """Go on until every kind of attack has happened, and those on versions several times."""
    assert workload.attacker is not None
    attacks = workload.attacker.attacks
    often = ("deploy", "activate", "publish_version", "command")
    assert await wait_until(
        lambda: attacks.keys() >= set(NAMES) and min(attacks[each] for each in often) >= 8, 90
    ), attacks


async def test_an_attacker_does_no_harm(folder: Path) -> None:
    assert await play(folder, attacked, kinds=ATTACKS, signatures="require") == []


async def test_workers_that_believe_everybody_obey_the_attacker(folder: Path) -> None:
    found = await play(
        folder,
        attacked,
        program=planted("no_signature_check"),
        kinds=ATTACKS,
        signatures="require",
    )
    broken = {each.invariant for each in found}
    assert broken >= {"dead letters", "outcomes"}
    assert broken & {"windows", "decisions", "metrics"}


async def test_engines_that_believe_everybody_load_code_of_the_attacker(folder: Path) -> None:
    async def code_is_loaded(_: Stack, workload: Workload) -> None:
        loaded = workload.engines.loaded
        assert await wait_until(lambda: any("FORGED" in each.code for each in loaded), 90)

    found = await play(
        folder, code_is_loaded, kinds=ATTACKS, signatures="require", engine_signatures="off"
    )
    assert any(each.invariant == "engines" and "FORGED" in each.text for each in found)


async def test_a_stepped_wall_clock_changes_no_decision(folder: Path) -> None:
    """Decisions depend on the times of executions and of the broker, not on workers' clocks."""

    async def nothing_else_happens(_: Stack, __: Workload) -> None:
        await asyncio.sleep(16)

    assert await play(folder, nothing_else_happens, program=planted("clock_steps")) == []

"""Each named step: a worker dies there, is started again, and the state are right."""

import signal
from pathlib import Path

import pytest

from streams.crash_points import CRASH_POINTS
from tests.chaos.faults import wait_until
from tests.chaos.scene import play
from tests.chaos.stack import ROLES, Stack
from tests.chaos.workload import Workload

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]


@pytest.mark.parametrize("role", ROLES)
async def test_a_worker_dies_at_each_of_its_steps(role: str, folder: Path) -> None:
    armed = [f"kill:{step}@2" for step in CRASH_POINTS if step.startswith((role, "offsets"))]

    async def dies(stack: Stack, _: Workload) -> None:
        worker = stack.one(role)
        for times, step in enumerate(armed, 1):
            assert await wait_until(lambda times=times: len(worker.ends) == times, 60), (  # type: ignore[misc]
                f"{step} was not reached"
            )
            assert worker.ends[-1] == -signal.SIGKILL, step
            worker.arm("".join(armed[times : times + 1]))  # for the start that follows this death

    assert await play(folder, dies, armed={role: armed[0]}) == []

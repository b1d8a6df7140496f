"""At each crash point a worker dies and is started again, and the audit finds no violation."""

import signal
from pathlib import Path

import pytest

from streams.crash_points import CRASH_POINTS
from tests.chaos.faults import wait_until
from tests.chaos.scene import play
from tests.chaos.stack import ROLES, Stack
from tests.chaos.workload import Workload

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(360)]


@pytest.mark.parametrize("role", ROLES)
async def test_a_worker_dies_at_each_of_its_crash_points(role: str, folder: Path) -> None:
    armed = [f"kill:{point}@2" for point in CRASH_POINTS if point.startswith((role, "offsets"))]

    async def dies(stack: Stack, _: Workload) -> None:
        worker = stack.one(role)
        for times, point in enumerate(armed, 1):
            assert await wait_until(lambda times=times: len(worker.ends) == times, 60), (  # type: ignore[misc]
                f"{point} was not reached"
            )
            assert worker.ends[-1] == -signal.SIGKILL, point
            worker.arm("".join(armed[times : times + 1]))  # for the start that follows this death

    assert await play(folder, dies, armed={role: armed[0]}) == []

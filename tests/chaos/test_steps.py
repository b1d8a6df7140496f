"""Each named step: a worker dies there, is started again, and the books are right."""

import signal
from pathlib import Path

import pytest

from streams.steps import STEPS
from tests.chaos.faults import wait_until
from tests.chaos.scene import play
from tests.chaos.stack import ROLES, Stack
from tests.chaos.workload import Workload

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(150)]

_CASES = [
    (role, step)
    for step in STEPS
    for role in ROLES
    if step.startswith((role, "offsets"))
]  # fmt: skip


@pytest.mark.parametrize(("role", "step"), _CASES)
async def test_a_worker_dies_at_this_step(role: str, step: str, folder: Path) -> None:
    async def dies(stack: Stack, _: Workload) -> None:
        worker = stack.one(role)
        assert await wait_until(lambda: bool(worker.ends), 60), f"{step} was not reached"
        assert worker.ends[0] == -signal.SIGKILL

    assert await play(folder, dies, armed={role: f"kill:{step}@2"}) == []

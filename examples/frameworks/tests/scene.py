"""A version of the tool `price` is deployed that fails, while an agent works."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic
from typing import Final

from rollguard_client import DeploymentOutcome, RollbackOutcome, Rollguard

from tests.script import ANSWER

ERROR: Final = "unsupported operand type(s) for -: 'int' and 'NoneType'"
_VERSIONS: Final = Path(__file__).parents[1] / "price"
_WAIT_S: Final = 60.0


async def see_a_rollback(
    guard: Rollguard, ask: Callable[[], Awaitable[str]], error: str = ERROR
) -> None:
    """Deploy a good version and a bad one, and let the agent work until it is rolled back.

    ``ask`` asks the agent once, and ``guard`` is that of its tools. ``error`` is a part of what it
    says if `price` has failed.
    """
    good = await _deployed(guard, "good")
    answer = await _answer(ask)
    assert answer == ANSWER, answer
    async with guard.follow(RollbackOutcome) as outcomes:
        bad = await _deployed(guard, "bad")
        # At the second TypeError it is rolled back. Nothing else in this test makes it fail.
        for _ in range(2):
            answer = await _answer(ask)
            assert error in answer, answer
        async with asyncio.timeout(_WAIT_S):
            async for outcome in outcomes:
                if (outcome.tool_name, outcome.from_version_id) == ("price", bad.version_id):
                    break
    assert (outcome.status, outcome.to_version_id) == ("applied", good.version_id)
    assert good.version_id is not None
    await _in_use(guard, good.version_id)
    answer = await _answer(ask)
    assert answer == ANSWER, answer
    assert guard.flush(_WAIT_S)
    assert (guard.buffered, guard.dropped) == (0, 0)


async def _deployed(guard: Rollguard, name: str) -> DeploymentOutcome:
    """Deploy a version of `price`, and return when the agent uses it."""
    code = (_VERSIONS / f"{name}.py").read_text() + f"\nDEPLOYED_BY = {os.urandom(8).hex()!r}\n"
    outcome = await guard.deploy("price", code, created_by="autonomous", improvement_reason=name)
    assert outcome.version_id is not None, outcome
    await _in_use(guard, outcome.version_id)
    return outcome


async def _in_use(guard: Rollguard, version_id: int) -> None:
    guard.registry.start()
    until = monotonic() + _WAIT_S
    while (
        loaded := guard.registry.get("price")
    ) is None or loaded.version.version_id != version_id:
        assert monotonic() < until, f"the version {version_id} is not in use, but {loaded}"
        await asyncio.sleep(0.02)


async def _answer(ask: Callable[[], Awaitable[str]]) -> str:
    """Return the answer, or the error of a tool, which some frameworks let through."""
    try:
        return await ask()
    except Exception as error:
        return str(error)

"""A scene: a short run with one fault, for tests."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from schemas.rules.rules import PolicyName
from tests.chaos.audit.check import violations
from tests.chaos.audit.final_state import read_final_state
from tests.chaos.audit.invariants.violation import Violation
from tests.chaos.audit.lag import wait_until_none
from tests.chaos.engines import Engines
from tests.chaos.run import CATCH_UP_S
from tests.chaos.stack import PRODUCT, ROLES, Mode, Stack
from tests.chaos.workload import KINDS, Workload

Act = Callable[[Stack, Workload], Awaitable[None]]


async def play(
    folder: Path,
    act: Act,
    *,
    armed: Mapping[str, str] | None = None,
    program: Sequence[str] = PRODUCT,
    refresh_s: float = 300.0,
    tools: int = 12,
    rate: float = 80.0,
    kinds: Mapping[str, int] = KINDS,
    signatures: Mode = "off",
    engine_signatures: Mode | None = None,
    policy: PolicyName = "seed",
) -> list[Violation]:
    """Run a stack and a workload while ``act`` causes the fault, and return the violations.

    ``armed`` has, by role, the crash point at which its worker dies or stops. If signatures are
    required, an attacker is at work; ``engine_signatures`` is what engines do, if that differs.
    """
    async with Stack(folder, program, refresh_s, policy=policy, signatures=signatures) as stack:
        settings = stack.settings.model_copy(update={"signatures": engine_signatures or signatures})
        async with Engines(settings) as engines:
            return await _play(stack, engines, act, armed or {}, tools, rate, kinds)


async def _play(
    stack: Stack,
    engines: Engines,
    act: Act,
    armed: Mapping[str, str],
    tools: int,
    rate: float,
    kinds: Mapping[str, int],
) -> list[Violation]:
    for role in ROLES:
        stack.add(role, armed.get(role, ""))
    workload = Workload(stack.settings, engines, 1, tools, rate, kinds)
    working = asyncio.create_task(workload.run())
    try:
        await act(stack, workload)
        await asyncio.sleep(2)
    finally:
        workload.stop()
        await working
    await wait_until_none(stack.settings, CATCH_UP_S)
    url = stack.one("detector").url
    state = await read_final_state(stack.settings, stack.postgres.socket_dsn, url, engines)
    return violations(state, workload.acknowledged)

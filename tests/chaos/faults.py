"""The faults, how long each lasts, and their seeded schedule."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final, NamedTuple

import psutil

from streams.crash_points import CRASH_POINTS
from tests.chaos.stack import ROLES, SESSION_S, Stack, Worker

POSTGRES_REFUSED: Final = "postgres refused"
_SETTLE_S: Final = 4.0
"""A new worker usually has partitions after this time."""
_CRASH_POINTS_OF: Final = {
    role: [each for each in CRASH_POINTS if each.startswith(role)] for role in ROLES
}


class Fault(NamedTuple):
    """A kind of fault, and its parameter: a role, a crash point, or a number of seconds."""

    kind: str
    parameter: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.parameter}".strip()


def schedule(seed: int, refused_s: float) -> "Schedule":
    """Return the schedule of this seed. Postgres refuses connections for ``refused_s``."""
    return Schedule(Random(f"faults {seed}"), refused_s)


class Schedule:
    """Draws rounds of faults. Each round has every kind of fault, in a random order."""

    def __init__(self, random: Random, refused_s: float) -> None:
        self._random = random
        self._refused = Fault(POSTGRES_REFUSED, f"{refused_s:g}")

    def round(self) -> list[Fault]:
        """Return every kind of fault, in the order of this round.

        Postgres refuses connections first, because that takes long; the others happen meanwhile.
        """
        random = self._random
        faults = [Fault("kill", role) for role in ROLES]
        faults += [
            Fault("kill at crash point", random.choice(_CRASH_POINTS_OF[role])) for role in ROLES
        ]
        faults += [
            Fault("kill at crash point", random.choice(("offsets.flushed", "offsets.committed")))
        ]
        faults += [
            Fault("stop at crash point", random.choice(_CRASH_POINTS_OF[random.choice(ROLES)]))
        ]
        faults += [Fault("zombie", role) for role in random.sample(ROLES, 2)]
        faults += [Fault(kind) for kind in _WITHOUT_PARAMETER]
        random.shuffle(faults)
        return [self._refused, *faults]

    def pause_s(self) -> float:
        """Return how long to wait between two faults, in seconds."""
        return self._random.uniform(0.5, 3.0)


async def inflict(fault: Fault, stack: Stack) -> None:
    """Cause a fault and end it.

    When this returns, the fault is over, but workers may still be starting.
    """
    if fault.kind in _WITH_PARAMETER:
        await _WITH_PARAMETER[fault.kind](stack, fault.parameter)
    else:
        await _WITHOUT_PARAMETER[fault.kind](stack)


def _worker_at(stack: Stack, point: str) -> Worker:
    role = point.partition(".")[0]
    return stack.one(role if role in ROLES else "detector")


async def _kill(stack: Stack, role: str) -> None:
    stack.one(role).send_signal(signal.SIGKILL)


async def _kill_at_crash_point(stack: Stack, point: str) -> None:
    """Kill a worker, and let it die again at this crash point after its restart.

    If it does not reach the crash point within 15 s, the fault ends without a second death.
    """
    worker = _worker_at(stack, point)
    worker.arm(f"kill:{point}@{1 + len(worker.ends) % 3}")
    worker.send_signal(signal.SIGKILL)
    before = len(worker.ends) + 1
    await wait_until(lambda: len(worker.ends) > before, 15.0)


async def _stop_at_crash_point(stack: Stack, point: str) -> None:
    """Suspend a worker at this crash point until another has taken over, then continue it.

    If it does not reach the crash point in time (because it waits for Postgres), it is killed:
    otherwise it would stop later, and nobody would continue it.
    """
    worker = _worker_at(stack, point)
    helper = stack.add(worker.role)
    worker.arm(f"stop:{point}")
    worker.send_signal(signal.SIGKILL)
    if await wait_until(lambda: stands_still(worker), 15.0):
        await asyncio.sleep(SESSION_S + 3)
        worker.send_signal(signal.SIGCONT)
    else:
        worker.send_signal(signal.SIGKILL)
    await asyncio.sleep(_SETTLE_S)
    await stack.drop(helper)


async def _zombie(stack: Stack, role: str) -> None:
    worker, helper = stack.one(role), stack.add(role)
    await asyncio.sleep(_SETTLE_S)
    worker.send_signal(signal.SIGSTOP)
    await asyncio.sleep(SESSION_S + 4)
    worker.send_signal(signal.SIGCONT)
    await asyncio.sleep(_SETTLE_S)
    await stack.drop(helper)


async def _kill_broker(stack: Stack) -> None:
    stack.broker.kill()
    stack.broker.proxy.shut()
    await asyncio.sleep(1)
    await stack.broker.start()
    await stack.broker.proxy.open()


async def _cut_kafka(stack: Stack) -> None:
    stack.broker.proxy.cut()


async def _kill_postgres(stack: Stack) -> None:
    stack.postgres.kill()
    await asyncio.sleep(2)
    await stack.postgres.start()


async def _refuse_postgres(stack: Stack, seconds: str) -> None:
    stack.postgres.proxy.shut()
    await asyncio.sleep(float(seconds))
    await stack.postgres.proxy.open()


async def _slow(stack: Stack) -> None:
    proxies = (stack.broker.proxy, stack.postgres.proxy)
    for proxy in proxies:
        proxy.delay_s = 0.15
    await asyncio.sleep(8)
    for proxy in proxies:
        proxy.delay_s = 0.0


async def _scale(stack: Stack) -> None:
    """Scale each role from 1 worker to 3 and back to 1."""
    more = [stack.add(role) for role in ROLES for _ in range(2)]
    await asyncio.sleep(2 * _SETTLE_S)
    for worker in more:
        await stack.drop(worker)
    await asyncio.sleep(_SETTLE_S)


async def _kill_all(stack: Stack) -> None:
    for worker in stack.workers:
        worker.send_signal(signal.SIGKILL)
    await asyncio.sleep(_SETTLE_S)


async def _restart_all(stack: Stack) -> None:
    for worker in stack.workers:
        worker.send_signal(signal.SIGTERM)
    await asyncio.sleep(_SETTLE_S)


def stands_still(worker: Worker) -> bool:
    """Return whether a signal has stopped the worker."""
    try:
        return psutil.Process(worker.pid).status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False


async def wait_until(holds: Callable[[], bool], at_most_s: float) -> bool:
    """Wait until the condition holds; return False if it does not hold in time."""
    clock = asyncio.get_running_loop().time
    end = clock() + at_most_s
    while not holds():
        if clock() > end:
            return False
        await asyncio.sleep(0.05)
    return True


_WITH_PARAMETER: Final[dict[str, Callable[[Stack, str], Awaitable[None]]]] = {
    "kill": _kill,
    "kill at crash point": _kill_at_crash_point,
    "stop at crash point": _stop_at_crash_point,
    "zombie": _zombie,
    POSTGRES_REFUSED: _refuse_postgres,
}
_WITHOUT_PARAMETER: Final[dict[str, Callable[[Stack], Awaitable[None]]]] = {
    "broker killed": _kill_broker,
    "kafka cut": _cut_kafka,
    "postgres killed": _kill_postgres,
    "slow network": _slow,
    "scaled 1 3 1": _scale,
    "all killed": _kill_all,
    "all restarted": _restart_all,
}

"""The faults: what each does, for how long, and the seeded schedule of them."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final, NamedTuple

import psutil

from streams.crash_points import CRASH_POINTS
from tests.chaos.stack import ROLES, SESSION_S, Stack, Worker

_SETTLE_S: Final = 4.0
"""About how long a new worker takes to take part."""
_OWN_STEP: Final = {
    role: [each for each in CRASH_POINTS if each.startswith(role)] for role in ROLES
}


class Fault(NamedTuple):
    """A kind and what it is about: a role, a step, or nothing."""

    kind: str
    about: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.about}".strip()


def schedule(seed: int, refused_s: float = 60.0) -> "Schedule":
    """The faults of this seed: every kind once in each round, in an order of its own."""
    return Schedule(Random(f"faults {seed}"), refused_s)


class Schedule:
    """Deals rounds of faults. Postgres is refused beside the others, as it takes a minute."""

    def __init__(self, random: Random, refused_s: float) -> None:
        self._random = random
        self.refused_s = refused_s

    def round(self) -> list[Fault]:
        """Every kind of fault, in this round's order."""
        random = self._random
        deck = [Fault("kill", role) for role in ROLES]
        deck += [Fault("kill at step", random.choice(_OWN_STEP[role])) for role in ROLES]
        deck += [Fault("kill at step", random.choice(("offsets.flushed", "offsets.committed")))]
        deck += [Fault("stop at step", random.choice(_OWN_STEP[random.choice(ROLES)]))]
        deck += [Fault("zombie", role) for role in random.sample(ROLES, 2)]
        deck += [Fault(kind) for kind in _DONE_BY if kind not in _ABOUT_SOMETHING]
        random.shuffle(deck)
        first = deck.index(Fault("postgres refused"))  # the others happen meanwhile
        deck.insert(0, deck.pop(first))
        return deck

    def pause_s(self) -> float:
        """How long all is well between two faults."""
        return self._random.uniform(0.5, 3.0)


async def inflict(fault: Fault, stack: Stack, refused_s: float) -> None:
    """Do it and undo it; returns when the stack is whole again but for what is still starting."""
    if fault.kind == "postgres refused":
        await _refuse_postgres(stack, refused_s)
    elif fault.kind in _ABOUT_SOMETHING:
        await _ABOUT_SOMETHING[fault.kind](stack, fault.about)
    else:
        await _DONE_BY[fault.kind](stack)


def _role_of(stack: Stack, step: str) -> Worker:
    role = step.partition(".")[0]
    return stack.one(role if role in ROLES else "detector")


async def _kill(stack: Stack, role: str) -> None:
    stack.one(role).send_signal(signal.SIGKILL)


async def _kill_at_step(stack: Stack, step: str) -> None:
    """Its restart is armed; where it does not come to the step in time, it is let go."""
    worker = _role_of(stack, step)
    worker.arm(f"kill:{step}@{1 + len(worker.ends) % 3}")
    worker.send_signal(signal.SIGKILL)
    before = len(worker.ends) + 1
    await wait_until(lambda: len(worker.ends) > before, 15.0)


async def _stop_at_step(stack: Stack, step: str) -> None:
    """A zombie at an exact place: its session ends, another takes over, it wakes. Where it does not
    come there in time (it waits for a Postgres that is refused), it must not stop later, when
    nobody would wake it.
    """
    worker = _role_of(stack, step)
    helper = stack.add(worker.role)
    worker.arm(f"stop:{step}")
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


async def _refuse_postgres(stack: Stack, refused_s: float) -> None:
    stack.postgres.proxy.shut()
    await asyncio.sleep(refused_s)
    await stack.postgres.proxy.open()


async def _slow(stack: Stack) -> None:
    proxies = (stack.broker.proxy, stack.postgres.proxy)
    for proxy in proxies:
        proxy.delay_s = 0.15
    await asyncio.sleep(8)
    for proxy in proxies:
        proxy.delay_s = 0.0


async def _scale(stack: Stack) -> None:
    """1 → 3 → 1 of each role."""
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
    """Whether a signal has stopped it."""
    try:
        return psutil.Process(worker.pid).status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False


async def wait_until(holds: Callable[[], bool], at_most_s: float) -> bool:
    """Whether it came to hold in time."""
    clock = asyncio.get_running_loop().time
    end = clock() + at_most_s
    while not holds():
        if clock() > end:
            return False
        await asyncio.sleep(0.05)
    return True


_ABOUT_SOMETHING: Final[dict[str, Callable[[Stack, str], Awaitable[None]]]] = {
    "kill": _kill,
    "kill at step": _kill_at_step,
    "stop at step": _stop_at_step,
    "zombie": _zombie,
}
_DONE_BY: Final[dict[str, Callable[[Stack], Awaitable[None]]]] = {
    "broker killed": _kill_broker,
    "kafka cut": _cut_kafka,
    "postgres killed": _kill_postgres,
    "postgres refused": lambda stack: _refuse_postgres(stack, 60.0),
    "slow network": _slow,
    "scaled 1 3 1": _scale,
    "all killed": _kill_all,
    "all restarted": _restart_all,
}
KINDS: Final = (*_ABOUT_SOMETHING, *_DONE_BY)

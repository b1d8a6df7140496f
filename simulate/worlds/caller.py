"""One noisy caller: it repeats a call that fails, among the calls of others, to whom the tool is as
good as ever.
"""

from collections.abc import Sequence
from random import Random
from typing import Final, NamedTuple

from simulate.deciders.decider import POLICIES
from simulate.worlds.detector import rolled_back
from simulate.worlds.draws import OTHER_ERROR, outcomes, steady
from simulate.worlds.histories import INTERVAL_MS, Call, History, times_until
from simulate.worlds.parallel import in_processes

RATES: Final = (0.95, 0.99)
EXECUTIONS: Final = 500
"""Of the target, and of the version by the others."""
CALLERS: Final = 20
"""The others; each execution is by one of them, whichever."""
REPEATED: Final = 20
"""So often the noisy one calls, at intervals of a second."""
_AFTER: Final = (50, 400)
"""Behind so many executions of the others at least and at most."""
_END_MS: Final = 1_700_000_000_000


class Noise(NamedTuple):
    """How many versions a policy rolled back, of so many."""

    with_it: int
    without: int
    repetitions: int


def simulate_callers(
    number: int, seed: int, processes: int, rates: Sequence[float] = RATES
) -> dict[tuple[float, str], Noise]:
    """So many versions for each rate, by rate and policy; all policies see the same draws."""
    jobs = [(rate, f"{seed}/{version}") for rate in rates for version in range(number)]
    done = in_processes(_judged, jobs, processes, at_once=10)
    found = {}
    for rate in rates:
        versions = [judged for (of, _), judged in zip(jobs, done, strict=True) if of == rate]
        for place, policy in enumerate(POLICIES):
            both = [version[place] for version in versions]
            with_it, without = (sum(each) for each in zip(*both, strict=True))
            found[rate, policy] = Noise(with_it, without, number)
    return found


def _judged(job: tuple[float, str]) -> list[tuple[bool, bool]]:
    """By each policy, whether it is rolled back with the noisy caller and without."""
    without = _history(*job)
    with_it = _with_noise(without, Random(f"noise/{job}"))
    return [
        (bool(rolled_back(policy, [with_it])), bool(rolled_back(policy, [without])))
        for policy in POLICIES
    ]


def _history(rate: float, seed: str) -> History:
    """As the others see it."""
    random = Random(f"caller/{rate}/{seed}")
    times = times_until(_END_MS, 2 * EXECUTIONS, random)
    calls = [
        Call(at_ms, outcome, f"caller-{random.randrange(CALLERS)}")
        for at_ms, outcome in zip(
            times, list(outcomes([steady(len(times), rate)], None, random)), strict=True
        )
    ]
    return History("tool", tuple(calls[:EXECUTIONS]), tuple(calls[EXECUTIONS:]))


def _with_noise(history: History, random: Random) -> History:
    begin_ms = history.life[random.randint(*_AFTER)].at_ms + random.randrange(INTERVAL_MS)
    noise = [Call(begin_ms + 1_000 * number, OTHER_ERROR, "noisy") for number in range(REPEATED)]
    return history._replace(life=_in_order([*history.life, *noise]))


def _in_order(calls: Sequence[Call]) -> tuple[Call, ...]:
    return tuple(sorted(calls, key=lambda call: call.at_ms))

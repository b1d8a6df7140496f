"""One noisy caller repeats a call that fails, while the tool is as good as ever for all others."""

from collections.abc import Sequence
from random import Random
from typing import Final, NamedTuple

from simulate.deciders.decider import DECIDERS
from simulate.worlds.detector import rolled_back
from simulate.worlds.draws import OTHER_ERROR, outcomes, steady
from simulate.worlds.histories import INTERVAL_MS, Call, History, times_until
from simulate.worlds.parallel import in_processes

RATES: Final = (0.95, 0.99)
EXECUTIONS: Final = 500
"""So many executions of the baseline version, and so many of the new one by the other callers."""
CALLERS: Final = 20
"""The number of other callers; each execution is by one of them, drawn by chance."""
REPEATED: Final = 20
"""The noisy caller calls so many times, at intervals of a second."""
_AFTER: Final = (50, 400)
"""The noisy caller begins after at least and at most so many executions of the others."""
_END_MS: Final = 1_700_000_000_000


class Noise(NamedTuple):
    """The number of versions that a decider rolled back, with the noisy caller and without."""

    with_it: int
    without: int
    repetitions: int


def simulate_callers(
    number: int, seed: int, processes: int, rates: Sequence[float] = RATES
) -> dict[tuple[float, str], Noise]:
    """Simulate ``number`` versions for each rate; return the result by rate and decider.

    All deciders see the same draws.
    """
    jobs = [(rate, f"{seed}/{version}") for rate in rates for version in range(number)]
    done = in_processes(_judged, jobs, processes, at_once=10)
    found = {}
    for rate in rates:
        versions = [judged for (of, _), judged in zip(jobs, done, strict=True) if of == rate]
        for index, decider in enumerate(DECIDERS):
            both = [version[index] for version in versions]
            with_it, without = (sum(each) for each in zip(*both, strict=True))
            found[rate, decider] = Noise(with_it, without, number)
    return found


def _judged(job: tuple[float, str]) -> list[tuple[bool, bool]]:
    """Return, for each decider, whether the version is rolled back with and without the caller."""
    without = _history(*job)
    with_it = _with_noise(without, Random(f"noise/{job}"))
    return [
        (bool(rolled_back(decider, [with_it])), bool(rolled_back(decider, [without])))
        for decider in DECIDERS
    ]


def _history(rate: float, seed: str) -> History:
    """Return the history of a tool without the noisy caller."""
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

"""What the executions of a version are like. The first line of its code says it."""

import re
from dataclasses import dataclass, replace
from random import Random
from typing import Final, Self


@dataclass(frozen=True)
class Behaviour:
    """How often a version fails and how, how slow and dear it is, and how often it is wrong."""

    fails: float
    error: str
    takes: int = 1
    costs: int = 1
    bad: float = 0.02
    """The share of its successes that judges call bad."""

    @classmethod
    def drawn(cls, draw: Random) -> "Behaviour":
        """Return the behaviour of a new version: half of them are healthy."""
        kind = draw.choice(("healthy",) * 8 + ("failing",) * 6 + ("other",) * 3)
        if kind == "failing":
            rate = draw.choice((1.0, 0.95, 0.6, 0.4))
            return cls(rate, draw.choice(("TypeError", "ValueError", "KeyError", "TimeoutError")))
        return HEALTHY if kind == "healthy" else cls.in_quality(draw)

    @classmethod
    def in_quality(cls, draw: Random) -> "Behaviour":
        """Return the behaviour of a version that succeeds, but may be slow, dear or wrong."""
        worse = draw.choice(({}, {"takes": 4}, {"costs": 4}, {"bad": 0.9}))
        return replace(HEALTHY, **worse)

    @classmethod
    def of(cls, code: str) -> Self:
        """Read the behaviour from the code of a version; what it does not say is as usual."""
        match = re.match(r"# fails (\S+) (\w+)(?:, takes (\d+), costs (\d+), bad (\S+))?\n", code)
        assert match is not None, code
        fails, error, takes, costs, bad = match.groups()
        if takes is None:
            return cls(float(fails), error)
        return cls(float(fails), error, int(takes), int(costs), float(bad))

    @property
    def comment(self) -> str:
        """The first line of the code."""
        return (
            f"# fails {self.fails} {self.error}, takes {self.takes}, costs {self.costs}, "
            f"bad {self.bad}"
        )

    def numbers(self, draw: Random) -> dict[str, float]:
        """Return what an execution says of its duration and cost; not all do."""
        numbers = {
            "duration_ms": 100 * self.takes * draw.uniform(0.5, 1.5),
            "cost": self.costs * draw.uniform(0.5, 1.5),
        }
        return {name: number for name, number in numbers.items() if draw.random() < 0.9}


HEALTHY: Final = Behaviour(0.02, "ValueError")

"""The deciders by name. A decider says when it would roll a version back."""

from collections.abc import Sequence
from typing import Final, Protocol

from simulate.deciders.guarded import Guarded, WatchedCloser
from simulate.deciders.others import Asymptotic, Consecutive, Repeated, Threshold
from simulate.deciders.seed import Seed
from simulate.worlds.draws import Outcome


class Decider(Protocol):
    """Judges one version, execution by execution.

    It is made from the outcomes of the baseline version, in order; from none if the tool had no
    version before.
    """

    def __init__(self, baseline: Sequence[Outcome]) -> None: ...

    def judge(self, outcome: Outcome) -> bool:
        """Take in the next execution; return whether the version is rolled back now.

        It is not called again after it has returned True.
        """
        ...


DECIDERS: Final[dict[str, type[Decider]]] = {
    "guarded": Guarded,
    "seed": Seed,
    "threshold": Threshold,
    "consecutive": Consecutive,
    "repeated test": Repeated,
    "GrowthBook": Asymptotic,
}
"""In the order of the columns of the tables."""
CLOSER: Final = "guarded, breaks calls"
OF_BREAKING: Final[dict[str, type[Decider]]] = {"guarded": Guarded, CLOSER: WatchedCloser}
"""Those of the part `breaking`: what the closer watch changes."""


def deciders_of(part: str) -> dict[str, type[Decider]]:
    """Return the deciders by name that judge the scenarios of this part."""
    return OF_BREAKING if part == "breaking" else DECIDERS

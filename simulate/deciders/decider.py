"""The policies, by name, in the order of the columns."""

from collections.abc import Sequence
from typing import Final, Protocol

from simulate.deciders.guarded import Guarded
from simulate.deciders.others import Asymptotic, Consecutive, Repeated, Threshold
from simulate.deciders.seed import Seed
from simulate.worlds.draws import Outcome


class Policy(Protocol):
    """Judges one version. Made of what its target did, in order; empty for a tool's first."""

    def __init__(self, target: Sequence[Outcome]) -> None: ...

    def judge(self, outcome: Outcome) -> bool:
        """Take the next execution in; whether the version is rolled back now. Not asked again after
        the first yes.
        """
        ...


POLICIES: Final[dict[str, type[Policy]]] = {
    "guarded": Guarded,
    "seed": Seed,
    "threshold": Threshold,
    "consecutive": Consecutive,
    "repeated test": Repeated,
    "GrowthBook": Asymptotic,
}

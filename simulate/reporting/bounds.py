"""What is promised of policy `guarded`, and whether a simulation shows that it is kept."""

from collections.abc import Sequence
from typing import Final

from schemas.rules.rules import Rules
from simulate.deciders.decider import CLOSER
from simulate.worlds.cells import Cell, of_part
from simulate.worlds.quality import QualityCell
from simulate.worlds.scenarios import Scenario

PROMISED: Final = {"healthy": 0.01, "bursts": 0.03, "breaking": 0.04, "quality": 0.01}
"""The share of healthy versions that is rolled back, at most, by part."""
PROMISING: Final = {"breaking": CLOSER}
"""The decider that the promise is about, if it is not `guarded`."""
_ASSUMED: Final = Rules().assumed_success_rate


def is_promised(scenario: Scenario) -> bool:
    """Return whether something is promised to the versions of this scenario.

    If there is no baseline version, only versions that are at least as good as `guarded` assumes
    have a promise.
    """
    return scenario.baseline.executions > 0 or scenario.life[0].success_rate >= _ASSUMED


def worst(cells: Sequence[Cell], part: str) -> Cell:
    """Return the cell whose interval ends highest, among those that have a promise.

    There must be one.
    """
    return max(
        (
            cell
            for cell in of_part(cells, part)
            if cell.decider == PROMISING.get(part, "guarded")
            and cell.scenario.is_healthy
            and is_promised(cell.scenario)
        ),
        key=lambda cell: cell.bounds[1],
    )


def shows(cells: Sequence[Cell], part: str) -> bool:
    """Return whether the intervals, and not just the estimates, keep the promise."""
    return worst(cells, part).bounds[1] < PROMISED[part]


def promise_text(cells: Sequence[Cell], part: str) -> str:
    """Return a sentence with the promise and the interval that is nearest to breaking it."""
    nearest = worst(cells, part)
    return _promise(part, nearest.bounds[1], nearest.scenario.name)


def quality_promise_text(cells: Sequence[QualityCell]) -> str:
    """Return the same sentence for all tests together, of failures and of quality."""
    healthy = (cell for cell in cells if cell.scenario.is_healthy)
    nearest = max(healthy, key=lambda cell: cell.bounds[1])
    return _promise("quality", nearest.bounds[1], nearest.scenario.name)


def _promise(part: str, highest: float, name: str) -> str:
    shown = "" if highest < PROMISED[part] else "; so few repetitions do not show it"
    return (
        f"`guarded` promises to roll back at most {100 * PROMISED[part]:g} % of healthy "
        f"versions{shown}. "
        f"The highest end of an interval is {100 * highest:.2f} % ({name})."
    )

"""What is promised of policy `guarded`, and whether a simulation shows it."""

from collections.abc import Sequence
from typing import Final

from schemas.rules import Rules
from simulate.worlds.cells import Cell, of_part
from simulate.worlds.scenarios import Scenario

PROMISED: Final = {"healthy": 0.01, "bursts": 0.03}
"""The share of healthy versions that is rolled back, at most, by part."""
_ASSUMED: Final = Rules().assumed_success_rate


def is_promised(scenario: Scenario) -> bool:
    """Without a target only to versions that are as good as is assumed."""
    return scenario.target.executions > 0 or scenario.life[0].success_rate >= _ASSUMED


def worst(cells: Sequence[Cell], part: str) -> Cell:
    """The cell whose interval ends highest, of those to which something is promised; there must be
    one.
    """
    return max(
        (
            cell
            for cell in of_part(cells, part)
            if cell.policy == "guarded" and is_promised(cell.scenario)
        ),
        key=lambda cell: cell.bounds[1],
    )


def shows(cells: Sequence[Cell], part: str) -> bool:
    """Whether the intervals keep the promise, not the estimates alone."""
    return worst(cells, part).bounds[1] < PROMISED[part]


def said(cells: Sequence[Cell], part: str) -> str:
    """The promise and what comes nearest to it, in a sentence."""
    nearest = worst(cells, part)
    result = "" if shows(cells, part) else ", which so many repetitions do not show"
    return (
        f"Of `guarded` {100 * PROMISED[part]:g} % is promised{result}: the interval that ends "
        f"highest ends at {100 * nearest.bounds[1]:.2f} % ({nearest.scenario.name})."
    )

"""Which cells are drawn, and how."""

from collections.abc import Iterator, Sequence
from typing import Final

from simulate.deciders.decider import POLICIES
from simulate.reporting.svg import Dot, svg
from simulate.worlds.cells import Cell, of_part
from simulate.worlds.scenarios import BROKEN_EXECUTIONS, HEALTHY_EXECUTIONS

PLOTS: Final = ("healthy", "bursts", "broken")
"""The parts of which there is a plot."""


def plots(cells: Sequence[Cell]) -> Iterator[tuple[str, str]]:
    """Name and SVG, of the scenarios with 100 (healthy ones) or 500 executions of the target."""
    for part in PLOTS:
        known = 500 if part == "broken" else 100
        chosen = [c for c in of_part(cells, part) if c.scenario.target.executions == known]
        columns = list(dict.fromkeys(cell.scenario.name for cell in chosen))
        series = {
            policy: [_dot(cell) for cell in chosen if cell.policy == policy]
            for policy in POLICIES
            if any(cell.policy == policy for cell in chosen)
        }
        what = _title(part, known)
        axis = (1.0, float(BROKEN_EXECUTIONS)) if part == "broken" else (0.01, 100.0)
        yield part, svg(what, [_short(name) for name in columns], series, axis)


def _title(part: str, known: int) -> str:
    if part == "broken":
        return f"Executions until rollback, median; a ring: never ({known} of the target)"
    what = "in bursts, " if part == "bursts" else ""
    return (
        f"Healthy versions rolled back within {HEALTHY_EXECUTIONS} executions, %, {what}by success "
        f"rate ({known} of the target)"
    )


def _short(name: str) -> str:
    """Of a scenario's name what tells it from its neighbours in a plot."""
    said = name.rpartition(", ")[0].removesuffix(" before").removesuffix(" of the calls")
    return (
        said.replace("total break, ", "0 after ")
        .replace("signature break for", "signature")
        .split(":")[0]
    )


def _dot(cell: Cell) -> Dot | None:
    if cell.scenario.is_healthy:
        low, high = cell.bounds
        return Dot(100 * cell.too_early / cell.repetitions, 100 * low, 100 * high)
    middle = cell.median
    return None if middle is None else Dot(middle, middle, middle)

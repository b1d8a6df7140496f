"""The tables of the simulations: a row for each scenario, a column for each decider."""

from collections.abc import Mapping, Sequence
from math import inf

from documentation.tables import TableCell
from policy.statistics.intervals import wilson
from simulate.worlds.caller import REPEATED, Noise
from simulate.worlds.cells import Cell, of_part
from simulate.worlds.outage import Runs, World
from simulate.worlds.quality import QualityCell


def of_cells(cells: Sequence[Cell], part: str) -> list[TableCell]:
    """Return the table of a part.

    The last row of the healthy parts takes all their scenarios together that have a baseline
    version.
    """
    found = of_part(cells, part)
    table = [TableCell(cell.scenario.name, cell.decider, text(cell)) for cell in found]
    if part not in ("healthy", "bursts"):
        return table
    for decider in dict.fromkeys(cell.decider for cell in found):
        known = [
            cell for cell in found if cell.decider == decider and cell.scenario.baseline.executions
        ]
        if known:
            early = sum(cell.too_early for cell in known)
            all_of_them = share(early, sum(cell.repetitions for cell in known))
            table.append(TableCell("all with a baseline version", decider, all_of_them))
    return table


def of_quality(cells: Sequence[QualityCell]) -> list[TableCell]:
    """Return the table of the quality tests."""
    table = []
    for cell in cells:
        condemned, middle = share(cell.found, len(cell.condemned)), cell.median
        shown = "" if cell.scenario.is_healthy else "never" if middle == inf else f"{middle:,.0f}"
        table += [
            TableCell(cell.scenario.name, "condemned, %", condemned),
            TableCell(cell.scenario.name, "median", shown),
        ]
    return table


def of_outages(outages: Mapping[tuple[World, str], Runs]) -> list[TableCell]:
    """Return the table of the outages."""
    table = []
    several = len({world.tools for world, _ in outages}) > 1
    for (world, decider), runs in outages.items():
        fleet = f"{world.tools} tools, {world.rate:g}" if several else f"{world.rate:g}"
        low, high = runs.more
        table += [
            TableCell(f"{fleet}: {what}", decider, shown)
            for what, shown in (
                ("rolled back without an outage", f"{runs.healthy_without:.2f}"),
                ("rolled back with an outage", f"{runs.healthy:.2f}"),
                ("difference", f"{low:.2f} to {high:.2f}"),
                ("seconds until the broken tool is back", broken_text(runs)),
                ("the same without an outage", spread_text(runs.broken_without)),
            )
        ]
    return table


def of_callers(callers: Mapping[tuple[float, str], Noise]) -> list[TableCell]:
    """Return the table of the noisy caller."""
    table = []
    for (rate, decider), noise in callers.items():
        table += [
            TableCell(f"{rate:g}, {what}", decider, share(found, noise.repetitions))
            for what, found in (
                ("without it", noise.without),
                (f"one call fails {REPEATED} times", noise.with_it),
            )
        ]
    return table


def text(cell: Cell) -> str:
    """Return what the table shows of a cell."""
    if cell.scenario.is_healthy:
        return share(cell.too_early, cell.repetitions)
    middle, never = cell.median, cell.never
    if middle is None or never is None:
        return "all before"
    shown = "never" if middle == inf else f"{middle:,.0f}"
    if never and middle != inf:
        shown += f"; {_percent(never)} never"
    if cell.scenario.good_before:
        shown += f" ({_percent(cell.too_early / cell.repetitions)} before)"
    return shown


def broken_text(runs: Runs) -> str:
    """Return the seconds until the tool that broke in the outage is rolled back."""
    text = spread_text(runs.broken)
    before = 1 - len(runs.seconds) / len(runs.runs)
    return text + (f"; {_percent(before)} before" if 0 < before < 1 else "")


def spread_text(seconds: tuple[float, float] | None) -> str:
    """Return a median and a 95 % quantile of seconds."""
    if seconds is None:
        return "all before"
    middle, most = (f"{each:,.0f}" if each != inf else "never" for each in seconds)
    return f"{middle} ({most})"


def share(found: int, repetitions: int) -> str:
    """Return the share in percent, with its 95 % interval."""
    low, high = wilson(found, repetitions)
    return f"{_percent(found / repetitions)} ({_percent(low)}–{_percent(high)})"


def _percent(share: float) -> str:
    percent = 100 * share
    digits = 0 if not share or percent >= 9.95 else 1 if percent >= 0.995 else 2
    return f"{percent:.{digits}f}"

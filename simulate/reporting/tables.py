"""The tables of the simulations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from bench.results import Result
from policy.statistics.intervals import wilson
from simulate.worlds.caller import REPEATED, Noise
from simulate.worlds.cells import Cell, of_part
from simulate.worlds.outage import Runs


@dataclass(frozen=True)
class Shown(Result):
    """A cell of a table as it is written."""

    text: str = ""

    @property
    def shown(self) -> str:
        return self.text


def of_cells(cells: Sequence[Cell], part: str) -> list[Shown]:
    """The part's table; of healthy versions with all those together of which a target is known."""
    found = of_part(cells, part)
    rows = [_shown(part, cell.scenario.name, cell.policy, text(cell)) for cell in found]
    if part not in ("healthy", "bursts"):
        return rows
    for policy in dict.fromkeys(cell.policy for cell in found):
        known = [
            cell for cell in found if cell.policy == policy and cell.scenario.target.executions
        ]
        if known:
            early = sum(cell.too_early for cell in known)
            all_of_them = share(early, sum(cell.repetitions for cell in known))
            rows.append(_shown(part, "all with a target", policy, all_of_them))
    return rows


def of_outages(outages: Mapping[tuple[float, str], Runs]) -> list[Shown]:
    rows = []
    for (rate, policy), runs in outages.items():
        low, high = runs.more
        rows += [
            _shown("outage", f"{rate:g}: {what}", policy, said)
            for what, said in (
                ("rolled back without an outage", f"{runs.healthy_without:.2f}"),
                ("rolled back with one", f"{runs.healthy:.2f}"),
                ("more of them", f"{low:.2f} to {high:.2f}"),
                ("seconds until the broken one", broken_text(runs)),
            )
        ]
    return rows


def of_callers(callers: Mapping[tuple[float, str], Noise]) -> list[Shown]:
    rows = []
    for (rate, policy), noise in callers.items():
        rows += [
            _shown("caller", f"{rate:g}, {what}", policy, share(found, noise.repetitions))
            for what, found in (
                ("without it", noise.without),
                (f"one call fails {REPEATED} times", noise.with_it),
            )
        ]
    return rows


def _shown(part: str, what: str, policy: str, text: str) -> Shown:
    return Shown(part, what, policy, "", (), text)


def text(cell: Cell) -> str:
    """What the table says of a cell."""
    if cell.scenario.is_healthy:
        return share(cell.too_early, cell.repetitions)
    middle, never = cell.median, cell.never
    if middle is None or never is None:
        return "all before"
    said = "never" if middle == inf else f"{middle:,.0f}"
    if never and middle != inf:
        said += f"; {_percent(never)} never"
    if cell.scenario.good_before:
        said += f" ({_percent(cell.too_early / cell.repetitions)} before)"
    return said


def broken_text(runs: Runs) -> str:
    """The seconds until the tool is rolled back that broke in the outage."""
    broken = runs.broken
    if broken is None:
        return "all before"
    middle, most = (f"{seconds:,.0f}" if seconds != inf else "never" for seconds in broken)
    before = 1 - len(runs.seconds) / len(runs.runs)
    return f"{middle} ({most})" + (f"; {_percent(before)} before" if before else "")


def share(found: int, repetitions: int) -> str:
    """In percent, with its interval."""
    low, high = wilson(found, repetitions)
    return f"{_percent(found / repetitions)} ({_percent(low)}–{_percent(high)})"


def _percent(share: float) -> str:
    percent = 100 * share
    digits = 0 if not share or percent >= 9.95 else 1 if percent >= 0.995 else 2
    return f"{percent:.{digits}f}"

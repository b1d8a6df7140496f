"""The tables of the simulations, and the document that holds them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Final

from agents.intervals import wilson
from bench.report import Result, section
from simulate.bounds import PROMISED, said
from simulate.cells import Cell, of_part
from simulate.plots import PLOTS, plots
from simulate.scenarios import BROKEN_EXECUTIONS, GOOD_BEFORE, HEALTHY_EXECUTIONS

HEADER: Final = """# Simulations

`make simulate` writes this file: what each policy does to versions whose truth is known. All see
the same draws. `guarded` and `seed` are the product's own code with its own numbers; the others are
in `simulate/others.py`, as other tools have them: more than half of the newest 50 failed, of 20 at
least (`threshold`); five failures in a row (`consecutive`); a test of two proportions at 5 %,
repeated at every failure from the tenth execution on (`repeated test`); GrowthBook's asymptotic
confidence sequences. An execution every five seconds, a tenth of the failures being signature
errors. The target's executions are drawn anew for each version. In brackets the 95 % interval
(Wilson). `guarded` is its tests of evidence alone: outages and repeated calls are not in here.
"""

ABOUT: Final = {
    "healthy": f"""Versions exactly as good as their targets, independent executions: how many in a
        hundred are rolled back within {HEALTHY_EXECUTIONS} executions, by success rate and by how
        many executions of the target are known. Without any, `guarded` assumes a success rate of
        0.8 and promises nothing below it.""",
    "bursts": """The same where a failure is followed by another one half of the time, so that runs
        of failures are two long on average.""",
    "broken": f"""Worse versions: the median of the executions until it is rolled back, and behind
        it how many in a hundred are not within {BROKEN_EXECUTIONS:,}; `never` where that is most of
        them. Whoever rolls back healthy versions is quick by the same chance.""",
    "late": f"""No execution succeeds any more after {GOOD_BEFORE:,} in which the version was as
        good as its target: the median of the executions from there on, of the versions that are
        still there; in brackets how many in a hundred were rolled back before.""",
}


@dataclass(frozen=True)
class Shown(Result):
    """A cell of a table as it is written."""

    text: str = ""

    @property
    def shown(self) -> str:
        return self.text


def results(cells: Sequence[Cell], part: str) -> list[Shown]:
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


def share(found: int, repetitions: int) -> str:
    """In percent, with its interval."""
    low, high = wilson(found, repetitions)
    return f"{_percent(found / repetitions)} ({_percent(low)}–{_percent(high)})"


def _percent(share: float) -> str:
    percent = 100 * share
    digits = 0 if not share or percent >= 9.95 else 1 if percent >= 0.995 else 2
    return f"{percent:.{digits}f}"


def document(cells: Sequence[Cell], how: str) -> str:
    """All of it; ``how`` is the line above each table."""
    texts = [HEADER]
    for part, about in ABOUT.items():
        drawn = f"![{part}](simulation/{part}.svg)\n" if part in PLOTS else ""
        promise = f" {said(cells, part)}" if part in PROMISED else ""
        about = " ".join(about.split()) + promise
        texts += [section(part, about, how, results(cells, part)), drawn]
    return "\n".join(text for text in texts if text)


def write(path: Path, cells: Sequence[Cell], how: str) -> None:
    """The document at ``path``, and its plots in the folder beside it of the same name."""
    folder = path.with_suffix("")
    folder.mkdir(exist_ok=True)
    path.write_text(document(cells, how))
    for name, drawn in plots(cells):
        (folder / f"{name}.svg").write_text(drawn)

"""The document that holds the simulations, ``docs/simulation.md``."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from documentation.tables import TableCell, section
from simulate.reporting import tables
from simulate.reporting.bounds import PROMISED, promise_text
from simulate.reporting.plots import PLOTS, plots
from simulate.worlds import caller, outage
from simulate.worlds.cells import Cell
from simulate.worlds.scenarios import BROKEN_EXECUTIONS, GOOD_BEFORE, HEALTHY_EXECUTIONS

HEADER: Final = """# Simulations

`make simulate` writes this file. It shows what each policy does to versions of which it is known
whether they are good or broken. All policies see the same draws.

`guarded` and `seed` are the product's own code with its own numbers. The others, in
`simulate/deciders/others.py`, decide as other tools do:

- `threshold`: more than half of the newest 50 executions failed, and there are at least 20.
- `consecutive`: five failures in a row.
- `repeated test`: a test of two proportions at 5 %, made at every failure from the tenth execution
  on.
- `GrowthBook`: GrowthBook's asymptotic confidence sequences.

A tool is executed every five seconds, and a tenth of its failures are signature errors. The
*target* is the baseline version: the one that was replaced, with which the new one is compared. Its
executions are drawn anew for each version. Brackets hold the 95 % interval (Wilson). In the first
four parts, `guarded` is its tests of evidence alone; under `outage` and `caller` it is the whole
policy, which folds the log of a partition as the detector does.
"""

ABOUT: Final = {
    "healthy": f"""Versions that are exactly as good as their targets; executions are independent.
        The table shows how many in a hundred are rolled back within {HEALTHY_EXECUTIONS}
        executions, by success rate and by how many executions of the target are known. If none
        are known, `guarded` assumes a success rate of 0.8 and promises nothing to versions that
        are worse than that.""",
    "bursts": """The same, but half of the failures are followed by another failure, so that
        failures come in runs of two on average.""",
    "broken": f"""Versions that are worse than their targets. The table shows the median of the
        executions until the version is rolled back, then how many in a hundred are not rolled back
        within {BROKEN_EXECUTIONS:,} executions. `never` means that most of them are not. A policy
        that rolls back healthy versions is quick here by the same chance.""",
    "late": f"""Versions that are as good as their targets for {GOOD_BEFORE:,} executions; after
        that, every execution fails. The table shows the median of the executions from there until
        the rollback, of those versions that were not rolled back before; brackets hold how many in
        a hundred were.""",
    "outage": f"""{outage.TOOLS} tools in {outage.PARTITIONS} partitions, by success rate. Each has
        {outage.BASELINE} executions of its target, and a version that is as good and at most
        {outage.AGE_S // 60} minutes old. Then everything fails for {outage.OUTAGE_S} seconds, and
        all is well again for {outage.AFTER_S // 60} minutes. The table shows how many of
        {outage.TOOLS - 1} healthy tools are rolled back in a run on average, without the outage
        and with it, and the 95 % interval of the difference. The last tool breaks in the middle of
        the outage: the table shows the median of the seconds from the end of the outage until it is
        rolled back (negative if that happens within the outage), in brackets the seconds that 95
        of a hundred take at most, then how many in a hundred were rolled back before they broke. If
        half of all executions fail anyway, an outage can hardly be told from that.""",
    "caller": f"""Versions that are exactly as good as their targets, by success rate, with
        {caller.EXECUTIONS} executions of each by {caller.CALLERS} callers. One more caller repeats
        a call that fails, {caller.REPEATED} times within as many seconds. The table shows how many
        in a hundred are rolled back, without that caller and with it.""",
}


class Part(NamedTuple):
    """A section of the document."""

    name: str
    how: str
    """The line above the table."""
    table: list[TableCell]
    promise: str = ""

    @property
    def about(self) -> str:
        """The text of the section."""
        return " ".join([*ABOUT[self.name].split(), *self.promise.split()])


def parts_of(
    cells: Sequence[Cell],
    how: str,
    outages: Mapping[tuple[float, str], outage.Runs],
    callers: Mapping[tuple[float, str], caller.Noise],
) -> Iterator[Part]:
    """Yield all parts, in the order of the document."""
    for name in dict.fromkeys(cell.scenario.part for cell in cells):
        promise = promise_text(cells, name) if name in PROMISED else ""
        yield Part(name, how, tables.of_cells(cells, name), promise)
    runs = len(next(iter(outages.values())).runs)
    yield Part("outage", f"{runs:,} runs for each success rate.", tables.of_outages(outages))
    versions = next(iter(callers.values())).repetitions
    yield Part("caller", f"{versions:,} versions for each rate.", tables.of_callers(callers))


def document(parts: Sequence[Part]) -> str:
    """Return the text of the document."""
    texts = [HEADER]
    for part in parts:
        texts.append(section(part.name, part.about, part.how, part.table))
        if part.name in PLOTS:
            texts.append(f"![{part.name}](simulation/{part.name}.svg)\n")
    return "\n".join(texts)


def write(path: Path, parts: Sequence[Part], cells: Sequence[Cell]) -> None:
    """Write the document to ``path`` and its plots into the folder of the same name beside it."""
    folder = path.with_suffix("")
    folder.mkdir(exist_ok=True)
    path.write_text(document(parts))
    for name, svg in plots(cells):
        (folder / f"{name}.svg").write_text(svg)

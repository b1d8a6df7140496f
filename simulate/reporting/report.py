"""The document that holds the simulations."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from bench.results import section
from simulate.reporting import tables
from simulate.reporting.bounds import PROMISED, said
from simulate.reporting.plots import PLOTS, plots
from simulate.worlds import caller, outage
from simulate.worlds.cells import Cell
from simulate.worlds.scenarios import BROKEN_EXECUTIONS, GOOD_BEFORE, HEALTHY_EXECUTIONS

HEADER: Final = """# Simulations

`make simulate` writes this file: what each policy does to versions whose truth is known. All see
the same draws. `guarded` and `seed` are the product's own code with its own numbers; the others are
in `simulate/deciders/others.py`, as other tools have them: more than half of the newest 50 failed,
of 20 at least (`threshold`); five failures in a row (`consecutive`); a test of two proportions at 5
%, repeated at every failure from the tenth execution on (`repeated test`); GrowthBook's asymptotic
confidence sequences. An execution every five seconds, a tenth of the failures being signature
errors. The target's executions are drawn anew for each version. In brackets the 95 % interval
(Wilson). In the first four parts `guarded` is its tests of evidence alone; under `outage` and
`caller` it is the whole policy, as the detector folds the log of a partition.
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
    "outage": f"""{outage.TOOLS} tools in {outage.PARTITIONS} partitions, by success rate, each with
        {outage.BASELINE} executions of its target and a version that is as good and
        {outage.AGE_S // 60} minutes old at most. Then everything fails for {outage.OUTAGE_S}
        seconds, and all is well again for {outage.AFTER_S // 60} minutes. How many of
        {outage.TOOLS - 1} healthy tools are rolled back in a run on average, without the outage and
        with it, and the 95 % interval of how many more those are. The last tool breaks in the
        middle of the outage: the median of the seconds from the outage's end until it is rolled
        back (less than none: within it), in brackets what 95 of a hundred take at most, and how
        many in a hundred were rolled back before they broke. Where half of all executions fail
        anyway, an outage is hardly to be told.""",
    "caller": f"""Versions exactly as good as their targets, by success rate, with
        {caller.EXECUTIONS} executions of each by {caller.CALLERS} callers. One more caller repeats
        a call that fails, {caller.REPEATED} times within as many seconds. How many in a hundred are
        rolled back, without that one and with it.""",
}


class Part(NamedTuple):
    """A section of the document."""

    name: str
    how: str
    """The line above the table."""
    rows: list[tables.Shown]
    promise: str = ""

    @property
    def about(self) -> str:
        return " ".join([*ABOUT[self.name].split(), *self.promise.split()])


def parts_of(
    cells: Sequence[Cell],
    how: str,
    outages: Mapping[tuple[float, str], outage.Runs],
    callers: Mapping[tuple[float, str], caller.Noise],
) -> Iterator[Part]:
    """All parts in the order of the document."""
    for name in dict.fromkeys(cell.scenario.part for cell in cells):
        promise = said(cells, name) if name in PROMISED else ""
        yield Part(name, how, tables.of_cells(cells, name), promise)
    runs = len(next(iter(outages.values())).runs)
    yield Part("outage", f"{runs:,} runs for each success rate.", tables.of_outages(outages))
    versions = next(iter(callers.values())).repetitions
    yield Part("caller", f"{versions:,} versions for each rate.", tables.of_callers(callers))


def document(parts: Sequence[Part]) -> str:
    texts = [HEADER]
    for part in parts:
        texts.append(section(part.name, part.about, part.how, part.rows))
        if part.name in PLOTS:
            texts.append(f"![{part.name}](simulation/{part.name}.svg)\n")
    return "\n".join(texts)


def write(path: Path, parts: Sequence[Part], cells: Sequence[Cell]) -> None:
    """The document at ``path``, and the plots of the cells in the folder beside it of the same
    name.
    """
    folder = path.with_suffix("")
    folder.mkdir(exist_ok=True)
    path.write_text(document(parts))
    for name, drawn in plots(cells):
        (folder / f"{name}.svg").write_text(drawn)

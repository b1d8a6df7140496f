"""The sections of the document that holds the simulations, ``docs/simulation.md``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from documentation.sections import MeasuredDocument
from documentation.tables import TableCell, section
from schemas.rules.rules import Rules
from simulate.reporting import tables
from simulate.reporting.bounds import PROMISED, promise_text, quality_promise_text
from simulate.worlds import caller, outage, quality
from simulate.worlds.cells import Cell
from simulate.worlds.scenarios import BROKEN_EXECUTIONS, GOOD_BEFORE, HEALTHY_EXECUTIONS

HEADER: Final = """# Simulations

`make simulate` writes this file; `make simulate SIMULATE=quality` writes one section of it. It
shows what each policy does to versions of which we know whether they are good or broken. All
policies judge the same simulated executions.

`guarded` and `seed` are the code of the product with its default settings. The other columns decide
as other tools do (`simulate/deciders/others.py`):

| column | rolls back if |
|---|---|
| `threshold` | more than half of the newest 50 executions failed, and there are at least 20 |
| `consecutive` | five executions in a row failed |
| `repeated test` | a test of two proportions at 5 % says so at a failure, from 10 executions on |
| `GrowthBook` | the asymptotic confidence sequence of GrowthBook lies below 0 |

A tool is executed every five seconds. A tenth of its failures are signature errors. The *baseline
version* is the version that was replaced; the new version is compared with it. Its executions are
drawn anew for each version. A row such as '0.9, 100 of the baseline version' means: a success rate
of 0.9, and 100 executions of the baseline version are known. Brackets hold the 95 % interval
(Wilson) unless the text says something else.

In the parts `healthy`, `bursts`, `breaking`, `broken` and `late`, `guarded` is only its tests of
evidence. In the parts `outage`, `few tools` and `caller` it is the whole policy, which counts the
log of a partition as the detector does. In `outage` and `few tools` the applier asks the executions
of all tools, as far as they are recorded: the recorder is a second behind.
"""

ABOUT: Final = {
    "healthy": f"""The versions are exactly as good as their baseline versions, and executions are
        independent. The table shows the percentage of versions that are rolled back within
        {HEALTHY_EXECUTIONS} executions. If no execution of a baseline version is known, `guarded`
        assumes a success rate of 0.8, and promises nothing for versions that are worse than
        that.""",
    "bursts": """As in `healthy`, but half of the failures are followed by another failure. So
        failures come in runs of two on average.""",
    "breaking": f"""The last column is of versions of which the Activation says that they break
        calls: then `guarded` needs odds that are {Rules().breaking_factor:g} times smaller to
        condemn by signature errors. The first rows are versions that are exactly as good as their
        baseline versions, although they break calls, and show the percentage that is rolled back
        within {HEALTHY_EXECUTIONS} executions. In the others a share of the calls fails by
        signature errors; they show the median as in `broken`.""",
    "broken": f"""The versions are worse than their baseline versions. The table shows the median
        number of executions until the version is rolled back. `2.8 never` means that 2.8 % of the
        versions are not rolled back within {BROKEN_EXECUTIONS:,} executions. `never` alone means
        that half of them or more are not. A policy that rolls back many healthy versions is
        quick here for the same reason: it rolls back by chance.""",
    "late": f"""The versions are as good as their baseline versions for {GOOD_BEFORE:,} executions.
        After that, every execution fails. The table shows the median number of executions from
        there until the rollback, for the versions that were not rolled back before. `(20 before)`
        means that 20 % of the versions were rolled back before they broke, `all before` that all
        of them were. `never` means the same as in `broken`.""",
    "outage": f"""There are {outage.TOOLS} tools in {outage.PARTITIONS} partitions. Each tool has
        {outage.BASELINE} executions of its baseline version, and a current version that is as good
        and at most {outage.AGE_S // 60} minutes old. Then everything fails for {outage.OUTAGE_S}
        seconds. After that, everything is as before for {outage.AFTER_S // 60} minutes. The first
        three rows of each success rate are about the {outage.TOOLS - 1} healthy tools: how many of
        them are rolled back in a run on average, without the outage and with it, and the 95 %
        interval of the difference. The last two rows are about the last tool, which breaks in the
        middle of the outage. They show the median of the seconds from the end of the outage until
        this tool is rolled back; the number is negative if that happens during the outage. In
        brackets is the time within which 95 % of the runs have rolled it back. `8.0 before` means
        that it was rolled back before it broke in 8 % of the runs, and `all before` in all of them.
        Without an outage, the seconds begin when the tool breaks.
        At a success rate of 0.5 an outage can hardly be recognised, because half of all executions
        fail anyway.""",
    "few tools": f"""The same with {" or ".join(map(str, outage.FEW_TOOLS))} tools. Then most
        partitions have fewer tools than the detector needs to recognise an outage there.""",
    "caller": f"""The versions are exactly as good as their baseline versions. There are
        {caller.EXECUTIONS} executions of the baseline version and of the new version, by
        {caller.CALLERS} callers. One more caller repeats a call that fails: {caller.REPEATED}
        times, once a second. The table shows the percentage of versions that are rolled back,
        without that caller and with it.""",
    "quality": f"""All tests of `guarded` look at each version together: those of failures and the
        quality tests, with `slower` and `costlier` enforced. Each success says how long it took
        and what it cost, and is judged later. Durations are lognormal, and the 95 % quantile is 1.9
        medians; {100 * quality.BAD:g} % of the verdicts are bad. A version is watched for
        {quality.HEALTHY} executions. '50 % slower' takes 1.5 times as long in its median. A
        healthy version whose load has a day's rhythm takes 1.3 times as long as on average at its
        peak, and 0.7 times in its quietest hour; the version is replaced at any hour. 'Slow ones in
        runs' means that the logarithm of a duration resembles the one before (correlation 0.6). The
        table shows the percentage of versions that are condemned, and for worse versions the median
        number of executions until then, of which the first
        {quality.WARM_UP} are not compared because the version may have to warm up.""",
}


class Part(NamedTuple):
    """What was simulated for a section of the document."""

    name: str
    how: str
    """The line above the table."""
    table: list[TableCell]
    promise: str = ""
    plot: str = ""
    """An SVG; "" if the part has none."""

    @property
    def section(self) -> str:
        """The section, with a link to the plot."""
        about = " ".join([*ABOUT[self.name].split(), *self.promise.split()])
        text = section(self.name, about, self.how, self.table)
        return f"{text}\n![{self.name}](simulation/{self.name}.svg)\n" if self.plot else text

    def write(self, path: Path) -> None:
        """Put the section into the document, and the plot into the folder beside it."""
        MeasuredDocument(path, HEADER, list(ABOUT)).write(self.name, self.section)
        if self.plot:
            folder = path.with_suffix("")
            folder.mkdir(exist_ok=True)
            (folder / f"{self.name}.svg").write_text(self.plot)


def part_of_cells(name: str, cells: Sequence[Cell]) -> Part:
    """Return a part whose scenarios concern one tool and its failures."""
    from simulate.reporting.plots import plot  # imports matplotlib, which takes a second

    most, fewest = (choose(cell.repetitions for cell in cells) for choose in (max, min))
    how = f"{most:,} repetitions of each"
    if most != fewest:
        how = f"{how} healthy scenario under `guarded`, {fewest:,} of all else"
    promise = promise_text(cells, name) if name in PROMISED else ""
    return Part(name, f"{how}.", tables.of_cells(cells, name), promise, plot(name, cells))


def part_of_outages(name: str, outages: Mapping[tuple[outage.World, str], outage.Runs]) -> Part:
    """Return a part about tools that fail together."""
    runs = len(next(iter(outages.values())).runs)
    return Part(name, f"{runs:,} runs for each success rate.", tables.of_outages(outages))


def part_of_callers(callers: Mapping[tuple[float, str], caller.Noise]) -> Part:
    """Return the part about a noisy caller."""
    versions = next(iter(callers.values())).repetitions
    return Part("caller", f"{versions:,} versions for each rate.", tables.of_callers(callers))


def part_of_quality(cells: Sequence[quality.QualityCell]) -> Part:
    """Return the part about the quality tests."""
    healthy, worse = (
        [len(cell.condemned) for cell in cells if cell.scenario.is_healthy is is_healthy]
        for is_healthy in (True, False)
    )
    how = f"At least {min(healthy):,} versions that are healthy, and {min(worse):,} that are worse."
    return Part("quality", how, tables.of_quality(cells), quality_promise_text(cells))

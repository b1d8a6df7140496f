"""``make simulate``: judge all scenarios by all deciders, write ``docs/simulation.md``."""

import os
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer

from documentation.tables import print_table
from simulate.deciders.decider import deciders_of
from simulate.reporting.report import (
    ABOUT,
    Part,
    part_of_callers,
    part_of_cells,
    part_of_outages,
    part_of_quality,
)
from simulate.worlds.caller import simulate_callers
from simulate.worlds.cells import simulate
from simulate.worlds.outage import FEW_TOOLS, RATES, TOOLS, World, simulate_outages
from simulate.worlds.quality import all_quality_scenarios, simulate_quality
from simulate.worlds.scenarios import Scenario, all_scenarios

DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "simulation.md"
REPETITIONS: Final = 10_000
"""With so many, the interval of a share of 0.6 % ends below 0.8 %. With half as many, chance might
lift the worst of fifty cells over 1 %."""
OTHERS: Final = 400
"""At most so many repetitions if shares are greater or if the median counts."""
OF_BREAKING: Final = 3_000
"""At most so many repetitions of versions that break calls."""
OF_A_RUN: Final = 200
"""There is one run of the outage, which has many tools, for so many repetitions; at least two."""
OF_A_CALLER: Final = 10
"""There is one version with a noisy caller for so many repetitions."""


def repetitions_of(scenario: Scenario, decider: str, repetitions: int) -> int:
    """Return how often a scenario is repeated: in full if it is to show what is promised."""
    if scenario.part == "breaking":
        return min(repetitions, OF_BREAKING)
    if decider == "guarded" and scenario.is_healthy:
        return repetitions
    return min(repetitions, OTHERS)


class Simulation(NamedTuple):
    """How much is simulated, from which seed, by how many processes."""

    repetitions: int
    seed: int
    processes: int

    def part(self, name: str) -> Part:
        """Simulate a part of the document."""
        if name == "caller":
            number = self.repetitions // OF_A_CALLER
            return part_of_callers(simulate_callers(number, self.seed, self.processes))
        if name == "quality":
            scenarios = all_quality_scenarios()
            wanted = [(each, each.repetitions(self.repetitions, OTHERS)) for each in scenarios]
            return part_of_quality(simulate_quality(wanted, self.seed, self.processes))
        if name in ("outage", "few tools"):
            return self._outages(name, (TOOLS,) if name == "outage" else FEW_TOOLS)
        return self._cells(name)

    def _outages(self, name: str, tools: tuple[int, ...]) -> Part:
        runs = max(self.repetitions // OF_A_RUN, 2)
        worlds = [World(number, rate) for number in tools for rate in RATES]
        return part_of_outages(name, simulate_outages(runs, self.seed, self.processes, worlds))

    def _cells(self, name: str) -> Part:
        wanted = [
            (scenario, decider, repetitions_of(scenario, decider, self.repetitions))
            for scenario in all_scenarios()
            if scenario.part == name
            for decider in deciders_of(name)
        ]
        return part_of_cells(name, simulate(wanted, self.seed, self.processes))


def main(
    parts: Annotated[
        list[str] | None, typer.Argument(help=f"Some of: {', '.join(ABOUT)}. Without it, all.")
    ] = None,
    repetitions: Annotated[
        int, typer.Option(min=OF_A_CALLER, help="Repetitions of each healthy scenario.")
    ] = REPETITIONS,
    seed: Annotated[int, typer.Option(help="Another seed gives other draws.")] = 1,
    processes: Annotated[int, typer.Option(min=1)] = os.cpu_count() or 1,
    document: Annotated[
        Path, typer.Option(help="The file to write; its plots go into the folder beside it.")
    ] = DOCUMENT,
) -> None:
    """Simulate what each policy does to versions whose truth is known.

    The section of a part is written as soon as the part is simulated.
    """
    unknown = [name for name in parts or () if name not in ABOUT]
    if unknown:
        raise typer.BadParameter(f"no part {unknown[0]!r}; some of: {', '.join(ABOUT)}")
    simulation = Simulation(repetitions, seed, processes)
    for name in parts or ABOUT:
        part = simulation.part(name)
        print_table(part.name, part.table)
        if part.promise:
            print(part.promise)
        part.write(document)


if __name__ == "__main__":
    typer.run(main)

"""``make simulate``: judge all scenarios by all deciders, write ``docs/simulation.md``."""

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from documentation.tables import print_table
from simulate.deciders.decider import deciders_of
from simulate.reporting.report import parts_of, write
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


def main(
    repetitions: Annotated[
        int, typer.Option(min=OF_A_CALLER, help="Repetitions of each healthy scenario.")
    ] = REPETITIONS,
    seed: Annotated[int, typer.Option(help="Another seed gives other draws.")] = 1,
    processes: Annotated[int, typer.Option(min=1)] = os.cpu_count() or 1,
    document: Annotated[
        Path, typer.Option(help="The file to write; its plots go into the folder beside it.")
    ] = DOCUMENT,
) -> None:
    """Simulate what each policy does to versions whose truth is known."""
    wanted = [
        (scenario, decider, repetitions_of(scenario, decider, repetitions))
        for scenario in all_scenarios()
        for decider in deciders_of(scenario.part)
    ]
    cells = simulate(wanted, seed, processes)
    worlds = [World(tools, rate) for tools in (TOOLS, *FEW_TOOLS) for rate in RATES]
    outages = simulate_outages(max(repetitions // OF_A_RUN, 2), seed, processes, worlds)
    callers = simulate_callers(repetitions // OF_A_CALLER, seed, processes)
    fewer = min(number for _, _, number in wanted)
    how = (
        f"{repetitions:,} repetitions of each healthy scenario under `guarded`, {fewer:,} of all "
        f"else; seed {seed}."
    )
    qualities = simulate_quality(
        [
            (scenario, scenario.repetitions(repetitions, OTHERS))
            for scenario in all_quality_scenarios()
        ],
        seed,
        processes,
    )
    parts = list(parts_of(cells, how, outages, callers, qualities))
    for part in parts:
        print_table(part.name, part.table)
        if part.promise:
            print(part.promise)
    write(document, parts, cells)


if __name__ == "__main__":
    typer.run(main)

"""``make bench``: measure all parts or one, print the tables and write ``docs/bench.md``."""

import inspect
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import typer

from bench.parts.bridge import bridge
from bench.parts.client import client
from bench.parts.console import console
from bench.parts.forwarding import forwarding
from bench.parts.growth import growth
from bench.parts.latency import latency
from bench.parts.others import applier, recorder, throughput
from bench.parts.policies import policies
from bench.parts.pressure import pressure
from bench.parts.scaling import scaling
from bench.parts.signing import signing
from bench.parts.versions import versions
from bench.results import Result, cells_of, show
from bench.setup.servers import machine, with_servers
from documentation.sections import MeasuredDocument
from documentation.tables import section

Part = Callable[[str, str], Awaitable[list[Result]]]
"""Takes the Kafka brokers and a Postgres DSN. Its docstring becomes the text above its table. It
raises AssertionError if something did not hold that must hold."""

PARTS: Final[dict[str, Part]] = {
    "throughput": throughput,
    "recorder": recorder,
    "applier": applier,
    "latency": latency,
    "growth": growth,
    "policies": policies,
    "scaling": scaling,
    "pressure": pressure,
    "versions": versions,
    "signing": signing,
    "client": client,
    "bridge": bridge,
    "forwarding": forwarding,
    "console": console,
}
_HEADER: Final = """# Benchmarks

`make bench` writes this file; `make bench PART=latency` writes one section of it. A cell shows the
median of the rounds. If there were several rounds, the least and the greatest value follow in
brackets. Programs that are compared ran in turn in the same run. CPU time is the time of a process
in user and in kernel mode, over all its threads. Kafka, Postgres, the workers and the programs that
send the load run on the same machine. CPU times and wall times in µs are for one execution.
"""
DOCUMENT: Final = MeasuredDocument(
    Path(__file__).parents[1] / "docs" / "bench.md", _HEADER, list(PARTS)
)


async def measure(names: list[str], brokers: str, dsn: str) -> list[str]:
    """Run the parts, and write the section of each when it is done.

    Return the names of the parts in which something did not hold.
    """
    failed = []
    for name in names:
        about = " ".join((inspect.getdoc(PARTS[name]) or "").split())
        try:
            results = await PARTS[name](brokers, dsn)
        except AssertionError as error:
            print(f"{name}: {error}", file=sys.stderr)
            failed.append(name)
            continue
        show(name, results)
        conditions = f"{await machine(brokers, dsn)}; {datetime.now(UTC):%Y-%m-%d}."
        text = section(name, about, conditions, cells_of(results))
        DOCUMENT.write(name, text)
    return failed


def main(
    part: str = typer.Argument("", help=f"One of: {', '.join(PARTS)}. Without it, all."),
) -> None:
    """Measure on the Apache Kafka at ROLLGUARD_KAFKA_BROKERS, else on one from Maven."""
    if part and part not in PARTS:
        raise typer.BadParameter(f"one of: {', '.join(PARTS)}")
    if with_servers(partial(measure, [part] if part else list(PARTS))):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)

"""The verbs that show everything at a glance: tools, engines, status and pins."""

import time
from typing import Annotated, Final, Literal

import typer

from rollguard.cli.options import Json, OfTool, run, system

_WATCH_S: Final = 2.0

StateName = Literal["healthy", "suspect", "condemned", "unjudged", "unknown"]


def tools(
    state: Annotated[
        StateName | None, typer.Option(help="Only tools in this state.", show_default=False)
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show them again every 2 s, until Ctrl-C.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List all tools: current version, state, success rate, last rollback, what stops machines.

    States: condemned (a rule demands a rollback), suspect (a recent execution failed), healthy,
    unjudged (not executed since its activation), unknown (no detector answers for it).
    """
    from rollguard.cli.show.overview import show_tools
    from rollguard.printing import clear_terminal, print_note

    overview = system().overview
    while True:
        found = run(overview.tools(state, print_note))
        if watch:
            clear_terminal()
        show_tools(found, as_json)
        if not watch:
            return
        time.sleep(_WATCH_S)


def engines(
    tool: OfTool = None,
    stale: Annotated[
        bool, typer.Option("--stale", help="Only engines that run another version.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List which engine runs which version of each tool, as engines report it and execute it.

    States: current, stale (it runs another version), failed (it cannot load the current one),
    unknown (it reports nothing, and has executed nothing since the activation). Stale executions
    are those of another version since the current one was activated.
    """
    from rollguard.cli.show.engines import show_engines

    found = run(system().overview.engines(tool, stale=stale))
    show_engines(found, as_json)


def status(as_json: Json = False) -> None:
    """Show the system: brokers, Postgres, the workers and the lag of each role, what is stuck.

    Exit 1 if Kafka or Postgres does not answer.
    """
    from rollguard.cli.show.overview import show_status

    found = run(system().overview.status(), "Kafka and Postgres")
    show_status(found, as_json)
    raise typer.Exit(0 if found.kafka and found.postgres else 1)


def pins(as_json: Json = False) -> None:
    """List the pins that are in force."""
    from rollguard.cli.show.stops import show_pins

    show_pins(run(system().stops.pins()), as_json)

"""The verbs that ask the detector: check and health."""

from typing import Any

from rollguard.cli.options import Json, Tool, run, settings


def check(tool: Tool, as_json: Json = False) -> None:
    """Say whether a rule demands a rollback of the tool now."""
    from rollguard.cli.show.health import show_check

    show_check(_health_of(tool), as_json)


def health(tool: Tool, as_json: Json = False) -> None:
    """Show the windows that the rules judge: the newest executions of the current version."""
    from rollguard.cli.show.health import show_health

    show_health(_health_of(tool), as_json)


def _health_of(tool: str) -> dict[str, Any]:
    """Ask the detector what it says, and Postgres for what stops the tool.

    That is what a rollback waits for (``waits_for``), which deployment waits for a person
    (``held_deployment``), the stops that are in force (``stops``), and how many engines run the
    current version (``engines``).

    If Kafka or Postgres does not answer, say on stderr what is not known, and go on.
    """
    from rollguard.operations.overview.engines import engine_counts
    from rollguard.operations.overview.health import health_of
    from rollguard.operations.overview.why_waiting import held_deployment_of, why_waiting
    from rollguard.operations.stops import stops_of
    from rollguard.printing import print_note
    from schemas.errors import RollguardError

    in_force = settings()
    found = run(health_of(in_force, tool, print_note))
    waits_for = held = stops = engines = None
    try:
        waits_for = run(why_waiting(in_force, found))
        held = run(held_deployment_of(in_force, tool))
        stops = run(stops_of(in_force, tool))
        engines = run(engine_counts(in_force, tool))
    except RollguardError as error:
        print_note(
            "not known what the rollback waits for, what is held and stopped, and which engines "
            f"run it: {error}"
        )
    asked = {"waits_for": waits_for, "held_deployment": held, "stops": stops, "engines": engines}
    return found | asked

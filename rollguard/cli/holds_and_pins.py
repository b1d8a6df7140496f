"""The verbs by which a person decides: holds, approve, dismiss, pin, unpin."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from rollguard.cli.given_times import coming_time_of, duration_of
from rollguard.cli.options import (
    By,
    CommandId,
    Json,
    OfTool,
    Tool,
    command_named,
    name_of,
    run,
    settings,
)


def holds(tool: OfTool = None, as_json: Json = False) -> None:
    """List the held rollbacks, which wait for a person, the newest first."""
    from rollguard.cli.show.holds import show_holds
    from rollguard.operations.holds import waiting

    show_holds(run(waiting(settings(), tool)), as_json)


def approve(
    command_id: CommandId, tool: OfTool = None, by: By = None, as_json: Json = False
) -> None:
    """Carry out a held rollback, and wait for the outcome."""
    from rollguard.cli.show.holds import show_approval
    from rollguard.operations import holds

    in_force, by = settings(), name_of(by)
    held = command_named(in_force, command_id, tool)
    outcome = run(
        holds.approve(in_force, held.command_id, by, tool=held.tool_name),
        f"the outcome of the command {held.command_id}, from an applier",
    )
    raise typer.Exit(0 if show_approval(outcome, as_json) else 1)


def dismiss(
    command_id: CommandId,
    reason: Annotated[str, typer.Option(help="Why not.", show_default=False)],
    tool: OfTool = None,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Reject a held rollback, and wait for the outcome."""
    from rollguard.cli.show.holds import show_dismissal
    from rollguard.operations import holds

    in_force, by = settings(), name_of(by)
    held = command_named(in_force, command_id, tool)
    outcome = run(
        holds.dismiss(in_force, held.command_id, reason, by, tool=held.tool_name),
        f"the outcome of the command {held.command_id}, from an applier",
    )
    raise typer.Exit(0 if show_dismissal(outcome, as_json) else 1)


def pin(
    tool: Annotated[
        str | None, typer.Argument(help="The tool's name; without it, list all pins.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why; without it, show the pin.")] = None,
    for_: Annotated[
        str | None, typer.Option("--for", help="For so long: 90s, 15m, 2h, 7d.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Until a time of day (03:00), a day (2026-01-31), or both (2026-01-31T03:00:00Z; "
            "without an offset it is local time).",
        ),
    ] = None,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Stop automatic rollbacks of the tool, for a while or until it is unpinned.

    A person can still roll it back.
    """
    from rollguard.cli.show.pins import show_pin, show_pins
    from rollguard.operations import pins

    if tool is None:
        if (reason, for_, until, by) != (None, None, None, None):
            raise typer.BadParameter("name the TOOL to pin")
        show_pins(run(pins.every_pin(settings())), as_json)
        return
    if reason is None:
        if (for_, until, by) != (None, None, None):
            raise typer.BadParameter("give --reason TEXT")
        show_pin(run(pins.pin_of(settings(), tool)), as_json)
        return
    end = _end_of_pin(for_, until)
    pinning = pins.pin(settings(), tool, reason, name_of(by), end)
    show_pin(run(pinning, f"Postgres to pin {tool}"), as_json)


def _end_of_pin(for_: str | None, until: str | None) -> datetime | None:
    """Return the time at which the pin ends; None if it has no end."""
    now = datetime.now(UTC)
    if for_ is not None and until is not None:
        raise typer.BadParameter("give --for or --until, and not both")
    if for_ is not None:
        duration = duration_of(for_)
        if not duration:
            raise typer.BadParameter(f"--for {for_!r}: give 90s, 15m, 2h or 7d")
        return coming_time_of("--for", for_)
    if until is None:
        return None
    end = coming_time_of("--until", until)
    if end <= now:
        raise typer.BadParameter(f"--until {until!r}: is over; give a time in the future")
    return end


def unpin(tool: Tool, as_json: Json = False) -> None:
    """Allow automatic rollbacks of the tool again."""
    from rollguard.cli.show.pins import show_unpinned
    from rollguard.operations import pins

    show_unpinned(run(pins.unpin(settings(), tool), f"Postgres to unpin {tool}"), as_json)

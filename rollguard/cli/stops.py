"""The verbs by which a person stops machines: pin, freeze, reject, and what ends that."""

from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from rollguard.cli.given_times import coming_time_of, duration_of
from rollguard.cli.options import (
    By,
    Json,
    Limit,
    OfTool,
    Tool,
    Version,
    name_of,
    run,
    system,
    version_name_of,
)

_TOOL: Final = typer.Argument(help="The tool's name.", show_default=False)
ToolOrNone = Annotated[str | None, _TOOL]
All = Annotated[
    bool, typer.Option("--all", help="All tools, also those that come later.", show_default=False)
]
Reason = Annotated[str, typer.Option(help="Why; kept and shown.", show_default=False)]
For = Annotated[str | None, typer.Option("--for", help="For so long: 90s, 15m, 2h, 7d.")]
Until = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Until a time of day (03:00), a day (2026-01-31), or both (2026-01-31T03:00:00Z; "
        "without an offset it is local time).",
    ),
]


def pin(
    tool: Annotated[
        str | None, typer.Argument(help="The tool's name; without it, list all pins.")
    ] = None,
    all_: All = False,
    reason: Annotated[str | None, typer.Option(help="Why; without it, show the pin.")] = None,
    for_: For = None,
    until: Until = None,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Stop automatic rollbacks of the tool, for a while or until it is unpinned.

    A person can still roll it back.
    """
    from rollguard.cli.show.stops import show_pin, show_pins

    if tool is None and not all_:
        if (reason, for_, until, by) != (None, None, None, None):
            raise typer.BadParameter("name the TOOL to pin, or give --all")
        show_pins(run(system().stops.pins()), as_json)
        return
    tool = _one_or_all(tool, all_)
    if reason is None:
        if (for_, until, by) != (None, None, None):
            raise typer.BadParameter("give --reason TEXT")
        show_pin(run(system().stops.pin_of(tool)), as_json)
        return
    pinning = system().stops.pin(tool, reason, name_of(by), _end_of(for_, until))
    show_pin(run(pinning, f"Postgres to pin {tool or 'all tools'}"), as_json)


def unpin(tool: ToolOrNone = None, all_: All = False, by: By = None, as_json: Json = False) -> None:
    """Allow automatic rollbacks of the tool again."""
    from rollguard.cli.show.stops import show_unpinned

    tool = _one_or_all(tool, all_)
    unpinning = system().stops.unpin(tool, name_of(by))
    show_unpinned(run(unpinning, f"Postgres to unpin {tool or 'all tools'}"), as_json)


def freeze(
    reason: Reason,
    tool: ToolOrNone = None,
    all_: All = False,
    for_: For = None,
    until: Until = None,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Refuse autonomous deployments of the tool, for a while or until it is unfrozen.

    A person can still deploy.
    """
    from rollguard.cli.show.stops import show_stop

    tool = _one_or_all(tool, all_)
    freezing = system().stops.freeze(tool, reason, name_of(by), _end_of(for_, until))
    show_stop(run(freezing, f"Postgres to freeze {tool or 'all tools'}"), as_json)


def unfreeze(
    tool: ToolOrNone = None, all_: All = False, by: By = None, as_json: Json = False
) -> None:
    """Allow autonomous deployments of the tool again."""
    from rollguard.cli.show.stops import show_ended

    tool = _one_or_all(tool, all_)
    unfreezing = system().stops.unfreeze(tool, name_of(by))
    show_ended(run(unfreezing, f"Postgres to unfreeze {tool or 'all tools'}"), as_json)


def resume(tool: Tool, by: By = None, as_json: Json = False) -> None:
    """Allow autonomous deployments of the tool again that wait since a person's rollback."""
    from rollguard.cli.show.stops import show_ended

    resuming = system().stops.resume(tool, name_of(by))
    show_ended(run(resuming, f"Postgres to resume {tool}"), as_json)


def reject(
    tool: Tool, version: Version, reason: Reason, by: By = None, as_json: Json = False
) -> None:
    """Reject the code of a version: no rollback leads to it, and no machine may deploy it again.

    The version stays current if it is. A person can still deploy this code or roll back to it,
    which ends the rejection.
    """
    from rollguard.cli.show.stops import show_rejected

    rejecting = system().stops.reject(tool, version_name_of(version), reason, name_of(by))
    show_rejected(run(rejecting, f"Postgres to reject a version of {tool}"), as_json)


def stops(
    tool: OfTool = None,
    ended: Annotated[
        bool, typer.Option("--ended", help="Those that have ended, too.", show_default=False)
    ] = False,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List the pins, freezes, rejections and waits, the newest first: who, why, since when.

    With --tool, those of all tools together are listed, too.
    """
    from rollguard.cli.show.stops import show_stops

    show_stops(run(system().stops.all(tool, ended=ended, limit=limit)), as_json)


def _one_or_all(tool: str | None, is_all: bool) -> str | None:
    """Return the tool, None for all tools; one of the two must be given."""
    if (tool is None) != is_all:
        raise typer.BadParameter("give a TOOL or --all, and not both")
    return tool


def _end_of(for_: str | None, until: str | None) -> datetime | None:
    """Return the time at which it ends; None if it has no end."""
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

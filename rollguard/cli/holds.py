"""The verbs about rollbacks that wait for a person: holds, approve, dismiss."""

from typing import Annotated

import typer

from rollguard.cli.options import (
    By,
    CommandId,
    Json,
    OfTool,
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

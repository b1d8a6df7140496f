"""The verbs about what waits for a person: holds, approve, dismiss."""

from typing import TYPE_CHECKING, Annotated

import typer

from rollguard.cli.options import (
    By,
    HeldId,
    Json,
    OfTool,
    held_named,
    name_of,
    run,
    system,
)

if TYPE_CHECKING:
    from rollguard.operations.waiting import HeldKey


def holds(tool: OfTool = None, as_json: Json = False) -> None:
    """List the held rollbacks and deployments, which wait for a person, the newest first."""
    from rollguard.cli.show.holds import show_holds

    show_holds(run(system().holds.waiting(tool)), as_json)


def approve(held_id: HeldId, tool: OfTool = None, by: By = None, as_json: Json = False) -> None:
    """Carry out a held rollback or deployment, and wait for the outcome."""
    from rollguard.cli.show.holds import show_approval

    of, by = system(), name_of(by)
    held = held_named(of, held_id, tool)
    outcome = run(of.holds.approve(held, by), _waits_for(held))
    raise typer.Exit(0 if show_approval(outcome, as_json) else 1)


def dismiss(
    held_id: HeldId,
    reason: Annotated[str, typer.Option(help="Why not.", show_default=False)],
    tool: OfTool = None,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Reject a held rollback, or refuse a held deployment, and wait for the outcome."""
    from rollguard.cli.show.holds import show_dismissal

    of, by = system(), name_of(by)
    held = held_named(of, held_id, tool)
    outcome = run(of.holds.dismiss(held, reason, by), _waits_for(held))
    raise typer.Exit(0 if show_dismissal(outcome, as_json) else 1)


def _waits_for(held: "HeldKey") -> str:
    from db.versions.outcomes import DeploymentKey

    what = "deployment" if isinstance(held, DeploymentKey) else "command"
    return f"the outcome of the {what} {held.held_id}, from an applier"

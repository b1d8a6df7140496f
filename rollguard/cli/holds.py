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
    settings,
)

if TYPE_CHECKING:
    from uuid import UUID


def holds(tool: OfTool = None, as_json: Json = False) -> None:
    """List the held rollbacks and deployments, which wait for a person, the newest first."""
    from rollguard.cli.show.holds import show_holds
    from rollguard.operations.held_deployments import waiting_deployments
    from rollguard.operations.holds import waiting

    in_force = settings()
    rollbacks = run(waiting(in_force, tool))
    show_holds(rollbacks, run(waiting_deployments(in_force, tool)), as_json)


def approve(held_id: HeldId, tool: OfTool = None, by: By = None, as_json: Json = False) -> None:
    """Carry out a held rollback or deployment, and wait for the outcome."""
    from db.versions.outcomes import DeploymentKey
    from rollguard.cli.show.holds import show_approval, show_deployment_approval
    from rollguard.operations import held_deployments, holds

    in_force, by = settings(), name_of(by)
    held = held_named(in_force, held_id, tool)
    if isinstance(held, DeploymentKey):
        deployed = run(
            held_deployments.approve_deployment(in_force, *held, by),
            _waits_for("deployment", held.held_id),
        )
        raise typer.Exit(0 if show_deployment_approval(deployed, as_json) else 1)
    outcome = run(
        holds.approve(in_force, held.command_id, by, tool=held.tool_name),
        _waits_for("command", held.held_id),
    )
    raise typer.Exit(0 if show_approval(outcome, as_json) else 1)


def dismiss(
    held_id: HeldId,
    reason: Annotated[str, typer.Option(help="Why not.", show_default=False)],
    tool: OfTool = None,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Reject a held rollback, or refuse a held deployment, and wait for the outcome."""
    from db.versions.outcomes import DeploymentKey
    from rollguard.cli.show.holds import show_deployment_dismissal, show_dismissal
    from rollguard.operations import held_deployments, holds

    in_force, by = settings(), name_of(by)
    held = held_named(in_force, held_id, tool)
    if isinstance(held, DeploymentKey):
        refused = run(
            held_deployments.dismiss_deployment(in_force, *held, reason, by),
            _waits_for("deployment", held.held_id),
        )
        raise typer.Exit(0 if show_deployment_dismissal(refused, as_json) else 1)
    outcome = run(
        holds.dismiss(in_force, held.command_id, reason, by, tool=held.tool_name),
        _waits_for("command", held.held_id),
    )
    raise typer.Exit(0 if show_dismissal(outcome, as_json) else 1)


def _waits_for(what: str, held_id: "UUID") -> str:
    return f"the outcome of the {what} {held_id}, from an applier"

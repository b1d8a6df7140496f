"""The verbs about rollbacks: rollbacks, explain, rollback."""

from typing import Annotated
from uuid import UUID

import typer

from rollguard.cli.options import (
    By,
    Json,
    Limit,
    OfTool,
    Tool,
    name_of,
    optional_time_of,
    run,
    settings,
)


def rollbacks(
    tool: OfTool = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="Only since a time (2026-01-31T12:00:00Z), or since so long ago: 90s, 15m, 2h, 7d."
        ),
    ] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List rollbacks, carried out or not, the newest first."""
    from rollguard.cli.show.rollbacks import show_rollbacks
    from rollguard.operations.rollbacks import rollbacks_of

    begin = optional_time_of("--since", since)
    show_rollbacks(run(rollbacks_of(settings(), tool, begin, limit)), as_json)


def explain(
    command_id: Annotated[UUID, typer.Argument(help="The command's id, as `rollbacks` prints it.")],
    as_json: Json = False,
) -> None:
    """Say why a rollback was decided: the rule, the numbers, the executions and their errors."""
    from rollguard.cli.show.rollbacks import show_explanation
    from rollguard.operations.rollbacks import explanation_of

    show_explanation(run(explanation_of(settings(), command_id)), as_json)


def rollback(
    tool: Tool,
    version_id: int,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    by: By = None,
    as_json: Json = False,
) -> None:
    """Make any version of the tool's history current, and wait for the outcome."""
    from rollguard.cli.show.rollbacks import show_outcome
    from rollguard.operations.rollbacks import roll_back

    outcome = run(roll_back(settings(), tool, version_id, reason, name_of(by)))
    show_outcome(outcome, as_json)
    raise typer.Exit(0 if outcome.status == "applied" else 1)

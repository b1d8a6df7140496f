"""The verbs about rollbacks: rollbacks, explain, rollback."""

from typing import Annotated
from uuid import uuid4

import typer

from rollguard.cli.given_times import optional_time_of
from rollguard.cli.options import (
    WHEN,
    By,
    CommandId,
    Json,
    Limit,
    OfTool,
    Tool,
    Version,
    beginning_of,
    name_of,
    run,
    system,
    version_name_of,
)


def rollbacks(
    tool: OfTool = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help=f"Only since then: {WHEN}.")
    ] = None,
    limit: Limit = 50,
    costs: Annotated[
        bool, typer.Option("--costs", help="Also say how many failed calls each cost, and spared.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List rollbacks, carried out or not, the newest first."""
    from rollguard.cli.show.rollbacks import show_costs, show_rollbacks

    begin, of = optional_time_of("--since", since), system().rollbacks
    if costs:
        show_costs(run(of.costs(tool, begin, limit)), as_json)
    else:
        show_rollbacks(run(of.newest(tool, begin, limit)), as_json)


def explain(command_id: CommandId, tool: OfTool = None, as_json: Json = False) -> None:
    """Say why a rollback was decided: the rule, the numbers, the executions and their errors."""
    from rollguard.cli.show.rollbacks import show_explanation

    explaining = system().rollbacks.explained(beginning_of(command_id), tool)
    show_explanation(run(explaining, "Postgres"), as_json)


def rollback(
    tool: Tool,
    version: Version,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    by: By = None,
    as_json: Json = False,
) -> None:
    """Make any version of the tool's history current, and wait for the outcome."""
    from rollguard.cli.show.rollbacks import show_outcome

    of, name, by = system(), version_name_of(version), name_of(by)
    target = run(of.versions.id_of(tool, name), "Postgres")
    command_id = uuid4()
    outcome = run(
        of.rollbacks.roll_back(tool, target, reason, by, command_id),
        f"the outcome of the command {command_id}, from an applier",
    )
    is_done, number = outcome.status == "applied", name.number
    if not is_done and number is None:
        number = run(of.versions.number_of(tool, target))
    show_outcome(outcome, target, number, as_json)
    raise typer.Exit(0 if is_done else 1)

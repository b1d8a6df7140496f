"""The verbs about executions: record and prune."""

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from rollguard.cli.options import Json, run, settings, time_of


def record(  # noqa: PLR0913 - one argument for each option of the verb
    tool: Annotated[str | None, typer.Argument(help="The tool's name.")] = None,
    ok: Annotated[bool, typer.Option("--ok", help="The execution succeeded.")] = False,
    error: Annotated[str | None, typer.Option(help="The execution failed with this error.")] = None,
    version_id: Annotated[
        int | None, typer.Option(help="The version that ran; by default the current one.")
    ] = None,
    duration_ms: Annotated[float | None, typer.Option(help="How long it took.")] = None,
    session_id: Annotated[str | None, typer.Option(help="The session that it ran in.")] = None,
    caller: Annotated[str | None, typer.Option(help="Who called the tool.")] = None,
    input_hash: Annotated[str | None, typer.Option(help="A hash of the call's input.")] = None,
    jsonl: Annotated[
        typer.FileBinaryRead | None,
        typer.Option(
            help="Publish the executions of a file that has one JSON object a line; - reads stdin."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Publish one execution, or a file of them."""
    from rollguard.cli.show.records import show_recorded
    from rollguard.operations import records

    if (tool is None) == (jsonl is None):
        raise typer.BadParameter("give a tool, or --jsonl FILE, and not both")
    in_force = settings()
    if jsonl is not None:
        published, bad = run(records.record_lines(in_force, jsonl))
        show_recorded(published, bad, as_json)
        raise typer.Exit(1 if bad else 0)
    if ok == (error is not None):
        raise typer.BadParameter("give either --ok or --error TEXT")
    execution = records.execution_of(
        str(tool),
        error,
        version_id=version_id,
        duration_ms=duration_ms,
        session_id=session_id,
        caller=caller,
        input_hash=input_hash,
    )
    run(records.record(in_force, execution))
    show_recorded([execution], [], as_json)


def prune(
    older_than: Annotated[
        str,
        typer.Option(
            help="Remove what was executed before this: how long ago (90s, 15m, 2h, 30d), or a "
            "time.",
            show_default=False,
        ),
    ],
    as_json: Json = False,
) -> None:
    """Remove old executions from Postgres in small batches; the metrics of versions stay."""
    from rollguard.cli.show.records import show_pruned
    from rollguard.operations.prune import Pruned
    from rollguard.operations.prune import prune as remove

    before = time_of("--older-than", older_than)
    if before > datetime.now(UTC):
        raise typer.BadParameter(f"--older-than {older_than!r}: lies in the future")
    pruned = Pruned(before)
    try:
        run(remove(settings(), pruned))
    except BaseException:
        print(f"rollguard: removed until then: {pruned.executions} executions", file=sys.stderr)
        raise
    show_pruned(pruned, as_json)

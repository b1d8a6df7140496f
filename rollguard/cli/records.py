"""The verbs about executions: record, verdict, prune and erase."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal
from uuid import UUID

import typer

from rollguard.cli.given_times import time_of
from rollguard.cli.options import WHEN, Json, direct_settings, run, system, version_name_of

if TYPE_CHECKING:
    from rollguard.operations.erase import Erasure
    from rollguard.operations.records import Recorded
    from rollguard.systems.system import System
    from schemas.execution import Execution


def record(  # noqa: PLR0913 - one argument for each option of the verb
    tool: Annotated[str | None, typer.Argument(help="The tool's name.")] = None,
    ok: Annotated[bool, typer.Option("--ok", help="The execution succeeded.")] = False,
    error: Annotated[str | None, typer.Option(help="The execution failed with this error.")] = None,
    version_id: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            help="The version that ran: its id (7), or its number (v2); by default the current "
            "one.",
        ),
    ] = None,
    origin: Annotated[
        Literal["tool", "caller", "environment"] | None,
        typer.Option(
            help="Whose failure it is. Without it, the settings say it by the error's class."
        ),
    ] = None,
    duration_ms: Annotated[float | None, typer.Option(help="How long it took.")] = None,
    cost: Annotated[float | None, typer.Option(min=0, help="What it cost, in any unit.")] = None,
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
    """Publish one execution, or those of a file as its lines come."""
    from rollguard.cli.show.records import show_recorded
    from rollguard.operations import records
    from rollguard.value_texts import version_text

    if (tool is None) == (jsonl is None):
        raise typer.BadParameter("give a tool, or --jsonl FILE, and not both")
    of = system()
    if jsonl is not None:
        done = _record_lines(of, jsonl)
        show_recorded(done, as_json)
        raise typer.Exit(1 if done.bad else 0)
    if ok == (error is not None):
        raise typer.BadParameter("give either --ok or --error TEXT")
    if ok and origin is not None:
        raise typer.BadParameter("--origin says whose failure it is: give it with --error")
    ran = version = None
    if version_id is not None:
        name = version_name_of(version_id)
        ran = run(of.versions.id_of(str(tool), name), "Postgres")
        version = version_text(name.number, ran)
    execution = records.execution_of(
        str(tool),
        error,
        version_id=ran,
        error_origin=origin,
        duration_ms=duration_ms,
        cost=cost,
        session_id=session_id,
        caller=caller,
        input_hash=input_hash,
    )
    run(_record_one(of, execution), f"Kafka to acknowledge {execution.execution_id}")
    show_recorded(records.Recorded([execution.execution_id]), as_json, version)


def verdict(
    tool: Annotated[str, typer.Argument(help="The tool's name.")],
    execution_id: Annotated[UUID, typer.Argument(help="The execution that is judged.")],
    bad: Annotated[
        bool | None, typer.Option("--bad/--good", help="Whether its result was wrong.")
    ] = None,
    why: Annotated[str | None, typer.Option(help="The reason, in words.")] = None,
    by: Annotated[str | None, typer.Option(help="Who says so; by default you.")] = None,
    version_id: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            help="The version that ran: its id (7), or its number (v2); by default the one that "
            "Postgres has for the execution.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say that the result of an execution that succeeded was bad, or that it was good."""
    from rollguard.cli.show.records import show_verdict
    from rollguard.systems.system import NewVerdict

    if bad is None:
        raise typer.BadParameter("give either --bad or --good")
    version = None if version_id is None else version_name_of(version_id)
    judging = system().executions.judge(tool, NewVerdict(execution_id, bad, by, why), version)
    show_verdict(run(judging, f"Kafka to acknowledge the verdict on {execution_id}"), as_json)


async def _record_one(of: "System", execution: "Execution") -> None:
    """Publish one execution. Rejected if it is not taken."""
    from schemas.errors import Rejected

    async with of.executions.publishing() as publish:
        for refused in await publish([execution]):
            raise Rejected(refused.error)


def _record_lines(of: "System", file: BinaryIO) -> "Recorded":
    """Publish the lines of the file; what is wrong with bad ones is said as soon as they come."""
    from rollguard.cli.process.incoming_lines import incoming_lines
    from rollguard.cli.show.records import show_bad_line
    from rollguard.operations.records import Recorded, record_lines
    from rollguard.printing import print_note

    done = Recorded()

    async def record_all() -> None:
        async with of.executions.publishing() as publish:
            async for bad in record_lines(publish, incoming_lines(file), done):
                for line in bad:
                    show_bad_line(line)

    try:
        run(record_all())
    except BaseException:
        print_note(f"published until then: {len(done.published)} executions")
        raise
    return done


def prune(
    older_than: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help=f"Remove what was executed before this: {WHEN}.",
            show_default=False,
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before.")] = False,
    as_json: Json = False,
) -> None:
    """Remove old executions from Postgres in small batches; the metrics of versions stay.

    What would be removed is shown on stderr first, and removed only after a yes.
    """
    from rollguard.cli.show.records import show_pruned, show_to_prune
    from rollguard.operations import prune as pruning
    from rollguard.printing import print_note

    before = time_of("--older-than", older_than)
    if before > datetime.now(UTC):
        raise typer.BadParameter(f"--older-than {older_than!r}: lies in the future")
    in_force = direct_settings("prune")
    if not yes:
        show_to_prune(run(pruning.to_prune(in_force, before), "Postgres to count them"))
        _require_yes("Remove them?", "nothing was removed")
    pruned = pruning.Pruned(before)
    try:
        run(pruning.prune(in_force, pruned))
    except BaseException:
        print_note(f"removed until then: {pruned.executions} executions")
        raise
    show_pruned(pruned, as_json)


def erase(
    session: Annotated[
        str | None, typer.Option(help="Of all executions of this session.", show_default=False)
    ] = None,
    caller: Annotated[
        str | None, typer.Option(help="Of all executions of this caller.", show_default=False)
    ] = None,
    execution: Annotated[
        str | None,
        typer.Option(
            metavar="EXECUTION_ID", help="Of the execution with this id.", show_default=False
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before.")] = False,
    as_json: Json = False,
) -> None:
    """Erase errors, sessions, callers and hashes of inputs from Postgres; the metrics stay.

    Of an error only the class of the exception stays, and of a later verdict neither who gave it
    nor why. What Kafka still keeps, and until when, is said at the end: nobody can remove single
    records there.
    """
    from rollguard.cli.show.records import show_erased
    from rollguard.operations import erase as erasing
    from rollguard.printing import print_note

    erasure = _erasure_of(session, caller, execution)
    in_force = direct_settings("erase")
    if not yes:
        print_note(f"erases the errors and identities of the {erasure.whose} {erasure.value!r}")
        _require_yes("Erase them?", "nothing was erased")
    try:
        run(erasing.erase(in_force, erasure), "Postgres")
    except BaseException:
        print_note(f"erased until then: {erasure.executions} executions")
        raise
    show_erased(erasure, run(erasing.kafka_keeps(in_force), "Kafka"), as_json)


def _erasure_of(session: str | None, caller: str | None, execution: str | None) -> "Erasure":
    from rollguard.operations.erase import Erasure
    from schemas.fields import uuid_of

    if [session, caller, execution].count(None) != 2:
        raise typer.BadParameter("give one of --session, --caller and --execution")
    if session is not None:
        return Erasure("session", session)
    if caller is not None:
        return Erasure("caller", caller)
    execution_id = uuid_of(str(execution))
    if execution_id is None:
        raise typer.BadParameter(f"{execution!r} is not the id of an execution")
    return Erasure("execution", str(execution_id))


def _require_yes(question: str, otherwise: str) -> None:
    """Ask whether to go on. Exit 1 after any other answer than yes, 2 if nobody can be asked."""
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"{otherwise}, because nobody can be asked: give --yes")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        from rollguard.printing import print_note

        print_note(otherwise)
        raise typer.Exit(1)

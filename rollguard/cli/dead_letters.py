"""The verbs about bad records: dead-letters and replay."""

from typing import TYPE_CHECKING, Annotated

import typer

from rollguard.cli.given_times import optional_time_of
from rollguard.cli.options import WHEN, Json, Limit, run, system

if TYPE_CHECKING:
    from rollguard.operations.dead_letters.bad_records import DeadLetterFilter

OfTopic = Annotated[str | None, typer.Option("--topic", help="Only of this topic.")]
OfKey = Annotated[str | None, typer.Option("--tool", help="Only with this tool as the key.")]
OfError = Annotated[str | None, typer.Option("--error", help="Only with this text in the error.")]
OfCause = Annotated[
    str | None, typer.Option("--cause", help="Only with this cause, as `--causes` prints it.")
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help=f"Only rejected since then: {WHEN}."),
]


def dead_letters(
    record_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Show all of this record.")
    ] = None,
    topic: OfTopic = None,
    tool: OfKey = None,
    error: OfError = None,
    cause: OfCause = None,
    since: Since = None,
    causes: Annotated[
        bool, typer.Option("--causes", help="List the causes, and how many records each has.")
    ] = False,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List bad records and why they were rejected, the last rejected first; or show one of them."""
    from rollguard.cli.show.dead_letters import show_causes, show_dead_letter, show_dead_letters

    if causes and record_id is not None:
        raise typer.BadParameter("give an ID or --causes, and not both")
    wanted = _filter_of(record_id, topic, tool, error, cause, since)
    letters = system().dead_letters
    if wanted.position is not None:
        show_dead_letter(run(letters.in_full(wanted.position)), as_json)
    elif causes:
        show_causes(run(letters.causes(wanted)), as_json)
    else:
        show_dead_letters(run(letters.matching(wanted, limit)), as_json)


def replay(
    record_id: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="The record's id, as `dead-letters` prints it."),
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Replay all that were not replayed yet.")
    ] = False,
    topic: OfTopic = None,
    tool: OfKey = None,
    error: OfError = None,
    cause: OfCause = None,
    since: Since = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Also publish records that would be rejected again, or that a later change "
            "overtook; but none a second time.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Publish bad records again to the topics they came from, after you removed the cause."""
    from rollguard.cli.show.dead_letters import show_replays
    from rollguard.operations.dead_letters.replay import Replays

    if (record_id is None) != all_:
        raise typer.BadParameter("give an ID or --all, and not both")
    wanted = _filter_of(record_id, topic, tool, error, cause, since)
    done = Replays()
    try:
        run(system().dead_letters.replay(wanted, done, force=force), "Kafka and Postgres")
    except BaseException:
        if done.replayed:  # these were published, whatever failed later
            show_replays(done, as_json)
        raise
    show_replays(done, as_json)
    raise typer.Exit(1 if done.refused else 0)


def _filter_of(
    record_id: str | None,
    topic: str | None,
    tool: str | None,
    error: str | None,
    cause: str | None,
    since: str | None,
) -> "DeadLetterFilter":
    """Return the filter that these options describe."""
    from rollguard.operations.dead_letters.bad_records import DeadLetterFilter, parse_position

    if record_id is None:
        begin = optional_time_of("--since", since)
        return DeadLetterFilter(None, topic, tool, error, begin, cause)
    if any(each is not None for each in (topic, tool, error, cause, since)):
        raise typer.BadParameter("give an ID or options that select, and not both")
    try:
        return DeadLetterFilter(parse_position(record_id))
    except ValueError:
        raise typer.BadParameter(f"{record_id!r} is not TOPIC:PARTITION:OFFSET") from None

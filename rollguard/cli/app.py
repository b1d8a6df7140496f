"""The command line: ``rollguard VERB``. Exit 0 done, 1 refused or failed, 2 wrong usage."""

import asyncio
import getpass
import io
import logging
import re
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args
from uuid import UUID

import typer
from pydantic import ValidationError

from policy.breaking.finding import Kind
from rollguard.cli.missing_extra import missing_extra
from schemas.deployment import AcceptedBreak
from schemas.errors import RollguardError
from schemas.fields import parse_time
from schemas.message import explain as explain_wrong
from schemas.settings import Settings, load_settings

if TYPE_CHECKING:
    from policy.backtest.requested_policy import RequestedPolicy
    from rollguard.operations.dead_letters import DeadLetterFilter

T = TypeVar("T")

MAX_LIMIT = 2**31 - 1

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Watches every execution of every tool version, and rolls a broken version back.",
)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Tool = Annotated[str, typer.Argument(help="The tool's name.", show_default=False)]


def main() -> None:
    """Run the command line; never a traceback for what a person can mend."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what matters is raised as well
    try:
        app()
    except RollguardError as error:
        print(f"rollguard: {error}", file=sys.stderr)
        sys.exit(1)
    except ModuleNotFoundError as error:
        text = missing_extra(error, sys.argv[1:])
        if text is None:
            raise
        print(f"rollguard: {text}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _run(call: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(call)


@app.command()
def demo() -> None:
    """Run real tools on an embedded stack, break some, and watch Rollguard put them right."""
    from rollguard.demo.demo import run_demo

    raise typer.Exit(run_demo())


@app.command()
def up() -> None:
    """Run the whole stack embedded, until Ctrl-C."""
    from rollguard.embedded.local import run_up

    raise typer.Exit(run_up(load_settings()))


@app.command()
def worker(role: Literal["detector", "applier", "recorder"]) -> None:
    """Run one role against the configured Kafka and Postgres, until SIGTERM or Ctrl-C."""
    from agents.worker.process import run_worker

    raise typer.Exit(run_worker(role, load_settings()))


@app.command()
def migrate() -> None:
    """Create or update the schema in Postgres."""
    from rollguard.operations.setup import migrate_database

    for name in _run(migrate_database(load_settings())):
        print(f"applied {name}")


@app.command()
def topics(
    republish: Annotated[
        bool,
        typer.Option(
            "--republish",
            help="Then publish the current version of every tool from Postgres: for topics that "
            "were lost or are new.",
        ),
    ] = False,
) -> None:
    """Create the topics that are not there yet."""
    from rollguard.operations.republish import republish_versions
    from rollguard.operations.setup import create_missing_topics

    settings = load_settings()
    for name in _run(create_missing_topics(settings)):
        print(f"created {name}")
    if republish:
        print(f"published {_run(republish_versions(settings))} versions")


@app.command()
def deploy(
    tool: Tool,
    file: Annotated[typer.FileBinaryRead, typer.Argument(help="The code; - reads stdin.")],
    by: Annotated[Literal["human", "autonomous"], typer.Option(help="Who made it.")] = "human",
    type_: Annotated[str, typer.Option("--type", help="What kind of change.")] = "initial",
    reason: Annotated[str | None, typer.Option(help="Why.")] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT=REASON",
            help="A breaking change that is meant: a kind (parameter_removed) or an object "
            "(execute), and why. May be repeated.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Deploy code as the tool's version, wait for it, and print it."""
    from rollguard.cli import show
    from rollguard.operations import writes

    try:
        code = file.read().decode()
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{file.name} is not UTF-8: {error}") from None
    accepted = [_accepted(each) for each in accept or ()]
    deployed = _run(writes.deploy(load_settings(), tool, code, by, type_, reason, accepted))
    show.version(deployed, as_json)


def _accepted(text: str) -> AcceptedBreak:
    what, is_given, reason = text.partition("=")
    if not what or not is_given:
        raise typer.BadParameter(f"--accept {text!r}: give WHAT=REASON")
    try:
        if what in get_args(Kind):
            return AcceptedBreak(kind=what, reason=reason)
        return AcceptedBreak(object=what, reason=reason)
    except ValidationError as error:
        raise typer.BadParameter(f"--accept {text[:50]!r}: {explain_wrong(error)}") from None


@app.command()
def record(
    tool: Annotated[str | None, typer.Argument(help="The tool's name.")] = None,
    ok: Annotated[bool, typer.Option("--ok", help="It succeeded.")] = False,
    error: Annotated[str | None, typer.Option(help="It failed with this error.")] = None,
    version_id: Annotated[
        int | None, typer.Option(help="Of this version; else the current.")
    ] = None,
    duration_ms: Annotated[float | None, typer.Option(help="How long it took.")] = None,
    session_id: Annotated[str | None, typer.Option(help="In which session.")] = None,
    caller: Annotated[str | None, typer.Option(help="Who called it.")] = None,
    input_hash: Annotated[
        str | None, typer.Option(help="A hash of what it was called with.")
    ] = None,
    jsonl: Annotated[
        typer.FileBinaryRead | None,
        typer.Option(help="Executions from a file, one JSON object a line; - reads stdin."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Publish one execution, or a file of them."""
    from rollguard.cli import show
    from rollguard.operations import writes

    if (tool is None) == (jsonl is None):
        raise typer.BadParameter("give a tool, or --jsonl FILE, and not both")
    settings = load_settings()
    if jsonl is not None:
        published, bad = _run(writes.record_lines(settings, jsonl))
        show.recorded(published, bad, as_json)
        raise typer.Exit(1 if bad else 0)
    if ok == (error is not None):
        raise typer.BadParameter("give either --ok or --error TEXT")
    execution = writes.execution_of(
        str(tool),
        error,
        version_id=version_id,
        duration_ms=duration_ms,
        session_id=session_id,
        caller=caller,
        input_hash=input_hash,
    )
    _run(writes.record(settings, execution))
    show.recorded([execution], [], as_json)


@app.command()
def current(tool: Tool, as_json: Json = False) -> None:
    """Show the version that is current now."""
    from rollguard.cli import show
    from rollguard.operations import reads

    show.version(_run(reads.current(load_settings(), tool)), as_json)


@app.command()
def history(
    tool: Tool,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_LIMIT, help="How many versions at the most.")
    ] = 50,
    as_json: Json = False,
) -> None:
    """List the versions of a tool, the newest first."""
    from rollguard.cli import show
    from rollguard.operations import reads

    show.history(_run(reads.history_of(load_settings(), tool, limit)), as_json)


@app.command("show")
def show_version(tool: Tool, version_id: int, as_json: Json = False) -> None:
    """Show one version, code included."""
    from rollguard.cli import show
    from rollguard.operations import reads

    found = _run(reads.version_of(load_settings(), tool, version_id))
    show.version(found, as_json, in_full=True)


@app.command()
def compare(tool: Tool, from_id: int, to_id: int, as_json: Json = False) -> None:
    """Compare two versions: how each did, what breaks between them, and the diff of their code."""
    from rollguard.cli.show_comparison import comparison
    from rollguard.management.tool_version_manager import ToolVersionManager

    async def compared() -> dict[str, Any]:
        async with ToolVersionManager(load_settings()) as manager:
            return await manager.compare_versions(tool, from_id, to_id)

    comparison(_run(compared()), as_json)


@app.command()
def rollbacks(
    tool: Annotated[str | None, typer.Option(help="Of this tool alone.")] = None,
    since: Annotated[
        str | None,
        typer.Option(help="A time (2026-01-31T12:00:00Z), or how long ago: 90s, 15m, 2h, 7d."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="How many at the most.")] = 50,
    as_json: Json = False,
) -> None:
    """List the rollbacks of all tools, carried out or not, the newest first."""
    from rollguard.cli import show_rollbacks
    from rollguard.operations import reads

    begin = None if since is None else _time("--since", since)
    found = _run(reads.rollbacks_of(load_settings(), tool, begin, limit))
    show_rollbacks.rollbacks(found, as_json)


@app.command()
def explain(
    command_id: Annotated[UUID, typer.Argument(help="As `rollbacks` prints it.")],
    as_json: Json = False,
) -> None:
    """Say why a rollback was decided: the rule, the numbers, the executions and their errors."""
    from rollguard.cli import show_rollbacks
    from rollguard.operations import reads

    show_rollbacks.explanation(_run(reads.explanation_of(load_settings(), command_id)), as_json)


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _duration(text: str) -> timedelta | None:
    """How long 90s, 15m, 2h or 7d is; None for any other text."""
    if not re.fullmatch(r"\d{1,9}[smhd]", text, re.ASCII):
        return None
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


def _time(option: str, text: str) -> datetime:
    """A time, or one that is so long ago."""
    ago = _duration(text)
    if ago is not None:
        try:
            return datetime.now(UTC) - ago
        except OverflowError:
            return datetime(1970, 1, 1, tzinfo=UTC)
    try:
        return parse_time(text)
    except ValueError as error:
        raise typer.BadParameter(f"{option} {text!r}: {error}") from None


@app.command()
def rollback(
    tool: Tool,
    version_id: int,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    as_json: Json = False,
) -> None:
    """Make any version in history current, and wait for the outcome."""
    from rollguard.cli import show
    from rollguard.operations import writes

    outcome = _run(writes.roll_back(load_settings(), tool, version_id, reason))
    show.outcome(outcome, as_json)
    raise typer.Exit(0 if outcome.status == "applied" else 1)


CommandId = Annotated[UUID, typer.Argument(help="As `holds` prints it.", show_default=False)]
By = Annotated[str | None, typer.Option(help="Who says so; else your login name.")]


def _name(by: str | None) -> str:
    if by is not None:
        return by
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        raise typer.BadParameter("there is no login name here: give --by NAME") from None


@app.command()
def holds(
    tool: Annotated[str | None, typer.Option(help="Of this tool alone.")] = None,
    as_json: Json = False,
) -> None:
    """List the rollbacks that wait for a person, the newest first."""
    from rollguard.cli import show_holds
    from rollguard.operations.holds import waiting

    show_holds.holds(_run(waiting(load_settings(), tool)), as_json)


@app.command()
def approve(command_id: CommandId, by: By = None, as_json: Json = False) -> None:
    """Carry out a rollback that waits for a person, and wait for the outcome."""
    from rollguard.cli import show_holds
    from rollguard.operations import holds

    outcome = _run(holds.approve(load_settings(), command_id, _name(by)))
    raise typer.Exit(0 if show_holds.approval(outcome, as_json) else 1)


@app.command()
def dismiss(
    command_id: CommandId,
    reason: Annotated[str, typer.Option(help="Why not.", show_default=False)],
    by: By = None,
    as_json: Json = False,
) -> None:
    """Reject a rollback that waits for a person, and wait for the outcome."""
    from rollguard.cli import show_holds
    from rollguard.operations import holds

    outcome = _run(holds.dismiss(load_settings(), command_id, reason, _name(by)))
    raise typer.Exit(0 if show_holds.dismissal(outcome, as_json) else 1)


@app.command()
def pin(
    tool: Tool,
    reason: Annotated[str | None, typer.Option(help="Why; without it, show the pin.")] = None,
    for_: Annotated[
        str | None, typer.Option("--for", help="For so long: 90s, 15m, 2h, 7d.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Until a time (2026-01-31T12:00:00Z).")] = None,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Let no machine roll the tool back, until it is unpinned or for a while; a person can."""
    from rollguard.cli import show_pins
    from rollguard.operations import pins

    if reason is None:
        if (for_, until, by) != (None, None, None):
            raise typer.BadParameter("give --reason TEXT")
        show_pins.pinned(_run(pins.pin_of(load_settings(), tool)), as_json)
        return
    end = _pinned_until(for_, until)
    pinned = _run(pins.pin(load_settings(), tool, reason, _name(by), end))
    show_pins.pinned(pinned, as_json)


def _pinned_until(for_: str | None, until: str | None) -> datetime | None:
    now = datetime.now(UTC)
    if for_ is not None and until is not None:
        raise typer.BadParameter("give --for or --until, and not both")
    if for_ is not None:
        duration = _duration(for_)
        if not duration:
            raise typer.BadParameter(f"--for {for_!r}: give 90s, 15m, 2h or 7d")
        try:
            return now + duration
        except OverflowError:
            raise typer.BadParameter(f"--for {for_!r}: ends behind the year 9999") from None
    if until is None:
        return None
    end = _time("--until", until)
    if end <= now:
        raise typer.BadParameter(f"--until {until!r}: is over")
    return end


@app.command()
def unpin(tool: Tool, as_json: Json = False) -> None:
    """Let the tool be rolled back by machine again."""
    from rollguard.cli import show_pins
    from rollguard.operations import pins

    show_pins.unpinned(_run(pins.unpin(load_settings(), tool)), as_json)


@app.command()
def check(tool: Tool, as_json: Json = False) -> None:
    """Say what the rules say now, from the stream's table."""
    from rollguard.cli import show
    from rollguard.operations import reads

    show.check(_run(reads.health(load_settings(), tool)), as_json)


@app.command()
def health(tool: Tool, as_json: Json = False) -> None:
    """Show the windows of a tool's current version, from the stream's table."""
    from rollguard.cli import show
    from rollguard.operations import reads

    show.health(_run(reads.health(load_settings(), tool)), as_json)


@app.command()
def prune(
    older_than: Annotated[
        str, typer.Option(help="How long ago (90s, 15m, 2h, 30d), or a time.", show_default=False)
    ],
    as_json: Json = False,
) -> None:
    """Remove executions that are older from Postgres, in small batches; metrics stay."""
    from rollguard.cli import show
    from rollguard.operations.prune import Pruned
    from rollguard.operations.prune import prune as remove

    before = _time("--older-than", older_than)
    if before > datetime.now(UTC):
        raise typer.BadParameter(f"--older-than {older_than!r}: lies in the future")
    pruned = Pruned(before)
    try:
        _run(remove(load_settings(), pruned))
    except BaseException:
        print(f"rollguard: removed until then: {pruned.executions} executions", file=sys.stderr)
        raise
    show.pruned(pruned, as_json)


@app.command()
def backtest(
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:SETTING=VALUE,…]",
            help="A policy, with settings of its own: guarded:alpha=0.001,tolerated_drop=0.05. May "
            "be repeated; without it, seed and guarded.",
            show_default=False,
        ),
    ] = None,
    topic: Annotated[
        bool, typer.Option("--topic", help="Read the topic tool-executions, not Postgres.")
    ] = False,
    jsonl: Annotated[
        typer.FileBinaryRead | None,
        typer.Option(help="Read a file, as the topic has it, one JSON object a line; - is stdin."),
    ] = None,
    tool: Annotated[list[str] | None, typer.Option(help="Of this tool alone; repeatable.")] = None,
    since: Annotated[
        str | None, typer.Option(help="From a time on, or from so long ago: 90s, 15m, 2h, 7d.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="To a time, or to so long ago.")] = None,
    as_json: Json = False,
) -> None:
    """Say what policies would have done to the executions that were recorded, side by side."""
    from rollguard.backtest_sources import run as over
    from rollguard.backtest_sources.source import BacktestFilter
    from rollguard.cli import show_backtest

    if topic and jsonl is not None:
        raise typer.BadParameter("give --topic or --jsonl, and not both")
    begin = None if since is None else _time("--since", since)
    end = None if until is None else _time("--until", until)
    if begin is not None and end is not None and begin > end:
        raise typer.BadParameter("--since is later than --until")
    wanted = BacktestFilter(frozenset(tool) if tool else None, begin, end)
    settings = load_settings()
    policies = _policies(settings, policy or ["seed", "guarded"])
    if jsonl is not None:
        done = _run(over.of_lines(settings, policies, wanted, jsonl))
    elif topic:
        done = _run(over.of_topic(settings, policies, wanted))
    else:
        done = _run(over.of_postgres(settings, policies, wanted))
    show_backtest.backtest(done, as_json)
    raise typer.Exit(1 if jsonl is not None and done.bad else 0)


def _policies(settings: Settings, texts: list[str]) -> "list[RequestedPolicy]":
    from policy.backtest.requested_policy import RequestedPolicy

    policies = []
    for text in texts:
        if texts.count(text) > 1:
            raise typer.BadParameter(f"--policy {text!r} is given twice")
        try:
            policies.append(RequestedPolicy.parse(text, settings))
        except ValueError as error:
            raise typer.BadParameter(f"--policy {text!r}: {error}") from None
    return policies


OfTopic = Annotated[str | None, typer.Option("--topic", help="Of this topic alone.")]
OfTool = Annotated[str | None, typer.Option("--tool", help="With this tool as the key.")]
OfError = Annotated[str | None, typer.Option("--error", help="With this in the cause.")]
Since = Annotated[
    str | None,
    typer.Option("--since", help="Rejected since a time, or so long ago: 90s, 15m, 2h, 7d."),
]


@app.command("dead-letters")
def dead_letters(
    record_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Show this one whole.")
    ] = None,
    topic: OfTopic = None,
    tool: OfTool = None,
    error: OfError = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="How many at the most.")] = 50,
    as_json: Json = False,
) -> None:
    """List the bad records with what was wrong, the last rejected first; or show one whole."""
    from rollguard.cli import show_dead_letters
    from rollguard.operations.dead_letters import listed, whole

    wanted = _wanted(record_id, topic, tool, error, since)
    settings = load_settings()
    if wanted.place is not None:
        show_dead_letters.dead_letter(_run(whole(settings, wanted.place)), as_json)
    else:
        show_dead_letters.dead_letters(_run(listed(settings, wanted, limit)), as_json)


@app.command()
def replay(
    record_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="As `dead-letters` prints it.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="All that were not replayed yet.")] = False,
    topic: OfTopic = None,
    tool: OfTool = None,
    error: OfError = None,
    since: Since = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Also what would be rejected again, or was overtaken; none twice."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Publish bad records again, into the topics they came from, after the cause was mended."""
    from rollguard.cli import show_dead_letters
    from rollguard.operations.replay import Replays, replay_wanted

    if (record_id is None) != all_:
        raise typer.BadParameter("give an ID or --all, and not both")
    wanted = _wanted(record_id, topic, tool, error, since)
    done = Replays()
    try:
        _run(replay_wanted(load_settings(), wanted, done, force=force))
    except BaseException:
        if done.replayed:  # what is done is done
            show_dead_letters.replays(done, as_json)
        raise
    show_dead_letters.replays(done, as_json)
    raise typer.Exit(1 if done.refused else 0)


def _wanted(
    record_id: str | None,
    topic: str | None,
    tool: str | None,
    error: str | None,
    since: str | None,
) -> "DeadLetterFilter":
    from rollguard.operations.dead_letters import DeadLetterFilter, parse_place

    if record_id is None:
        begin = None if since is None else _time("--since", since)
        return DeadLetterFilter(None, topic, tool, error, begin)
    if (topic, tool, error, since) != (None, None, None, None):
        raise typer.BadParameter("give an ID or options that select, and not both")
    try:
        return DeadLetterFilter(parse_place(record_id))
    except ValueError:
        raise typer.BadParameter(f"{record_id!r} is not TOPIC:PARTITION:OFFSET") from None

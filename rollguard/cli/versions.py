"""The verbs about versions: deploy, current, history, show, compare."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from rollguard.cli.options import Json, Limit, Tool, run, settings

if TYPE_CHECKING:
    from schemas.deployment import AcceptedBreak


def deploy(
    tool: Tool,
    file: Annotated[typer.FileBinaryRead, typer.Argument(help="The code; - reads stdin.")],
    by: Annotated[
        Literal["human", "autonomous"], typer.Option(help="Who made the version.")
    ] = "human",
    type_: Annotated[str, typer.Option("--type", help="What kind of change it is.")] = "initial",
    reason: Annotated[str | None, typer.Option(help="Why it was made.")] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT=REASON",
            help="A breaking change that you intend: its kind (parameter_removed) or the object "
            "that it changes (execute), and why. May be repeated.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Deploy code as the tool's new version, wait until it is current, and print it."""
    from rollguard.cli.show.versions import show_version
    from rollguard.operations import versions

    try:
        code = file.read().decode()
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{file.name} is not UTF-8: {error}") from None
    accepted = [_accepted_break(each) for each in accept or ()]
    deployed = run(versions.deploy(settings(), tool, code, by, type_, reason, accepted))
    show_version(deployed, as_json)


def _accepted_break(text: str) -> "AcceptedBreak":
    """Return the accepted break that ``WHAT=REASON`` names."""
    from pydantic import ValidationError

    from policy.breaking.finding import Kind
    from schemas.deployment import AcceptedBreak
    from schemas.message import explain

    what, is_given, reason = text.partition("=")
    if not what or not is_given:
        raise typer.BadParameter(f"--accept {text!r}: give WHAT=REASON")
    try:
        if what in get_args(Kind):
            return AcceptedBreak(kind=what, reason=reason)
        return AcceptedBreak(object=what, reason=reason)
    except ValidationError as error:
        raise typer.BadParameter(f"--accept {text[:50]!r}: {explain(error)}") from None


def current(tool: Tool, as_json: Json = False) -> None:
    """Show the version that is current now."""
    from rollguard.cli.show.versions import show_version
    from rollguard.operations.versions import current_of

    show_version(run(current_of(settings(), tool)), as_json)


def history(tool: Tool, limit: Limit = 50, as_json: Json = False) -> None:
    """List the versions of a tool, the newest first."""
    from rollguard.cli.show.versions import show_history
    from rollguard.operations.versions import history_of

    show_history(run(history_of(settings(), tool, limit)), as_json)


def show(tool: Tool, version_id: int, as_json: Json = False) -> None:
    """Show one version with its code."""
    from rollguard.cli.show.versions import show_version
    from rollguard.operations.versions import version_of

    found = run(version_of(settings(), tool, version_id))
    show_version(found, as_json, in_full=True)


def compare(tool: Tool, from_id: int, to_id: int, as_json: Json = False) -> None:
    """Compare two versions: their success rates, what breaks for callers, and the code's diff."""
    from rollguard.cli.show.comparison import show_comparison
    from rollguard.management.tool_version_manager import ToolVersionManager

    async def compared() -> dict[str, Any]:
        async with ToolVersionManager(settings()) as manager:
            return await manager.compare_versions(tool, from_id, to_id)

    show_comparison(run(compared()), as_json)

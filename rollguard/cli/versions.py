"""The verbs about versions: deploy, current, history, show, compare."""

from typing import TYPE_CHECKING, Annotated, Final, Literal, get_args
from uuid import uuid4

import typer

from rollguard.cli.options import (
    Json,
    Limit,
    Tool,
    Version,
    run,
    system,
    version_name_of,
)

if TYPE_CHECKING:
    from schemas.deployment import AcceptedBreak, Check

FROM_OR_TO: Final = "A version: its number (v2), or its id (7)."


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
    check: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=RESULT",
            help="A check that was made of the code: NAME=ok, NAME=failed, or 'NAME=failed: "
            "DETAIL'. May be repeated.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Deploy code as the tool's new version, wait until it is current, and print it."""
    from rollguard.cli.show.versions import show_version
    from rollguard.systems.system import NewVersion

    try:
        code = file.read().decode("utf-8-sig")  # as Python reads a file
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{file.name} is not UTF-8: {error}") from None
    accepted = [_accepted_break(each) for each in accept or ()]
    checks = [_check(each) for each in check or ()]
    deployment_id = uuid4()
    deployed = run(
        system().versions.deploy(
            tool, NewVersion(code, by, type_, reason, accepted, checks), deployment_id
        ),
        f"the outcome of the deployment {deployment_id}, from an applier",
    )
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


def _check(text: str) -> "Check":
    """Return the check that ``NAME=RESULT`` names."""
    from pydantic import ValidationError

    from schemas.deployment import Check
    from schemas.message import explain

    name, is_given, said = text.partition("=")
    result, _, detail = (part.strip() for part in said.partition(":"))
    if not is_given or result not in ("ok", "failed"):
        raise typer.BadParameter(f"--check {text[:50]!r}: give NAME=ok or NAME=failed")
    try:
        return Check(name=name, ok=result == "ok", detail=detail or None)
    except ValidationError as error:
        raise typer.BadParameter(f"--check {text[:50]!r}: {explain(error)}") from None


def current(tool: Tool, as_json: Json = False) -> None:
    """Show the version that is current now."""
    from rollguard.cli.show.versions import show_version

    show_version(run(system().versions.current(tool)), as_json)


def history(tool: Tool, limit: Limit = 50, as_json: Json = False) -> None:
    """List the versions of a tool, and its deployments that were held, the newest first."""
    from rollguard.cli.show.versions import show_history

    show_history(run(system().versions.history(tool, limit)), as_json)


def show(tool: Tool, version: Version, as_json: Json = False) -> None:
    """Show one version with its code."""
    from rollguard.cli.show.versions import show_version

    found = run(system().versions.named(tool, version_name_of(version)))
    show_version(found, as_json, in_full=True)


def compare(
    tool: Tool,
    from_: Annotated[str, typer.Argument(metavar="FROM", help=FROM_OR_TO, show_default=False)],
    to: Annotated[str, typer.Argument(metavar="TO", help=FROM_OR_TO, show_default=False)],
    as_json: Json = False,
) -> None:
    """Compare two versions: their success rates, what breaks for callers, and the code's diff."""
    from rollguard.cli.show.comparison import show_comparison

    before, after = (version_name_of(each) for each in (from_, to))
    show_comparison(run(system().versions.compare(tool, before, after)), as_json)

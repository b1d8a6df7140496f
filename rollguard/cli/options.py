"""Arguments and options that several verbs share."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from rollguard.cli.process.waiting import run
from rollguard.login_name import login_name

if TYPE_CHECKING:
    from rollguard.operations.versions import VersionName
    from rollguard.operations.waiting import HeldKey
    from rollguard.systems.system import System
    from schemas.settings import Settings

__all__ = [
    "By",
    "CommandId",
    "HeldId",
    "Json",
    "Limit",
    "OfTool",
    "Tool",
    "Version",
    "beginning_of",
    "direct_settings",
    "held_named",
    "name_of",
    "run",
    "settings",
    "system",
    "version_name_of",
]

MAX_LIMIT: Final = 2**31 - 1
WHEN: Final = (
    "a duration before now (90s, 15m, 2h, 7d), a time of day (03:00), a day (2026-01-31), or both "
    "(2026-01-31T03:00:00Z; without an offset it is local time)"
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Tool = Annotated[str, typer.Argument(help="The tool's name.", show_default=False)]
OfTool = Annotated[str | None, typer.Option("--tool", help="Only of this tool.")]
By = Annotated[str | None, typer.Option(help="Your name; by default your login name.")]
Version = Annotated[
    str,
    typer.Argument(
        metavar="VERSION", help="A version: its number (v2), or its id (7).", show_default=False
    ),
]
HeldId = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="The id of the rollback or of the deployment, as `holds` prints it, or its beginning.",
        show_default=False,
    ),
]
CommandId = Annotated[
    str,
    typer.Argument(
        metavar="COMMAND_ID",
        help="The command's id, as `rollbacks` prints it, or its beginning.",
        show_default=False,
    ),
]
Limit = Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="List at most this many.")]


def settings() -> "Settings":
    """Return the settings in force. Misconfigured names every variable that is wrong."""
    from schemas.settings import load_settings

    return load_settings()


def system() -> "System":
    """Return the system of the settings in force."""
    from rollguard.systems.reached import system_of

    return system_of(settings())


def direct_settings(verb: str) -> "Settings":
    """Return the settings for a verb that works on Kafka and Postgres themselves.

    Misconfigured if the command line works through a console.
    """
    found = settings()
    if found.url is not None:
        from schemas.errors import Misconfigured

        raise Misconfigured(
            f"`rollguard {verb}` needs Kafka or Postgres itself, and does not work through a "
            "console: unset ROLLGUARD_URL"
        )
    return found


def name_of(by: str | None) -> str:
    """Return the name that was given, or else the login name."""
    name = by or login_name()
    if name is None:
        raise typer.BadParameter("there is no login name here: give --by NAME")
    return name


def version_name_of(text: str) -> "VersionName":
    """Return the version that a person names: ``v2`` by its number, ``7`` by its id."""
    from rollguard.operations.versions import VersionName

    try:
        return VersionName.of(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def held_named(of: "System", text: str, tool: str | None) -> "HeldKey":
    """Return the rollback or the held deployment that a person names by its id, or its beginning.

    With ``tool`` only those of this tool count. Rejected if there is none, or more than one.
    """
    return run(of.holds.named(beginning_of(text), tool), "Postgres")


def beginning_of(text: str) -> str:
    """Return the digits with which an id begins."""
    from rollguard.operations.rollbacks import id_beginning

    try:
        return id_beginning(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not the beginning of a command's id") from None

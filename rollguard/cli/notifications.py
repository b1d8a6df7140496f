"""The verb about notifications: notify."""

from typing import Annotated

import typer

from rollguard.cli.options import Json, run, settings


def notify(
    receiver: Annotated[
        str | None,
        typer.Argument(help="The name of one receiver; by default all.", show_default=False),
    ] = None,
    test: Annotated[
        bool, typer.Option("--test", help="Send a test message, and say what came back.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List who is told of rollbacks, refused deployments and outages, or send a test message."""
    from rollguard.cli.show.notifications import show_receivers, show_tested
    from rollguard.operations.notifications import shown_receivers, tested_receivers

    if not test:
        show_receivers(shown_receivers(settings(), receiver), as_json)
        return
    tested = run(tested_receivers(settings(), receiver), "the receivers")
    show_tested(tested, as_json)
    if not all(each.delivered for each in tested):
        raise typer.Exit(1)

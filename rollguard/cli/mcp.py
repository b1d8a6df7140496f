"""The verb mcp: tools for agents."""

import sys
from collections.abc import AsyncIterator
from typing import Annotated

import typer

from rollguard.cli.options import By, name_of, run, settings
from rollguard.cli.process.incoming_lines import incoming_lines


def mcp(
    allow_changes: Annotated[
        bool,
        typer.Option(
            "--allow-changes",
            help="Let agents roll back and pin, in your name. They never approve or dismiss.",
        ),
    ] = False,
    by: By = None,
) -> None:
    """Serve agents over stdin and stdout, by the Model Context Protocol.

    Agents read what Rollguard knows, and deploy as machines (autonomous).
    """
    if by is not None and not allow_changes:
        raise typer.BadParameter("--by names who answers for changes: give --allow-changes too")
    from rollguard.mcp.server import serve

    run(serve(settings(), name_of(by) if allow_changes else None, _lines()))


async def _lines() -> AsyncIterator[str]:
    """Yield the lines of stdin. Ctrl-C ends this, also while no line comes."""
    async for lines in incoming_lines(sys.stdin.buffer):
        for line in filter(None, lines):
            yield line.decode(errors="replace")

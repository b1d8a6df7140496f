"""The command line: ``rollguard VERB``. Exit 0: done; 1: refused or failed; 2: wrong usage.

A verb imports what it needs when it runs, so that ``rollguard --help`` answers at once.
"""

import logging
import sys
from collections.abc import Callable
from typing import Annotated, Final

import typer

from rollguard.cli import (
    backtest,
    config,
    dead_letters,
    health,
    holds,
    keys,
    mcp,
    notifications,
    overview,
    records,
    rollbacks,
    stack,
    stops,
    versions,
)
from rollguard.cli.process.exit_code import PROGRAM, exit_code_of

VERBS: Final[dict[str, Callable[..., None]]] = {
    "demo": stack.demo,
    "up": stack.up,
    "worker": stack.worker,
    "console": stack.console,
    "migrate": stack.migrate,
    "topics": stack.topics,
    "config": config.config,
    "tools": overview.tools,
    "engines": overview.engines,
    "status": overview.status,
    "deploy": versions.deploy,
    "record": records.record,
    "verdict": records.verdict,
    "current": versions.current,
    "history": versions.history,
    "show": versions.show,
    "compare": versions.compare,
    "rollbacks": rollbacks.rollbacks,
    "explain": rollbacks.explain,
    "rollback": rollbacks.rollback,
    "holds": holds.holds,
    "approve": holds.approve,
    "dismiss": holds.dismiss,
    "pin": stops.pin,
    "unpin": stops.unpin,
    "pins": overview.pins,
    "freeze": stops.freeze,
    "unfreeze": stops.unfreeze,
    "resume": stops.resume,
    "reject": stops.reject,
    "stops": stops.stops,
    "check": health.check,
    "health": health.health,
    "prune": records.prune,
    "erase": records.erase,
    "backtest": backtest.backtest,
    "notify": notifications.notify,
    "dead-letters": dead_letters.dead_letters,
    "replay": dead_letters.replay,
    "mcp": mcp.mcp,
}
"""The verbs in the order in which ``rollguard --help`` lists them; ``keys`` comes last."""

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
for _name, _verb in VERBS.items():
    app.command(_name)(_verb)
app.add_typer(keys.app, name="keys")


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version

        print(f"rollguard {version('rollguard')}")
        raise typer.Exit


@app.callback()
def _rollguard(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Watch every execution of every tool version, and roll a broken version back."""


def main() -> None:
    """Run the command line. An error that a person can fix is one line on stderr, no traceback."""
    sys.exit(exit_code_of(_run_app, sys.argv[1:]))


def _run_app() -> int:
    # whatever it logs and that matters is raised as an error as well
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    code = app(prog_name=PROGRAM, standalone_mode=False)
    return code if isinstance(code, int) else 0

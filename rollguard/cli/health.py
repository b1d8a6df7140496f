"""The verbs that ask the detector: check and health."""

import sys
from typing import Any

from rollguard.cli.options import Json, Tool, run, settings


def check(tool: Tool, as_json: Json = False) -> None:
    """Say whether a rule demands a rollback of the tool now."""
    from rollguard.cli.show.health import show_check

    show_check(_health_of(tool), as_json)


def health(tool: Tool, as_json: Json = False) -> None:
    """Show the windows that the rules judge: the newest executions of the current version."""
    from rollguard.cli.show.health import show_health

    show_health(_health_of(tool), as_json)


def _health_of(tool: str) -> dict[str, Any]:
    """Ask the detector. Without Kafka, say that it may be another system's, and go on."""
    from rollguard.operations.health import health_of

    return run(health_of(settings(), tool, lambda text: print(text, file=sys.stderr)))

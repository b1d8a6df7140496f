"""The verbs that ask the detector: check and health."""

from rollguard.cli.options import Json, Tool, run, settings


def check(tool: Tool, as_json: Json = False) -> None:
    """Say whether a rule demands a rollback of the tool now."""
    from rollguard.cli.show.health import show_check
    from rollguard.operations.health import health_of

    show_check(run(health_of(settings(), tool)), as_json)


def health(tool: Tool, as_json: Json = False) -> None:
    """Show the windows that the rules judge: the newest executions of the current version."""
    from rollguard.cli.show.health import show_health
    from rollguard.operations.health import health_of

    show_health(run(health_of(settings(), tool)), as_json)

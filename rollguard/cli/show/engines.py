"""The output of ``engines``."""

from collections.abc import Sequence

from rollguard.operations.overview.engines import EngineOfTool
from rollguard.printing import data_of, print_json, print_table
from rollguard.value_texts import stale_text, version_text


def show_engines(found: Sequence[EngineOfTool], as_json: bool) -> None:
    """Print a line for each engine and tool."""
    if as_json:
        print_json([data_of(engine) for engine in found])
        return
    print_table(
        ("tool", "engine", "state", "runs", "current", "stale executions", "heard at", "error"),
        (
            (
                engine.tool_name,
                engine.engine_id,
                engine.state,
                version_text(engine.version_number, engine.version_id),
                version_text(engine.current_version_number, engine.current_version_id),
                stale_text(engine.stale_executions, engine.current_version_number),
                engine.heard_at,
                engine.error or engine.error_type,
            )
            for engine in found
        ),
    )

"""Which version an engine runs: what it says and what it does, compared with what is current."""

from datetime import datetime
from typing import Literal, NamedTuple

EngineState = Literal["current", "stale", "failed", "unknown"]


class Reported(NamedTuple):
    """What an engine has said last of a tool."""

    activation: int
    ok: bool
    """Whether the version could be loaded."""
    loaded_at: datetime


class Executed(NamedTuple):
    """What an engine has executed last, among the executions that name a version."""

    version_id: int
    activation: int
    """The activation of the tool at the position of that execution in the log."""
    began_at: datetime


def state_of(
    current_version_id: int,
    activation: int,
    reported: Reported | None,
    executed: Executed | None,
) -> EngineState:
    """Return whether an engine runs the current version of a tool.

    `failed`: it says that it could not load it. `stale`: it runs another version. `unknown`: it
    has said nothing, and has executed nothing since the activation.

    What it did counts if it began after what it said: a call that ran while the version was
    swapped ends in the version in which it began. Both times are the engine's own.
    """
    if reported is not None and reported.activation == activation and not reported.ok:
        return "failed"
    if (
        executed is not None
        and executed.activation == activation
        and (reported is None or executed.began_at > reported.loaded_at)
    ):
        return "current" if executed.version_id == current_version_id else "stale"
    if reported is None:
        return "unknown"
    return "current" if reported.activation == activation else "stale"

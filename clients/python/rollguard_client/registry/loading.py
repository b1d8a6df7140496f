"""How the code of a version becomes a tool, and what is in use then."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from rollguard_client.messages.deployment import ToolVersion

Call = Callable[..., Any]


class Loader(Protocol):
    """How an engine turns the code of a version into something that it can call.

    ``load`` runs in a thread of its own. What it raises is the fault of the version: each call of
    the tool then fails with it, so that the version is rolled back. If there is a method
    ``unload``, it is called with what was loaded, after the next version has come into use; calls
    of the old one may still run.
    """

    def load(self, version: ToolVersion) -> Call:
        """Return what is called."""


@dataclass(frozen=True)
class LoadedTool:
    """A current version in use. ``error`` says why it cannot be loaded; ``call`` then raises it."""

    version: ToolVersion
    call: Call
    """Publishes an execution of this version, and does what the version does."""
    error: BaseException | None
    tool: Call | None
    """What the loader has returned."""
    why: str
    """What made the version current: ``deployment <id>`` or ``rollback <id>``."""

"""A tool for agents: its arguments, and the work that it does."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from mcp.types import Tool, ToolAnnotations

from rollguard.mcp.arguments import Arguments
from rollguard.systems.reached import system_of
from rollguard.systems.system import System
from schemas.settings import Settings

Effect = Literal["reads", "adds", "changes"]
"""``adds``: what was there stays as it was. ``changes``: something else holds afterwards."""


@dataclass
class Request:
    """One call of a tool by an agent, and what is to be said beside its answer."""

    settings: Settings
    by: str
    """The person in whose name changes are made, and that an agent makes them."""
    notes: list[str] = field(default_factory=list)
    has_failed: bool = False

    @cached_property
    def system(self) -> System:
        """The system of the settings, reached directly or through a console."""
        return system_of(self.settings)

    def note(self, text: str) -> None:
        """Add a line to the answer."""
        self.notes.append(text)

    def fail(self, text: str) -> None:
        """Say that what was asked for was not done, and why."""
        self.has_failed = True
        self.note(text)


@dataclass(frozen=True)
class AgentTool:
    """One tool. ``work`` returns the document that the command line prints with ``--json``."""

    name: str
    arguments: type[Arguments]
    work: Callable[[Request, Any], Awaitable[Any]]
    effect: Effect = "reads"

    def described(self) -> Tool:
        """Return what a client is told of the tool."""
        return Tool(
            name=self.name,
            description=self.arguments.__doc__,
            input_schema=self.arguments.model_json_schema(),
            annotations=ToolAnnotations(
                read_only_hint=self.effect == "reads",
                destructive_hint=self.effect == "changes",
                open_world_hint=False,
            ),
        )

"""The demo's live view: the tools as they run, and what happened last.

If stdout is not a terminal, it prints plain lines.
"""

import time
from collections import deque
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from examples.engine.runs import Run
from rollguard.value_texts import percent, version_text
from rollguard_client import ToolVersion
from schemas.printable import printable

LINES = 12


class _Tool:
    """The line of a tool: its version, and the runs of that version."""

    def __init__(self, version: ToolVersion) -> None:
        self.version = version
        self.runs = self.successes = 0
        self.last = ""


class LiveView:
    """A table that is redrawn while the demo runs: ``with LiveView(console) as view``."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._tools: dict[str, _Tool] = {}
        self._said: deque[Text] = deque(maxlen=LINES)
        self._live = Live(
            console=console, get_renderable=self._render, refresh_per_second=8, transient=True
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, text: str, good: bool = False) -> None:
        """Show a line of text below the table."""
        line = Text(f"{time.monotonic() - self._started:5.1f} s  {printable(text)}")
        if good:
            line.stylize("green")
        self._said.append(line)
        if not self._console.is_terminal:
            self._console.print(line)

    def loaded(self, version: ToolVersion) -> None:
        """Show that the engine runs this version from now on."""
        self._tools[version.tool_name] = _Tool(version)
        if version.activation > 1:
            named = version_text(version.version_number, version.version_id)
            self.say(f"{version.tool_name}: the engine runs {named}")

    def ran(self, run: Run) -> None:
        """Count a run of the engine."""
        tool = self._tools.get(run.version.tool_name)
        if tool is None or tool.version.activation != run.version.activation:
            return
        tool.runs += 1
        tool.successes += run.execution.success
        tool.last = printable((run.execution.error or "ok").splitlines()[-1][:60])

    def _render(self) -> RenderableType:
        table = Table(title="The engine")
        for column in ("tool", "version", "runs", "success", "last run"):
            table.add_column(column, no_wrap=True)
        for name, tool in self._tools.items():
            table.add_row(
                Text(printable(name)),
                str(tool.version.version_number),
                str(tool.runs),
                percent(tool.successes / tool.runs if tool.runs else None),
                Text(tool.last, style="" if tool.last == "ok" else "red"),
            )
        return Group(table, *self._said)

"""The executions of spans, as records that are to be published."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from agents.bridge.bridge_report import BridgeReport
from agents.bridge.traces import Traces
from agents.bridge.version_history import VersionHistory
from rollguard_client.errors import Rejected
from rollguard_client.spans.execution_of import (
    execution_of,
    start_us_of,
    stated_version_of,
    tool_name_of,
)
from rollguard_client.spans.span import Span
from rollguard_client.spans.tool_spans import SpanRules, passed_over
from rollguard_client.traces.context import TraceContext, headers_of
from streams.driver.outbox import Outgoing

Work = Callable[[], Awaitable[None]]

_AT_ONCE: Final = 100
"""After so many spans of tools others have their turn."""


class Executions(NamedTuple):
    """What is to be published of a message, and what is wrong with the rest of it."""

    outgoing: list[Outgoing]
    rejected: int
    """How many spans of tools were refused."""
    reason: str
    """Why the first of them was."""

    @property
    def error(self) -> str | None:
        """One sentence about the spans that were refused; None if none was."""
        if not self.rejected:
            return None
        number = self.rejected + len(self.outgoing)
        return f"{self.rejected} of {number} spans of tools: {self.reason}"


def once(work: Work) -> Work:
    """Return a function that does the work when it is called first, and then never again."""
    is_done = False

    async def do_once() -> None:
        nonlocal is_done
        if not is_done:
            await work()
            is_done = True

    return do_once


class SpanExecutions:
    """Makes executions of the spans of tools."""

    def __init__(
        self,
        topic: str,
        rules: SpanRules,
        history: VersionHistory,
        report: BridgeReport,
    ) -> None:
        self._topic = topic
        self._rules = rules
        self._history = history
        self._report = report

    async def of(self, traces: Traces, catch_up: Work) -> Executions:
        """Return the executions of a message, in the order of its spans.

        ``catch_up`` is awaited before a version is looked up: it returns when the history of
        versions is complete.
        """
        outgoing: list[Outgoing] = []
        rejected, reason, seen = 0, "", 0
        for seen, span in enumerate(traces.tool_spans, 1):
            if seen % _AT_ONCE == 0:
                await asyncio.sleep(0)
            passed = passed_over(span, self._rules)
            if passed is not None:
                self._report.count_spans(passed)
                continue
            try:
                outgoing.append(await self._outgoing(span, catch_up))
            except Rejected as error:
                rejected, reason = rejected + 1, reason or str(error)
        self._report.count_spans("no_tool", traces.spans - seen)
        self._report.count_spans("execution", len(outgoing))
        self._report.count_spans("rejected", rejected)
        return Executions(outgoing, rejected, reason)

    async def _outgoing(self, span: Span, catch_up: Work) -> Outgoing:
        """Return the record of an execution. Raises Rejected."""
        tool_name = tool_name_of(span, self._rules)
        version_id, source = stated_version_of(span, tool_name), "span"
        if version_id is None:
            await catch_up()
            version_id, source = self._history.at(tool_name, start_us_of(span)), "activations"
        execution = execution_of(span, tool_name, version_id, self._rules)
        self._report.count_version("none" if version_id is None else source)
        trace = TraceContext(int(span.trace_id, 16), int(span.span_id, 16))
        return Outgoing(
            self._topic, tool_name.encode(), execution.to_bytes(), headers=headers_of(trace)
        )

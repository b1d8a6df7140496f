"""Which spans are executions of a tool, each call of a tool once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from policy.spans.span import CLIENT, SERVER, Span

MARKERS: Final[Mapping[str, str]] = {
    "gen_ai.operation.name": "execute_tool",
    "openinference.span.kind": "TOOL",
    "traceloop.span.kind": "tool",
}
"""The attributes that mark the span of a tool: OpenTelemetry's, OpenInference's, Traceloop's."""

McpSpans = Literal["skip", "client", "server"]
PassedOver = Literal["mcp", "validation"]


@dataclass(frozen=True)
class SpanRules:
    """What an operator may decide about the spans of tools."""

    mcp: McpSpans = "skip"
    """Which spans of MCP count besides those of frameworks. One call of a tool may have a span of
    the framework, one of the client and one of the server; it must count once."""
    names: Mapping[str, str] = field(default_factory=dict)
    """The name of a tool, by the name that its spans give."""
    caller: str | None = None
    """The attribute of a span that says who called the tool."""


def passed_over(span: Span, rules: SpanRules) -> PassedOver | None:
    """Return why the span of a tool is no execution; None if it is one.

    ``mcp`` if another span tells of the same call. ``validation`` if the arguments of the model
    were wrong, so that the tool was never called.
    """
    if span.kind == SERVER and rules.mcp != "server":
        return "mcp"
    if span.kind == CLIENT and rules.mcp != "client" and "mcp.method.name" in span.attributes:
        return "mcp"
    if span.attributes.get("pydantic_ai.tool.failure_stage") == "validation":
        return "validation"
    return None

"""Which spans are executions of a tool, each call of a tool once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from rollguard_client.spans.span import CLIENT, SERVER, Attributes, Span, text_of

MARKERS: Final[Mapping[str, str]] = {
    "gen_ai.operation.name": "execute_tool",
    "openinference.span.kind": "TOOL",
    "traceloop.span.kind": "tool",
}
"""The attributes that mark the span of a tool: OpenTelemetry's, OpenInference's, Traceloop's."""
NAMES: Final = ("gen_ai.tool.name", "tool.name", "traceloop.entity.name")
"""The attributes that may have the name of the tool."""
DECORATED: Final = "rollguard.tool_name"
"""The tool whose call within the span the decorator of ``rollguard-client`` publishes."""
VERSION: Final = "rollguard.version_id"
"""The version that has run."""
PROCESSED: Final = "rollguard.span_processor"
"""True on all spans of a program whose ``RollguardSpanProcessor`` publishes those of tools."""

McpSpans = Literal["skip", "client", "server"]
PassedOver = Literal["mcp", "validation", "published"]


@dataclass(frozen=True)
class SpanRules:
    """What may be decided about the spans of tools."""

    mcp: McpSpans = "skip"
    """Which spans of MCP count besides those of frameworks. One call of a tool may have a span of
    the framework, one of the client and one of the server; it must count once."""
    names: Mapping[str, str] = field(default_factory=dict)
    """The name of a tool, by the name that its spans give."""
    caller: str | None = None
    """The attribute of a span that says who called the tool."""
    is_processor: bool = False
    """Whether it is the processor that asks, which publishes the spans that have its mark."""


def is_of_tool(attributes: Attributes) -> bool:
    """Return whether these are attributes of the span of a tool."""
    return any(attributes.get(name) == value for name, value in MARKERS.items())


def passed_over(span: Span, rules: SpanRules) -> PassedOver | None:
    """Return why the span of a tool is no execution; None if it is one.

    ``mcp`` if another span tells of the same call. ``validation`` if the arguments of the model
    were wrong, so that the tool was never called. ``published`` if the program that made the span
    publishes the execution itself.
    """
    attributes = span.attributes
    if span.kind == SERVER and rules.mcp != "server":
        return "mcp"
    if span.kind == CLIENT and rules.mcp != "client" and "mcp.method.name" in attributes:
        return "mcp"
    if attributes.get("pydantic_ai.tool.failure_stage") == "validation":
        return "validation"
    if attributes.get(PROCESSED) is True and not rules.is_processor:
        return "published"
    if _is_decorated(attributes, rules):
        return "published"
    return None


def _is_decorated(attributes: Attributes, rules: SpanRules) -> bool:
    """Return whether the decorator publishes the call of this tool, and not of an inner one."""
    name, decorated = text_of(attributes, NAMES), attributes.get(DECORATED)
    return name is not None and decorated in (name, rules.names.get(name, name))

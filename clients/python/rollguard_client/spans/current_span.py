"""What the decorator says on the span of OpenTelemetry in which a call runs.

A framework makes a span of each call of a tool, and the decorator publishes the call in it. So it
says that on the span: who makes executions of spans passes over this one. And both would give the
execution the same id.
"""

import sys
from typing import Any, NamedTuple

from rollguard_client.spans.span import text_of
from rollguard_client.spans.tool_spans import DECORATED, NAMES, VERSION


class SpanOfCall(NamedTuple):
    """The span in which a call runs."""

    context: Any
    """Its ``SpanContext``."""
    is_of_call: bool
    """Whether it is taken for this call alone."""


def claim(tool_name: str, version_id: int | None) -> SpanOfCall | None:
    """Say on the current span that the call of this tool in it is published, and which version ran.

    Returns None if there is no span that is recorded. The span is not that of the call if it is
    that of another tool, or if an outer call or an earlier one has taken it.
    """
    api: Any = sys.modules["opentelemetry.trace"]
    span = api.get_current_span()
    if not span.is_recording():
        return None
    context = span.get_span_context()
    given: Any = getattr(span, "attributes", None) or {}
    if given.get(DECORATED) is not None or text_of(given, NAMES) not in (None, tool_name):
        return SpanOfCall(context, is_of_call=False)
    span.set_attribute(DECORATED, tool_name)
    if version_id is not None:
        span.set_attribute(VERSION, version_id)
    return SpanOfCall(context, is_of_call=True)

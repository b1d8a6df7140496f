"""``RollguardSpanProcessor``: it publishes the executions that spans tell of, where they end."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, get_args

from rollguard_client.errors import Misconfigured, Rejected
from rollguard_client.guard import Rollguard
from rollguard_client.spans.activations import Activations
from rollguard_client.spans.execution_of import (
    execution_of,
    start_us_of,
    stated_version_of,
    tool_name_of,
)
from rollguard_client.spans.sdk_span import span_of
from rollguard_client.spans.tool_spans import (
    PROCESSED,
    McpSpans,
    SpanRules,
    is_of_tool,
    passed_over,
)
from rollguard_client.traces.current import trace_context_of

try:
    from opentelemetry.sdk.trace import SpanProcessor
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "RollguardSpanProcessor needs the SDK of OpenTelemetry: "
        "pip install 'rollguard-client[opentelemetry]'"
    ) from error

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

log = logging.getLogger("rollguard_client")

_KEEPS_ALL: Final = ("AlwaysOnSampler", "ParentBased{root:AlwaysOnSampler")
"""How the samplers describe themselves that drop no trace which begins here."""


class RollguardSpanProcessor(SpanProcessor):
    """Makes an execution of each span of a tool, and publishes it: no Collector, no bridge.

    ``provider.add_span_processor(RollguardSpanProcessor(guard))``, once, and before the processors
    that export. Which spans are those of tools, and what becomes of them, is the bridge's table.
    Spans of tools that have a decorator are passed over, because that publishes their calls. A
    bridge passes over all spans of this program. Nothing here waits or raises.

    Args:
        guard: The client that publishes: the one whose decorators the program uses, if it uses
            any. By default one of its own, with the settings of the environment.
        mcp: Which spans of MCP count besides those of frameworks: ``skip``, ``client`` or
            ``server``.
        names: The name of a tool, by the name that its spans give.
        caller: The attribute of a span that says who called the tool.

    Raises:
        Misconfigured: An argument is wrong.
    """

    def __init__(
        self,
        guard: Rollguard | None = None,
        *,
        mcp: McpSpans = "skip",
        names: Mapping[str, str] | None = None,
        caller: str | None = None,
    ) -> None:
        if mcp not in get_args(McpSpans):
            raise Misconfigured(f"mcp: {mcp!r} is none of {', '.join(get_args(McpSpans))}")
        self._is_own = guard is None
        self._guard = Rollguard() if guard is None else guard
        self._rules = SpanRules(mcp, dict(names or {}), caller, is_processor=True)
        self._activations = Activations(self._guard.settings, self._guard._requester)
        self._said: set[str] = set()

    def on_start(self, span: "Span", parent_context: "Context | None" = None) -> None:
        """Mark the span, so that no bridge counts it again."""
        try:
            span.set_attribute(PROCESSED, True)
            self._activations.start()
            self._look_at_sampler(span)
        except Exception:
            self._log_first("a span could not be marked", with_traceback=True)

    def on_end(self, span: "ReadableSpan") -> None:
        """Publish the execution, if it is the span of a tool."""
        try:
            if is_of_tool(span.attributes or {}):
                self._publish(span)
        except Exception:
            self._log_first("a span could not be read", with_traceback=True)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until Kafka has all executions; return whether it has."""
        return self._guard.flush(timeout_millis / 1000)

    def shutdown(self) -> None:
        """Send what waits. A client that was given goes on; its owner closes it."""
        if self._is_own:
            self._guard.close()
        else:
            self._guard.flush()

    def _publish(self, given: "ReadableSpan") -> None:
        span, rules = span_of(given), self._rules
        if passed_over(span, rules) is not None:
            return
        context = given.get_span_context()
        if context is not None and not context.trace_flags.sampled:
            self._log_first(
                "the sampler only records spans of tools: they are counted here, and are not "
                "exported"
            )
        try:
            tool_name = tool_name_of(span, rules)
            if tool_name in self._guard.tool_names:
                return  # some frameworks do not make their span the current one
            version_id = stated_version_of(span, tool_name)
            if version_id is None:
                version_id = self._activations.at(tool_name, start_us_of(span))
            execution = execution_of(span, tool_name, version_id, rules)
            self._guard._publisher.publish(execution, trace_context_of(context))
        except Rejected as error:
            self._log_first(f"spans of tools are no executions, for example: {error}")

    def _look_at_sampler(self, span: "Span") -> None:
        """Warn once if spans are sampled away, because calls are missing then."""
        if "sampler" in self._said:
            return
        self._said.add("sampler")
        sampler: Any = getattr(span, "_sampler", None)
        text = "" if sampler is None else str(sampler.get_description())
        if text and not text.startswith(_KEEPS_ALL):
            log.warning(
                "the sampler %s may drop spans of tools: such calls are not counted. Sample after "
                "the program, in the Collector",
                text,
            )

    def _log_first(self, text: str, *, with_traceback: bool = False) -> None:
        """Log the first fault of a kind."""
        kind = text.partition(":")[0]
        if kind not in self._said:
            self._said.add(kind)
            log.warning("%s", text, exc_info=with_traceback)

"""Sending spans by OTLP over HTTP, in a thread of its own: nothing here waits, and nothing raises.

At most 2,048 spans wait, or as many as ``OTEL_BSP_MAX_QUEUE_SIZE`` says; then the oldest go.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from agents.traces.span import Span
from rollguard_client.traces.context import TraceContext

log = structlog.get_logger()

_SCOPE: Final = InstrumentationScope("rollguard")
_CLOSE_S: Final = 2.0
_LOOK_S: Final = 0.02
_SAY_EVERY_S: Final = 60.0


class OtlpSink:
    """Takes spans, and sends them where the variables ``OTEL_EXPORTER_OTLP_…`` say."""

    def __init__(self, role: str) -> None:
        # What fails is said by us, once a minute, and not for each batch and each attempt.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        exporter = OTLPSpanExporter()
        self.endpoint: str = exporter._endpoint
        self._processor = BatchSpanProcessor(_Saying(exporter))
        self._resource = _resource(f"rollguard-{role}")

    def take(self, span: Span) -> None:
        """Send a span later."""
        try:
            self._processor.on_end(_readable(span, self._resource))
        except Exception:
            log.exception("span_lost", span=span.name)

    async def close(self) -> None:
        """Send what waits, and give up after a short time."""
        ending = threading.Thread(target=self._processor.shutdown, daemon=True)
        ending.start()
        deadline = time.monotonic() + _CLOSE_S
        while ending.is_alive() and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_S)


class _Saying(SpanExporter):
    """Sends spans by another exporter, and says once a minute that it cannot."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._lost = 0
        self._said_at = -_SAY_EVERY_S

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send the spans; what cannot be sent is lost."""
        cause = "the receiver did not take them"
        try:
            result = self._exporter.export(spans)
        except Exception as error:
            result, cause = SpanExportResult.FAILURE, repr(error)
        if result is not SpanExportResult.SUCCESS:
            self._say(len(spans), cause)
        return result

    def shutdown(self) -> None:
        """Give up what is being sent."""
        self._exporter.shutdown()

    def _say(self, spans: int, cause: str) -> None:
        self._lost += spans
        now = time.monotonic()
        if now - self._said_at >= _SAY_EVERY_S:
            self._said_at = now
            log.warning("spans_not_sent", spans=self._lost, cause=cause)
            self._lost = 0


def _resource(name: str) -> Resource:
    """Return what the environment says of this service; its name is ours if none is given."""
    resource = Resource.create()
    given = str(resource.attributes.get("service.name", ""))
    is_named = bool(given) and not given.startswith("unknown_service")
    return resource if is_named else resource.merge(Resource({"service.name": name}))


def _readable(span: Span, resource: Resource) -> ReadableSpan:
    is_remote = span.kind == "consumer"
    status = Status() if span.error is None else Status(StatusCode.ERROR, span.error)
    return ReadableSpan(
        name=span.name,
        context=_span_context(span.context, is_remote=False),
        parent=None if span.parent is None else _span_context(span.parent, is_remote=is_remote),
        resource=resource,
        attributes=dict[str, Any](span.attributes),
        kind=SpanKind[span.kind.upper()],
        status=status,
        start_time=span.start_ns,
        end_time=span.end_ns,
        instrumentation_scope=_SCOPE,
    )


def _span_context(context: TraceContext, *, is_remote: bool) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if context.is_sampled else TraceFlags.DEFAULT)
    state = TraceState.from_header([context.state]) if context.state else None
    return SpanContext(context.trace_id, context.span_id, is_remote, flags, state)

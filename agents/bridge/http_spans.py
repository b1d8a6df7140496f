"""``POST /v1/traces``: OTLP over HTTP, in protobuf or JSON, packed with gzip or not.

The answer 200 means that Kafka has all executions. If they cannot be published now, the answer is
503, and an exporter sends the same spans again later: each counts once.
"""

import asyncio
from typing import Final, NamedTuple

import structlog
from aiohttp import web

from agents.bridge.bridge_report import BridgeReport
from agents.bridge.json_traces import read_json
from agents.bridge.protobuf_traces import partial_success, read_protobuf, status
from agents.bridge.span_executions import Executions, SpanExecutions, once
from agents.bridge.version_history import VersionHistory
from schemas.errors import Rejected, RollguardError
from schemas.message import MAX_RECORD_BYTES
from streams.driver.outbox import Outbox

log = structlog.get_logger()

_AT_ONCE: Final = 8
"""So many requests are answered at the same time; others are told to come again."""
_ANSWER_S: Final = 10.0
"""How long Kafka may take. It is the time for which exporters wait by default."""
_BODY_S: Final = 10.0
"""How long a sender may take to send a request."""
_PROTOBUF: Final = "application/x-protobuf"
_JSON: Final = "application/json"
_PUBLISHED_AT_ONCE: Final = 1_000


class Served(NamedTuple):
    """The parts that the endpoint needs, from the time when the bridge runs."""

    executions: SpanExecutions
    history: VersionHistory
    outbox: Outbox
    report: BridgeReport


class HttpSpans:
    """Takes spans from exporters and from the OpenTelemetry Collector."""

    def __init__(self) -> None:
        self._served: Served | None = None
        self._requests = 0
        self._reading = asyncio.Lock()
        """One message at a time, because a small one may hold many spans."""

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoint."""
        return [web.post("/v1/traces", self._take)]

    def serve(self, served: Served) -> None:
        """From now on, answer."""
        self._served = served

    async def _take(self, request: web.Request) -> web.Response:
        if request.content_type not in (_PROTOBUF, _JSON):
            return _refused(request, 415, f"the Content-Type must be {_PROTOBUF} or {_JSON}")
        if self._served is None:
            return _refused(request, 503, "the bridge starts")
        if self._requests >= _AT_ONCE:
            return _refused(request, 503, f"{_AT_ONCE} requests are being answered")
        self._requests += 1
        try:
            return await self._answer(request, self._served)
        finally:
            self._requests -= 1

    async def _answer(self, request: web.Request, served: Served) -> web.Response:
        try:
            async with asyncio.timeout(_BODY_S):
                body = await request.read()
        except TimeoutError:
            return _refused(request, 408, f"the request was not there within {_BODY_S:g} s")
        except web.HTTPRequestEntityTooLarge:
            return _refused(request, 413, f"unpacked, it has more than {MAX_RECORD_BYTES} bytes")
        except web.RequestPayloadError as error:
            return self._unreadable(request, served, f"it cannot be unpacked: {error}")
        try:
            async with asyncio.timeout(_ANSWER_S):
                async with self._reading:
                    traces = read_json(body) if _is_json(request) else read_protobuf(body)
                    executions = await served.executions.of(traces, once(served.history.catch_up))
                    del traces
                await _publish(executions, served.outbox)
        except Rejected as error:
            return self._unreadable(request, served, str(error))
        except TimeoutError:
            text = f"Kafka has not taken the executions within {_ANSWER_S:g} s"
            return _refused(request, 503, text)
        except RollguardError as error:
            log.warning("spans_refused", cause=str(error))
            return _refused(request, 503, "the executions cannot be published now")
        return _accepted(executions, _is_json(request))

    def _unreadable(self, request: web.Request, served: Served, why: str) -> web.Response:
        served.report.count_spans("unreadable")
        return _refused(request, 400, why)


async def _publish(executions: Executions, outbox: Outbox) -> None:
    outgoing = executions.outgoing
    for begin in range(0, len(outgoing), _PUBLISHED_AT_ONCE):
        await outbox.publish(outgoing[begin : begin + _PUBLISHED_AT_ONCE])


def _accepted(executions: Executions, is_json: bool) -> web.Response:
    """Say that all was taken, and which spans will never be."""
    number, error = executions.rejected, executions.error or ""
    if is_json:
        partial = {"rejectedSpans": str(number), "errorMessage": error}
        return web.json_response({"partialSuccess": partial} if number else {})
    return web.Response(body=partial_success(number, error), content_type=_PROTOBUF)


def _refused(request: web.Request, code: int, text: str) -> web.Response:
    """Answer with a `Status`, in the encoding of the request."""
    headers = {"Retry-After": "1"} if code == 503 else None
    if request.content_type == _PROTOBUF:
        body = status(text)
        return web.Response(status=code, body=body, content_type=_PROTOBUF, headers=headers)
    return web.json_response({"message": text}, status=code, headers=headers)


def _is_json(request: web.Request) -> bool:
    return request.content_type == _JSON

"""``GET /metrics`` of the console: what is asked of it, and what it does for that."""

from collections.abc import Iterable
from time import perf_counter
from typing import Final

from fastapi import Request
from fastapi.routing import iter_route_contexts
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agents.metrics.durations import OF_CALLS
from agents.metrics.exposition import exposition
from agents.metrics.postgres_metrics import PostgresMetrics
from console.events.feed import Feed
from console.services import Services

_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_OTHER_METHOD: Final = "other"
_NO_ROUTE: Final = "none"
"""The route of what was answered before a route was found: a wrong token, a path of nothing."""
_NO_STATUS: Final = "none"
"""The status of what was not answered, because whoever asked went away."""


class HttpMetrics:
    """The metrics of the requests. A route is its template, so that no path adds a label."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._templates: dict[int, str] | None = None
        self.requests: Final = Counter(
            "rollguard_http_requests",
            "requests to the console by method, template of the route, and status of the answer; "
            "the route is `none` if there is none or if the request was refused before it was "
            "found, and the status is `none` if whoever asked went away",
            labelnames=["method", "route", "status"],
            registry=registry,
        )
        self.seconds: Final = Histogram(
            "rollguard_http_request_duration_seconds",
            "time from the head of a request until the end of its answer; no streams of events",
            labelnames=["method", "route"],
            buckets=OF_CALLS,
            registry=registry,
        )

    def template_of(self, scope: Scope) -> str:
        """Return the template of the route that was found for a request."""
        if self._templates is None:  # a route knows the end of its path, and not its prefix
            contexts = iter_route_contexts(scope["app"].routes)
            self._templates = {id(each.original_route): each.path or "" for each in contexts}
        return self._templates.get(id(scope.get("route")), _NO_ROUTE)


class MeasuredRequests:
    """Counts and times every request that it hands on."""

    def __init__(self, app: ASGIApp, metrics: HttpMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, and measure its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = _MeasuredRequest(scope, send, self._metrics)
        try:
            await self._app(scope, receive, request.send)
        except Exception:
            request.failed()  # the answer 500 is given further out
            raise
        finally:
            request.ended()


class _MeasuredRequest:
    """One request, and what is known of its answer."""

    def __init__(self, scope: Scope, send: Send, metrics: HttpMetrics) -> None:
        self._scope = scope
        self._send = send
        self._metrics = metrics
        self._began = perf_counter()
        self._status: str | None = None
        self._is_stream = False

    async def send(self, message: Message) -> None:
        """Hand a part of the answer on. It is counted when it begins: a stream may never end."""
        if message["type"] == "http.response.start":
            self._is_stream = any(
                name.lower() == b"content-type" and value.startswith(b"text/event-stream")
                for name, value in message.get("headers", ())
            )
            self._count(str(message["status"]))
        await self._send(message)

    def failed(self) -> None:
        """Note that there was an error instead of an answer."""
        if self._status is None:
            self._count("500")

    def ended(self) -> None:
        """Observe how long it took."""
        if self._status is None:
            self._count(_NO_STATUS)
        if not self._is_stream:
            seconds = perf_counter() - self._began
            self._metrics.seconds.labels(self._method, self._route).observe(seconds)

    def _count(self, status: str) -> None:
        self._status = status
        self._metrics.requests.labels(self._method, self._route, status).inc()

    @property
    def _method(self) -> str:
        method: str = self._scope["method"]
        return method if method in _METHODS else _OTHER_METHOD

    @property
    def _route(self) -> str:
        return self._metrics.template_of(self._scope)


class FeedMetrics(Collector):
    """The streams of events, as they are at each request."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics."""
        listeners = GaugeMetricFamily(
            "rollguard_event_streams", "streams of events that are open at the console"
        )
        listeners.add_metric([], self._feed.listeners)
        yield listeners
        dropped = CounterMetricFamily(
            "rollguard_event_streams_dropped",
            "streams of events that the console ended because their reader was too slow",
        )
        dropped.add_metric([], self._feed.dropped)
        yield dropped


def watch_services(registry: CollectorRegistry, services: Services) -> None:
    """Show what a console does with Postgres from now on, and its streams of events."""
    services.manager.connections.watch = PostgresMetrics(registry)
    registry.register(FeedMetrics(services.feed))


async def metrics(request: Request) -> Response:
    """Show the metrics of the console."""
    registry: CollectorRegistry = request.app.state.registry
    body, content_type = exposition(registry, request.headers.get("Accept", ""))
    return Response(body, headers={"Content-Type": content_type})

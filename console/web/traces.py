"""The trace of a request: what is ordered by it belongs to the span that its headers name."""

from starlette.types import ASGIApp, Receive, Scope, Send

from rollguard_client.traces.context import trace_context_in
from rollguard_client.traces.current import within_trace


class TracesOfRequests:
    """Lets what a request publishes belong to its trace (``traceparent``)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on."""
        headers = [(name.decode("latin-1"), value) for name, value in scope.get("headers", ())]
        with within_trace(trace_context_in(headers)):
            await self._app(scope, receive, send)

"""What is done to every request: paths stay encoded, and each connection carries one request."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ENDLESS: Final = "/api/v1/events"


def has_head(path: str) -> bool:
    """Return whether HEAD is answered as GET is: its answer must have an end."""
    return path != _ENDLESS


class OneRequest:
    """Closes each connection after its answer, so that nobody keeps one without asking anything.

    HEAD is answered as GET is; the server itself leaves the body out.

    Routes are found by the path as it was sent: the name of a tool may have a slash, which is
    ``%2F`` in the path. ``console.api.parameters.ToolInPath`` decodes it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_and_close(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        path, method = scope["raw_path"].decode("latin-1"), scope["method"]
        if method == "HEAD" and has_head(path):
            method = "GET"
        await self._app({**scope, "path": path, "method": method}, receive, send_and_close)

"""A fault of ours: it is logged, and whoever asked gets an error that tells nothing of it."""

from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.pages.rendering.errors import error_answer

log = structlog.get_logger()

FAULT: Final = "a fault of the console; its log says more"


class Faults:
    """Answers with 500 if a route raises something that nobody has foreseen."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, and answer if that fails before the answer has begun."""
        has_begun = False

        async def send_noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        except Exception as error:
            if has_begun or scope["type"] != "http":
                raise
            log.error("request_failed", method=scope["method"], exc_info=error)
            await error_answer(scope, 500, FAULT)(scope, receive, send)

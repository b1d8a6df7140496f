"""``GET /healthz`` and ``GET /readyz``: status 200 or 503, and all reasons.

Whoever has no token is not told the addresses of Kafka and Postgres; the log has them.
"""

from aiohttp import web

from agents.worker.health_monitors import HealthMonitors
from agents.worker.http.access import Token
from agents.worker.http.addresses import Addresses
from agents.worker.liveness import Judgement
from schemas.settings import Settings


class HealthPages:
    """The two endpoints of one worker."""

    def __init__(self, role: str, monitors: HealthMonitors, settings: Settings) -> None:
        self._role = role
        self._token = Token(settings.web_token)
        self._addresses = Addresses(settings)
        self._monitors = monitors

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints."""
        return [web.get("/healthz", self._alive), web.get("/readyz", self._ready)]

    async def _alive(self, request: web.Request) -> web.Response:
        return self._answer(request, "alive", self._monitors.alive())

    async def _ready(self, request: web.Request) -> web.Response:
        return self._answer(request, "ready", self._monitors.ready())

    def _answer(self, request: web.Request, question: str, judgement: Judgement) -> web.Response:
        reasons = list(judgement.reasons)
        if not self._token.is_in(request):
            reasons = [self._addresses.removed_from(reason) for reason in reasons]
        body = {"role": self._role, question: judgement.holds, "reasons": reasons}
        return web.json_response(body, status=200 if judgement.holds else 503)

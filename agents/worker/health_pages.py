"""``GET /healthz`` and ``GET /readyz``: 200 or 503, and every reason."""

from aiohttp import web

from agents.worker.health_monitor import HealthMonitor
from agents.worker.liveness import Judgement

OPEN = frozenset({"/healthz", "/readyz"})
"""Asked for by what supervises a worker, which has no token."""


class HealthPages:
    """The two pages of one worker."""

    def __init__(self, role: str, monitor: HealthMonitor) -> None:
        self._role = role
        self._monitor = monitor

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/healthz", self._alive), web.get("/readyz", self._ready)]

    async def _alive(self, request: web.Request) -> web.Response:
        return self._answer("alive", self._monitor.alive())

    async def _ready(self, request: web.Request) -> web.Response:
        return self._answer("ready", self._monitor.ready())

    def _answer(self, what: str, judgement: Judgement) -> web.Response:
        body = {"role": self._role, what: judgement.holds, "reasons": list(judgement.reasons)}
        return web.json_response(body, status=200 if judgement.holds else 503)

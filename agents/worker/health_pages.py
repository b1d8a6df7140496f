"""``GET /healthz`` and ``GET /readyz``: status 200 or 503, and all reasons."""

from aiohttp import web

from agents.worker.health_monitor import HealthMonitor
from agents.worker.liveness import Judgement

OPEN = frozenset({"/healthz", "/readyz"})
"""Paths that need no token, because the supervisor of a worker has none."""


class HealthPages:
    """The two endpoints of one worker."""

    def __init__(self, role: str, monitor: HealthMonitor) -> None:
        self._role = role
        self._monitor = monitor

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints."""
        return [web.get("/healthz", self._alive), web.get("/readyz", self._ready)]

    async def _alive(self, request: web.Request) -> web.Response:
        return self._answer("alive", self._monitor.alive())

    async def _ready(self, request: web.Request) -> web.Response:
        return self._answer("ready", self._monitor.ready())

    def _answer(self, question: str, judgement: Judgement) -> web.Response:
        body = {"role": self._role, question: judgement.holds, "reasons": list(judgement.reasons)}
        return web.json_response(body, status=200 if judgement.holds else 503)

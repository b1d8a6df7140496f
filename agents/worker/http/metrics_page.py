"""``GET /metrics``: a worker's metrics, in the format that is asked for."""

from typing import Final

from aiohttp import web

from agents.metrics.exposition import exposition, registry_of
from agents.worker.http.access import Token
from schemas.settings import Settings

_PATH: Final = "/metrics"


class MetricsPage:
    """The endpoint of one worker. Its parts register their metrics in ``registry``."""

    def __init__(self, role: str, settings: Settings) -> None:
        self.registry: Final = registry_of(role)
        self._viewer = Token(settings.web_viewer_token)

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoint."""
        return [web.get(_PATH, self._metrics)]

    def is_from_viewer(self, request: web.Request) -> bool:
        """Return whether the metrics are asked for with the token that may only read.

        A Prometheus need not have the token that may change everything.
        """
        return request.path == _PATH and self._viewer.is_in(request)

    async def _metrics(self, request: web.Request) -> web.Response:
        body, content_type = exposition(self.registry, request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

"""``GET /tools/{tool}/health`` on every detector, answered by the worker that owns the tool."""

import socket
from typing import Any, Final

import aiohttp
import structlog
from aiohttp import web
from yarl import URL

from agents.health import health_of
from schemas.settings import Settings
from streams.partitions import partition_of
from streams.topics import Topics
from streams.windows import decode

log = structlog.get_logger()

_FORWARDED: Final = "X-Rollguard-Forwarded"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)


class TableQueries:
    """A small web server beside the detector's app. Start it before the app: the address that it
    listens on is what other workers are told."""

    def __init__(self, settings: Settings, partitions: int) -> None:
        self._settings = settings
        self._partitions = partitions
        self._changelog = Topics.of(settings).changelog
        self._app: Any = None
        self._table: Any = None
        self._recovered = False
        self._runner: web.AppRunner | None = None
        self._client: aiohttp.ClientSession | None = None
        self.url = ""

    async def start(self) -> None:
        """Listen. Until :meth:`serve` every query is answered with 503."""
        site_app = web.Application()
        site_app.router.add_get("/tools/{tool:(?s:.+)}/health", self._health)
        self._runner = web.AppRunner(site_app, access_log=None)
        await self._runner.setup()
        host = self._settings.web_host
        site = web.TCPSite(self._runner, host, self._settings.web_port)
        await site.start()
        port = self._runner.addresses[0][1]
        reachable = socket.gethostname() if host in ("0.0.0.0", "::") else host  # noqa: S104
        self.url = self._settings.web_url or f"http://{reachable}:{port}"
        self._client = aiohttp.ClientSession(timeout=_TIMEOUT)
        log.info("listening", url=self.url)

    def serve(self, app: Any, table: Any) -> None:
        """Answer from this app's table."""
        self._app, self._table = app, table

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _health(self, request: web.Request) -> web.Response:
        tool = request.match_info["tool"]
        if not 0 < len(tool) <= 255:
            return _error(404, f"{tool!r} is not the name of a tool")
        owner = self._owner_of(tool)
        if owner is None:
            return _error(503, "which worker owns the tool is not known yet")
        if owner != self.url.rstrip("/"):
            return await self._forward(request, owner)
        if self._app.rebalancing or self._app.in_recovery:
            return _error(503, "the worker that owns the tool is recovering its table")
        data = self._table.get(tool.encode())
        if data is None:
            return _error(404, f"{tool!r} was never activated")
        return web.json_response(health_of(decode(data), tool, self._settings.rules_of(tool)))

    def _owner_of(self, tool: str) -> str | None:
        if self._app is None:
            return None
        partition = partition_of(tool.encode(), self._partitions)
        for url, topics in self._app.assignor.tables_metadata().items():
            if partition in topics.get(self._changelog, ()):
                return str(url).rstrip("/")
        return None

    async def _forward(self, request: web.Request, owner: str) -> web.Response:
        if _FORWARDED in request.headers or self._client is None:
            return _error(503, "the tool is moving from one worker to another")
        try:
            async with self._client.get(
                URL(owner + request.raw_path, encoded=True), headers={_FORWARDED: "1"}
            ) as answer:
                return web.Response(
                    body=await answer.read(),
                    status=answer.status,
                    content_type=answer.content_type,
                )
        except (aiohttp.ClientError, TimeoutError) as error:
            return _error(503, f"the worker at {owner} does not answer: {type(error).__name__}")


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)

"""``GET /tools/{tool}/health`` on every detector, answered by the worker that owns the tool."""

from collections.abc import Mapping
from typing import Any, Final

import aiohttp
from aiohttp import web
from yarl import URL

from policy.decision.health import health_of
from policy.decision.policies import Policies
from policy.state.outage_watch import KEY, OutageWatch, decode_watch
from policy.state.row import decode
from schemas.settings import Settings
from streams.partitions import partition_of
from streams.topics import Topics

_FORWARDED: Final = "X-Rollguard-Forwarded"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)


class TableQueries:
    """Answers from the table of this worker, or asks the one that owns the tool."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._policies = Policies(settings.rules_of)
        self._changelog = Topics.of(settings).changelog
        self._partitions = 0
        self._app: Any = None
        self._table: Any = None
        self._url = ""
        self._client: aiohttp.ClientSession | None = None

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/tools/{tool:(?s:.+)}/health", self._health)]

    def serve(self, app: Any, table: Any, partitions: int, url: str) -> None:
        """Answer from this app's table; until then every query is answered with 503. ``url`` is
        what other workers were told of this one.
        """
        self._client = aiohttp.ClientSession(timeout=_TIMEOUT, headers=self._settings.web_headers())
        self._partitions, self._url = partitions, url.rstrip("/")
        self._app, self._table = app, table

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def _health(self, request: web.Request) -> web.Response:
        tool = request.match_info["tool"]
        if not 0 < len(tool) <= 255 or "\0" in tool:
            return _error(404, f"{tool!r} is not the name of a tool")
        owner = self._owner_of(tool)
        if owner is None:
            return _error(503, "which worker owns the tool is not known yet")
        if owner != self._url:
            return await self._forward(request, owner)
        if self._app.rebalancing or self._app.in_recovery:
            return _error(503, "the worker that owns the tool is recovering its table")
        key = tool.encode()
        rows = self._rows_beside(key)
        data = rows.get(key)
        if data is None:
            return _error(404, f"{tool!r} was never activated")
        watched = rows.get(KEY)
        watch = OutageWatch() if watched is None else decode_watch(watched)
        return web.json_response(
            health_of(decode(data), tool, self._policies.of(tool), watch, self._settings.outages)
        )

    def _rows_beside(self, key: bytes) -> Mapping[bytes, bytes]:
        """The rows of the tool's partition."""
        rows: Mapping[bytes, bytes] = self._table.rows_of(partition_of(key, self._partitions))
        return rows

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

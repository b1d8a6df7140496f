"""``GET /tools/{tool}/health``: a detector answers it, or forwards it to the tool's owner."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import aiohttp
from aiohttp import web
from yarl import URL

from policy.decision.health import health_of
from policy.decision.policies import Policies
from policy.state.outage_watch import KEY, OutageWatch, decode_watch
from policy.state.row import decode
from schemas.identity import Identity
from schemas.settings import Settings
from streams.driver.driver import Driver
from streams.driver.table import WindowTable
from streams.partitions import partition_of
from streams.topics import Topics

_FORWARDED: Final = "X-Rollguard-Forwarded"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)
_OWNER_UNKNOWN: Final = "which worker owns the tool is not known yet"


class TableQueries:
    """Answers from this worker's table, or asks the worker that owns the tool."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._policies = Policies(settings.rules_of)
        self._changelog = Topics.of(settings).changelog
        self._partitions = 0
        self._driver: Driver | None = None
        self._table: WindowTable | None = None
        self._url = ""
        self._client: aiohttp.ClientSession | None = None
        self._identity: Identity | None = None

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoint of the queries."""
        return [web.get("/tools/{tool:(?s:.+)}/health", self._health)]

    def serve(
        self,
        driver: Driver,
        table: WindowTable,
        partitions: int,
        url: str,
        identity: Identity,
    ) -> None:
        """Answer from this table from now on; until then every query is answered with 503.

        ``url`` is the address of this worker as other workers know it, ``identity`` who it is.
        """
        self._client = aiohttp.ClientSession(timeout=_TIMEOUT, headers=self._settings.web_headers())
        self._partitions, self._url = partitions, url.rstrip("/")
        self._identity = identity
        self._driver, self._table = driver, table

    async def stop(self) -> None:
        """Close the connections to other workers."""
        if self._client is not None:
            await self._client.close()

    async def _health(self, request: web.Request) -> web.Response:
        tool = request.match_info["tool"]
        if not 0 < len(tool) <= 255 or "\0" in tool:
            return _error(404, f"{tool!r} is not the name of a tool")
        driver, table, key = self._driver, self._table, tool.encode()
        if driver is None or table is None:
            return _error(503, _OWNER_UNKNOWN)
        partition = partition_of(key, self._partitions)
        owner = driver.owner_of(self._changelog, partition)
        if owner is None:
            return _error(503, _OWNER_UNKNOWN)
        if owner != self._url:
            return await self._forward(request, owner)
        if driver.is_rebalancing or driver.is_recovering:
            return _error(503, "the worker that owns the tool is recovering its table")
        rows = table.rows_of(partition)
        data, outages = rows.get(key), rows.get(KEY)
        if data is None:
            return _error(404, f"{tool!r} was never activated")
        watch = OutageWatch() if outages is None else decode_watch(outages)
        return web.json_response(
            health_of(decode(data), tool, self._policies.of(tool), watch, self._settings.outages)
        )

    async def _forward(self, request: web.Request, owner: str) -> web.Response:
        if _FORWARDED in request.headers or self._client is None:
            return _error(503, "the tool is moving from one worker to another")
        try:
            async with self._client.get(
                URL(owner + request.raw_path, encoded=True), headers={_FORWARDED: "1"}
            ) as answer:
                if not self._is_of_our_system(answer.headers):
                    return _error(503, f"at {owner} answers no detector of this system")
                return web.Response(
                    body=await answer.read(),
                    status=answer.status,
                    content_type=answer.content_type,
                )
        except (aiohttp.ClientError, TimeoutError) as error:
            return _error(503, f"the worker at {owner} does not answer: {type(error).__name__}")

    def _is_of_our_system(self, headers: Mapping[str, str]) -> bool:
        """Return whether a detector with our table has sent these headers."""
        theirs, ours = Identity.of_headers(headers), self._identity
        if theirs is None or ours is None:
            return False
        return theirs == replace(ours, instance=theirs.instance)


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)

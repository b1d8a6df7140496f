"""The queries of the table: ``GET /tools/{tool}/health``, ``/tools``, ``/glances``, ``/outages``.

Any detector can be asked: it asks the owners of the partitions that it does not own itself.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from agents.detector.known_states import KnownStates, watch_of
from agents.detector.other_detectors import FORWARDED, Answer, NoAnswer, OtherDetectors
from agents.detector.proof import ANSWER_HEADER, Proof
from policy.decision.glance import glance_of
from policy.decision.health import health_of, outage_of
from policy.decision.policies import Policies
from policy.state.outage_watch import KEY
from policy.state.row import decode
from schemas.settings import Settings
from streams.driver.driver import Driver
from streams.driver.table import Rows, WindowTable
from streams.partitions import partition_of
from streams.topics import Topics

_OWNER_UNKNOWN: Final = "which worker owns the tool is not known yet"
_RECOVERING: Final = "the worker that owns the tool is recovering its table"
MAX_GLANCES: Final = 100
"""So many tools can be named in one question."""
_FRESH_S: Final = 1.0
"""For how long the states of all rows are used again, so that many who ask cost as much as one."""

_Handler = Callable[[web.Request], Awaitable[web.Response]]


class Served(NamedTuple):
    """The parts that the queries need, from the time when the detector runs."""

    driver: Driver
    table: WindowTable
    partitions: int
    url: str
    """The address of this worker as other workers know it."""
    others: OtherDetectors


class TableQueries:
    """Answers from this worker's table, or asks the worker that owns the tool."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._policies = Policies(settings.rules_of)
        self._changelog = Topics.of(settings).changelog
        self._proof = Proof.of(settings.detector_token)
        self._served: Served | None = None
        self._known_states = KnownStates(self._policies, settings.outages)
        self._states: list[dict[str, Any]] = []
        self._states_at = float("-inf")
        self._reading_states = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints."""
        return [
            web.get("/tools/{tool:(?s:.+)}/health", self._proved(self._health)),
            web.get("/tools", self._proved(self._all_states)),
            web.get("/glances", self._proved(self._some_glances)),
            web.get("/outages", self._proved(self._all_outages)),
        ]

    def is_from_detector(self, request: web.Request) -> bool:
        """Return whether another detector of this system asks, which needs no other token."""
        if self._served is None or self._proof is None:
            return False
        authorization = request.headers.get("Authorization", "")
        return self._proof.is_question(authorization, self._served.url, request.raw_path)

    def _proved(self, answer: "_Handler") -> "_Handler":
        """Return a handler that adds the proof to its answer if another detector asks."""

        async def handler(request: web.Request) -> web.Response:
            response = await answer(request)
            if self._proof is not None and self.is_from_detector(request):
                assert isinstance(response.body, bytes)
                response.headers[ANSWER_HEADER] = self._proof.of_answer(
                    request.headers["Authorization"], response.status, response.body
                )
            return response

        return handler

    def serve(self, served: Served) -> None:
        """Answer from this table from now on; until then every query is answered with 503."""
        self._served = served._replace(url=served.url.rstrip("/"))

    async def stop(self) -> None:
        """Close the connections to other workers."""
        if self._served is not None:
            await self._served.others.close()

    async def _health(self, request: web.Request) -> web.Response:
        tool = request.match_info["tool"]
        if not 0 < len(tool) <= 255 or "\0" in tool:
            return _error(404, f"{tool!r} is not the name of a tool")
        served, key = self._served, tool.encode()
        if served is None:
            return _error(503, _OWNER_UNKNOWN)
        partition = partition_of(key, served.partitions)
        owner = served.driver.owner_of(self._changelog, partition)
        if owner is None:
            return _error(503, _OWNER_UNKNOWN)
        if owner != served.url:
            return await _forwarded(request, owner, served.others)
        if served.driver.is_rebalancing or served.driver.is_recovering:
            return _error(503, _RECOVERING)
        rows = served.table.rows_of(partition)
        data = rows.get(key)
        if data is None:
            return _error(404, f"{tool!r} was never activated")
        policy = self._policies.of(tool)
        return web.json_response(
            health_of(decode(data), tool, policy, watch_of(rows), self._settings.outages)
        )

    async def _all_states(self, request: web.Request) -> web.Response:
        """Answer with the state of each tool, and with the partitions of which nothing is known.

        A detector that is asked by another one answers for its own partitions only.
        """
        served = self._served
        if served is None or served.driver.is_rebalancing or served.driver.is_recovering:
            return _error(503, _RECOVERING)
        owners = self._owners(served)
        async with self._reading_states:
            tools = await self._own_states(served, owners)
        theirs, unanswered = await _of_others(request, served, owners, "tools", "/tools")
        return _json({"tools": tools + theirs, "unanswered": unanswered})

    async def _some_glances(self, request: web.Request) -> web.Response:
        """Answer with some tools at a glance: those that the query names (``?tool=…&tool=…``).

        A detector that is asked by another one answers for its own partitions only.
        """
        served = self._served
        if served is None or served.driver.is_rebalancing or served.driver.is_recovering:
            return _error(503, _RECOVERING)
        names = request.query.getall("tool", [])
        if len(names) > MAX_GLANCES:
            return _error(422, f"at most {MAX_GLANCES} tools can be named")
        ours: list[dict[str, Any]] = []
        theirs: dict[str | None, list[str]] = defaultdict(list)
        for name in dict.fromkeys(names):
            partition = partition_of(name.encode(), served.partitions)
            owner = served.driver.owner_of(self._changelog, partition)
            if owner == served.url:
                ours += self._glance(name, served.table.rows_of(partition))
            else:
                theirs[owner].append(name)
        found, unanswered = await _glances_of_others(request, served, theirs)
        return _json({"tools": ours + found, "unanswered": unanswered})

    def _glance(self, tool: str, rows: Rows) -> list[dict[str, Any]]:
        """Return a tool at a glance; nothing if it was never activated."""
        data = rows.get(tool.encode())
        if data is None or not tool or tool.encode() == KEY:
            return []
        policy, watch = self._policies.of(tool), watch_of(rows)
        return [glance_of(decode(data), tool, policy, watch, self._settings.outages)]

    async def _all_outages(self, request: web.Request) -> web.Response:
        """Answer with the outage of each partition, or that there is none, as ``_all_states``."""
        served = self._served
        if served is None or served.driver.is_rebalancing or served.driver.is_recovering:
            return _error(503, _RECOVERING)
        owners = self._owners(served)
        ours = [
            {"partition": number, **self._outage_of(served.table.rows_of(number))}
            for number, url in owners.items()
            if url == served.url
        ]
        theirs, unanswered = await _of_others(request, served, owners, "partitions", "/outages")
        return web.json_response({"partitions": ours + theirs, "unanswered": unanswered})

    def _owners(self, served: Served) -> dict[int, str | None]:
        """Return the address of the detector that owns each partition; None if it is unknown."""
        return {
            partition: served.driver.owner_of(self._changelog, partition)
            for partition in range(served.partitions)
        }

    def _outage_of(self, rows: Rows) -> dict[str, Any]:
        """Return the outage of a partition; its ``since`` is None if there is none."""
        found = outage_of(watch_of(rows), self._settings.outages)
        return found or {"since": None, "tools": 0, "failing": 0}

    async def _own_states(
        self, served: Served, owners: dict[int, str | None]
    ) -> list[dict[str, Any]]:
        """Return the states of the tools in our partitions, at most ``_FRESH_S`` old."""
        now = asyncio.get_running_loop().time()
        if now - self._states_at >= _FRESH_S:
            ours = [number for number, url in owners.items() if url == served.url]
            self._states = await self._known_states.of(served.table, ours)
            self._states_at = now
        return self._states


async def _forwarded(request: web.Request, owner: str, others: OtherDetectors) -> web.Response:
    if FORWARDED in request.headers:
        return _error(503, "the tool is moving from one worker to another")
    try:
        answer = await others.ask(owner, request.raw_path)
    except NoAnswer as error:
        return _error(503, str(error))
    return web.json_response(answer.body, status=answer.status)


async def _of_others(
    request: web.Request,
    served: Served,
    owners: dict[int, str | None],
    name: str,
    path: str,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the list of this name that the other detectors answer with, and who does not answer.

    Nobody is asked if a detector asks us: it asks the others itself.
    """
    found: list[dict[str, Any]] = []
    unanswered: list[str] = []
    if FORWARDED in request.headers:
        return found, unanswered
    if None in owners.values():
        unanswered.append(_OWNER_UNKNOWN)
    for url in sorted({url for url in owners.values() if url not in (None, served.url)}):
        try:
            found += _list_in(await served.others.ask(url, path), name, url)
        except NoAnswer as error:
            unanswered.append(str(error))
    return found, unanswered


async def _glances_of_others(
    request: web.Request, served: Served, names: Mapping[str | None, list[str]]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return what other detectors say of their tools, by owner, and who does not answer."""
    found: list[dict[str, Any]] = []
    unanswered: list[str] = []
    if FORWARDED in request.headers:
        return found, unanswered
    for owner, tools in names.items():
        if owner is None:
            unanswered.append(_OWNER_UNKNOWN)
            continue
        path = f"/glances?{urlencode([('tool', each) for each in tools])}"
        try:
            found += _list_in(await served.others.ask(owner, path), "tools", owner)
        except NoAnswer as error:
            unanswered.append(str(error))
    return found, unanswered


def _list_in(answer: Answer, name: str, url: str) -> list[dict[str, Any]]:
    """Return the list that another detector answered with. Raises NoAnswer if it has none."""
    if answer.status != 200:
        raise NoAnswer(f"the worker at {url} answers with HTTP {answer.status}")
    found = answer.body.get(name)
    if not isinstance(found, list):
        raise NoAnswer(f"the worker at {url} names no {name}")
    return found


def _json(answer: dict[str, Any]) -> web.Response:
    """Return an answer that may be long; ``json.dumps`` takes ten times as long."""
    return web.Response(
        body=msgspec.json.encode(answer), content_type="application/json", charset="utf-8"
    )


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)

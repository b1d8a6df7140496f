"""A receiver of notifications, and the records that are told."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from aiohttp import web
from aiokafka.structs import ConsumerRecord

from rollguard.embedded.ports import free_port
from schemas.deployment import DeploymentOutcome
from schemas.explanation import Explanation, SeenError
from schemas.rollback import RollbackOutcome

SECRET = "whsec_" + "QUJD" * 10  # 30 bytes
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Received(NamedTuple):
    """A request that the receiver got."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answering = Callable[[Received], Any]
"""Returns an answer, or a coroutine that does."""


class FakeReceiver:
    """A real HTTP server. ``answer`` decides what it says; it may be stopped and started again."""

    def __init__(self) -> None:
        self.port = free_port()
        self.requests: list[Received] = []
        """All requests, those included that were not answered with success."""
        self.taken: list[Received] = []
        """The requests that were answered with success."""
        self.answer: Answering = lambda _: web.Response(status=204)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        app = web.Application()
        app.add_routes([web.post("/{path:.*}", self._take)])
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        got = Received(request.path, dict(request.headers), await request.read())
        self.requests.append(got)
        answer = self.answer(got)
        response: web.StreamResponse = answer if isinstance(answer, web.Response) else await answer
        if response.status < 300:
            self.taken.append(got)
        return response


@asynccontextmanager
async def fake_receiver() -> AsyncIterator[FakeReceiver]:
    """Run a receiver that takes everything."""
    receiver = FakeReceiver()
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.stop()


def outcome(tool: str = "words", **fields: Any) -> RollbackOutcome:
    """Return the outcome of an automatic rollback."""
    values: dict[str, Any] = {
        "command_id": uuid4(),
        "tool_name": tool,
        "status": "applied",
        "from_version_id": 7,
        "to_version_id": 5,
        "to_version_number": 2,
        "reason": "regression",
        "tier": "fast",
        "explanation": explanation(),
        "applied_at": AT,
    }
    return RollbackOutcome(**(values | fields))


def explanation(**fields: Any) -> Explanation:
    """Return an explanation with four errors, of which three are told."""
    values: dict[str, Any] = {
        "rule": "the evidence is strong enough",
        "evidence": "12 of 20 calls failed; odds 400 to 1",
        "thresholds": {"alpha": 0.01},
        "executions": 20,
        "failures": 12,
        "errors": [SeenError(error=f"ValueError: {n}", executions=n) for n in (4, 3, 2, 1)],
        "breaking_changes": [],
        "decided_by": [UUID(int=1)],
    }
    return Explanation(**(values | fields))


def refused(tool: str = "words", **fields: Any) -> DeploymentOutcome:
    """Return the outcome of a refused deployment."""
    values: dict[str, Any] = {
        "deployment_id": uuid4(),
        "tool_name": tool,
        "status": "refused",
        "refusal": "gate",
        "findings": ["it removes a parameter"],
        "applied_at": AT,
    }
    return DeploymentOutcome(**(values | fields))


def record_of(
    topic: str, tool: str, value: bytes, offset: int, at: datetime | None = None
) -> ConsumerRecord:
    """Return a record as a consumer hands it over."""
    taken_ms = int((at or datetime.now(UTC)).timestamp() * 1_000)
    return ConsumerRecord(
        topic=topic,
        partition=0,
        offset=offset,
        timestamp=taken_ms,
        timestamp_type=1,
        key=tool.encode(),
        value=value,
        checksum=None,
        serialized_key_size=len(tool),
        serialized_value_size=len(value),
        headers=(),
    )

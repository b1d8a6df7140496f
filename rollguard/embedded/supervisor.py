"""A worker of the embedded stack that is started again when it ends unasked."""

import asyncio
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

import aiohttp

from agents.asking.answer_limit import TooLong, read_limited
from agents.worker.instance import instance_of
from rollguard.embedded.processes import tail
from rollguard.embedded.stack import EmbeddedStack
from schemas.errors import Retryable
from schemas.identity import Identity

_RESTARTS: Final = 3
"""How often a worker is started again, until it has run for ``_STEADY_S`` seconds."""
_STEADY_S: Final = 600.0
_POLL_S: Final = 0.05
_READY_S: Final = 40.0
_TAIL_LINES: Final = 20


class SupervisedWorker:
    """One role's worker, and its port."""

    def __init__(
        self,
        role: str,
        port: int,
        stack: EmbeddedStack,
        environment: Mapping[str, str],
        say: Callable[[str], None],
    ) -> None:
        self.role = role
        self.url = f"http://127.0.0.1:{port}"
        self.log = stack.log_path(role)
        self._stack = stack
        self._environment = {**environment, "ROLLGUARD_WEB_PORT": str(port)}
        self._say = say
        self._process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        """Keep the worker running. Raises Retryable after it has ended too often."""
        loop = asyncio.get_running_loop()
        restarts = 0
        while True:
            began = loop.time()
            self._process = await self._stack.spawn_worker(self.role, self._environment)
            code = await self._process.wait()
            if loop.time() - began > _STEADY_S:
                restarts = 0
            ended = f"ended with {code}: {tail(self.log, _TAIL_LINES)}"
            if restarts == _RESTARTS:
                raise Retryable(self.role, f"{ended}; it ended {restarts + 1} times")
            restarts += 1
            self._say(f"the {self.role} {ended}; start {restarts} of {_RESTARTS} once more")

    async def until_ready(self) -> None:
        """Return when this worker, and no other process, says at its port that it is ready.

        Raises Retryable with what it waits for if that takes too long.
        """
        reasons = "no answer"
        try:
            async with (
                asyncio.timeout(_READY_S),
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session,
            ):
                while reasons := await self._not_ready(session):
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise Retryable(self.role, f"not ready after {_READY_S:.0f} s: {reasons}") from None

    async def _not_ready(self, session: aiohttp.ClientSession) -> str:
        """Return why the worker is not ready; "" if it is."""
        try:
            async with session.get(f"{self.url}/readyz", allow_redirects=False) as answer:
                identity = Identity.of_headers(answer.headers)
                if self._process is None or identity is None:
                    return f"another program answers at {self.url}"
                if identity.instance != instance_of(self._process.pid):
                    return f"at {self.url} answers the {identity}"
                if answer.status == HTTPStatus.OK:
                    return ""
                return "; ".join(json.loads(await read_limited(answer))["reasons"])
        except (aiohttp.ClientError, TimeoutError, TooLong):
            return "no answer"

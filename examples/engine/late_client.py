"""A client that connects as soon as Kafka answers, so that an engine runs while Kafka is away."""

import asyncio
from contextlib import suppress
from typing import Final, Self

from rollguard.client import EngineClient, Execution, Retryable, Settings

_RETRY_S: Final = 1.0


class LateClient:
    """Connects in the background. Until then every publishing raises Retryable."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: EngineClient | None = None
        self._error: Exception | None = None
        self._tried = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._connecting = asyncio.create_task(self._connect())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._connecting.cancel()
        with suppress(asyncio.CancelledError):
            await self._connecting
        if self._client is not None:
            await self._client.__aexit__()

    async def connected(self) -> EngineClient:
        """Return the client. Raises the error of the last try to connect."""
        await self._tried.wait()
        if self._client is None:
            assert self._error is not None
            raise self._error
        return self._client

    async def publish_execution(self, execution: Execution) -> None:
        """Publish one execution of a tool. Raises what ``EngineClient`` raises."""
        await (await self.connected()).publish_execution(execution)

    async def _connect(self) -> None:
        while self._client is None:
            try:
                self._client = await EngineClient(self._settings).__aenter__()
            except Retryable as error:
                self._error = error
            except Exception as error:
                self._error = error
                return
            finally:
                self._tried.set()
            if self._client is None:
                await asyncio.sleep(_RETRY_S)

"""A connection that is given up while it is opened leaves no error that nobody has asked for."""

import asyncio
import gc
from contextlib import suppress
from typing import Any

from db.postgres.pool import connect


async def _no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        await reader.read(8)
        writer.write(b"N")
        await reader.read()
    writer.close()


async def test_it_is_silent_at_whatever_turn_of_the_loop() -> None:
    said: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
    async with await asyncio.start_server(_no_tls, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for turns in range(12):
            opening = asyncio.ensure_future(connect(f"postgresql://ann@127.0.0.1:{port}/db"))
            for _ in range(turns):
                await asyncio.sleep(0)
            opening.cancel()
            with suppress(asyncio.CancelledError):
                await opening
            await asyncio.sleep(0.01)  # the transport ends
        del opening
        gc.collect()
    assert said == []

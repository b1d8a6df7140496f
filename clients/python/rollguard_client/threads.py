"""Work that may take long, in threads of its own."""

import asyncio
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[..., T], *args: Any) -> T:
    """Do work in a thread of its own, in the context of the caller, and return its result.

    The loop must go on publishing meanwhile, and a program that ends does not wait for the thread.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    context = copy_context()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: T | None = None
        failed: BaseException | None = None
        try:
            result = context.run(work, *args)
        except StopIteration as error:  # no future can hold one
            failed = RuntimeError(f"StopIteration: {error}")
        except BaseException as error:
            failed = error
        try:
            loop.call_soon_threadsafe(settle, result, failed)
        except RuntimeError:
            return  # the loop has ended

    threading.Thread(target=run, name="rollguard-work", daemon=True).start()
    return await future

"""Running the work of a verb. If it takes long, a person is told what it waits for."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from rollguard.ctrl_c import raise_again

T = TypeVar("T")

NOTICE_AFTER_S: Final = 2.0
"""After so long a person wonders whether anything happens."""


def run(work: Coroutine[Any, Any, T], waits_for: str | None = None) -> T:
    """Run a coroutine in an event loop of its own, and return its result.

    If it takes more than two seconds, stderr says what it waits for. Ctrl-C cancels it; after that
    nothing is said.
    """
    raise_again()
    try:
        return asyncio.run(work if waits_for is None else _with_notice(work, waits_for))
    finally:
        work.close()  # Ctrl-C may come before its first step, and Python would warn


async def _with_notice(work: Coroutine[Any, Any, T], waits_for: str) -> T:
    from rollguard.printing import print_note

    ours = asyncio.current_task()

    def say() -> None:
        if ours is None or not ours.cancelling():
            print_note(f"waiting for {waits_for}")

    notice = asyncio.get_running_loop().call_later(NOTICE_AFTER_S, say)
    try:
        return await work
    finally:
        notice.cancel()

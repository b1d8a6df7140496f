"""Work on one tool after the other that leaves out the tools that somebody else has locked."""

from collections.abc import Awaitable, Callable, Sequence

import structlog

from schemas.errors import Locked

log = structlog.get_logger()


async def of_free_tools(
    work: str, tools: Sequence[str], do: Callable[[str], Awaitable[int]]
) -> int:
    """Call ``do`` with each tool, and return the sum of what it returns.

    A tool for which it raises Locked is left out, and the log says so.
    """
    done, locked = 0, []
    for tool in tools:
        try:
            done += await do(tool)
        except Locked as error:
            locked.append((tool, error))
    if locked:
        named = "; ".join(f"{tool!r}: {error.cause}" for tool, error in locked[:10])
        log.warning("tools_left_out", work=work, tools=len(locked), cause=named)
    return done

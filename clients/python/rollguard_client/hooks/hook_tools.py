"""The tools that a hook of a framework tells of, by the names that the framework gives."""

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from rollguard_client.calls.call import Call, HookCall, current_call
from rollguard_client.calls.failures import Origins
from rollguard_client.calls.tool import Tool

if TYPE_CHECKING:
    from rollguard_client.guard import Rollguard

log = logging.getLogger("rollguard_client")

_MOST_NAMES: Final = 1_000
"""How many tools are kept; names may come from whoever calls."""
_LONGEST_NAME: Final = 255


class HookTools:
    """Begins and ends calls. Nothing here raises, but for wrong arguments of the constructor."""

    def __init__(
        self,
        guard: "Rollguard",
        failed: Callable[[Any], Any] | None,
        origin: Origins,
        session: str | Callable[[], Any] | None,
    ) -> None:
        make = guard._maker(failed, origin, session)
        self._names = guard.tool_names
        self._tool_named: Callable[[str], Tool] = lru_cache(_MOST_NAMES)(
            lambda name: make(name, None)
        )

    def begin(self, name: str) -> Call | None:
        """Return a new call of a tool; None if no tool can have this name."""
        if not _is_name(name):
            log.error("a call of a tool is not published, because of its name: %.100r", name)
            return None
        if len(self._names) < _MOST_NAMES:
            self._names.add(name)  # so that nobody makes executions of its spans, too
        return self._tool_named(name).begin(HookCall)


def _is_name(name: Any) -> bool:
    if not isinstance(name, str):
        return False
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return 1 <= len(name) <= _LONGEST_NAME and "\0" not in name


def succeed(call: Call | None, result: Any) -> None:
    """Publish a call that has returned."""
    if call is not None:
        call.tool.succeed(call, result)


def fail(call: Call | None, error: BaseException) -> None:
    """Publish a call that has raised."""
    if call is not None:
        call.tool.fail(call, error)


def forget(call: Call | None) -> None:
    """Publish nothing of a call: the tool was never called."""
    if call is not None:
        current_call.set(call.outer)
        call.tool.forget(call)

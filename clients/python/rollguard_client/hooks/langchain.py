"""A callback handler of LangChain and LangGraph."""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler

from rollguard_client.calls.call import Call
from rollguard_client.calls.failures import Origins
from rollguard_client.guard import Rollguard
from rollguard_client.hooks.hook_tools import HookTools, fail, forget, succeed

_MOST_CALLS: Final = 10_000
"""How many calls may be open; of one that is never said to have ended, nothing else is kept."""


class RollguardCallbackHandler(BaseCallbackHandler):
    """Publishes each call of a tool, of ready-made tools as well.

    Give it to the agent with each question::

        agent.invoke(question, config={"callbacks": [RollguardCallbackHandler(guard)]})

    It sees the exception of a tool also if ``ToolNode`` makes a message of it. If the function of
    a tool is decorated, the decorator publishes the call, and this does not. Arguments that do not
    fit the tool's schema are no call. The name of the tool is the one that LangChain has.

    Args:
        guard: The client.
        failed: As for ``Rollguard.tool``: says of a result whether the tool has failed. A message
            with the status ``error`` is a failure in any case.
        origin: As for ``Rollguard.tool``.
        session: As for ``Rollguard.tool``.
    """

    run_inline = True
    """So that the tool runs in the context in which its call has begun."""

    def __init__(
        self,
        guard: Rollguard,
        *,
        failed: Callable[[Any], Any] | None = None,
        origin: Origins = None,
        session: str | Callable[[], Any] | None = None,
    ) -> None:
        self._tools = HookTools(guard, _failed(failed), origin, session)
        self._calls: dict[UUID, Call | None] = {}

    def on_tool_start(
        self, serialized: dict[str, Any] | None, input_str: str, *, run_id: UUID, **kwargs: Any
    ) -> None:
        """Begin a call."""
        name = (serialized or {}).get("name") or kwargs.get("name") or ""
        if len(self._calls) >= _MOST_CALLS:
            self._calls.pop(next(iter(self._calls)), None)
        self._calls[run_id] = self._tools.begin(str(name))

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Publish a call that has returned."""
        succeed(self._calls.pop(run_id, None), output)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Publish a call that has raised."""
        call = self._calls.pop(run_id, None)
        if _is_before_the_call(error):
            forget(call)
        else:
            fail(call, error)


def _failed(failed: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    def has_failed(output: Any) -> Any:
        if getattr(output, "status", None) == "error":
            return str(getattr(output, "content", "")) or True
        return failed is not None and failed(output)

    return has_failed


def _is_before_the_call(error: BaseException) -> bool:
    """Return whether LangChain raised it while it read the arguments."""
    traceback = error.__traceback__
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_name
        if name in ("_run", "_arun"):
            return False
        if name == "_parse_input":
            return True
        traceback = traceback.tb_next
    return False

"""A middleware of FastMCP."""

from collections.abc import Callable
from typing import Any, Final

from fastmcp.exceptions import (
    AuthorizationError,
    DisabledError,
    NotFoundError,
    ToolError,
    ValidationError,
)
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext

from rollguard_client.calls.failures import Origins
from rollguard_client.guard import Rollguard
from rollguard_client.hooks.hook_tools import HookTools, fail, forget, succeed

_BEFORE_THE_CALL: Final = (AuthorizationError, DisabledError, NotFoundError, ValidationError)


class RollguardMiddleware(Middleware):
    """Publishes each call of a tool, of mounted servers and of proxies as well.

    Add it to the server that clients know::

        server.add_middleware(RollguardMiddleware(guard))

    It sees the exception of the tool, and not only the ``ToolError`` that FastMCP makes of it. If
    the function of a tool is decorated, the decorator publishes the call, and this does not. What
    FastMCP refuses (arguments, a name, an authorization) is no call. The name of the tool is the
    one that clients see.

    Args:
        guard: The client.
        failed: As for ``Rollguard.tool``: says of a ``ToolResult`` whether the tool has failed. A
            result with ``is_error`` is a failure in any case.
        origin: As for ``Rollguard.tool``.
        session: As for ``Rollguard.tool``.
    """

    def __init__(
        self,
        guard: Rollguard,
        *,
        failed: Callable[[Any], Any] | None = None,
        origin: Origins = None,
        session: str | Callable[[], Any] | None = None,
    ) -> None:
        self._tools = HookTools(guard, _failed(failed), origin, session)

    async def on_call_tool(
        self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]
    ) -> Any:
        """Publish a call."""
        call = self._tools.begin(context.message.name)
        try:
            result = await call_next(context)
        except _BEFORE_THE_CALL:
            forget(call)
            raise
        except BaseException as error:
            fail(call, _raised_by_tool(error))
            raise
        succeed(call, result)
        return result


def _failed(failed: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    def has_failed(result: Any) -> Any:
        if getattr(result, "is_error", False):
            texts = [each.text for each in result.content if hasattr(each, "text")]
            return "\n".join(texts) or True
        return failed is not None and failed(result)

    return has_failed


def _raised_by_tool(error: BaseException) -> BaseException:
    """Return what the tool has raised; FastMCP raises its own errors from it."""
    while isinstance(error, ToolError) or type(error).__name__ == "_ToolBodyError":
        if error.__cause__ is None:
            break
        error = error.__cause__
    return error

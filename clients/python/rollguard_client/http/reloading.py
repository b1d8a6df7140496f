"""Telling a registry of the engine that another version has become current."""

from collections.abc import Awaitable
from inspect import isawaitable
from typing import Protocol

from rollguard_client.event_log import TextLog
from rollguard_client.http.requests import Requests
from rollguard_client.messages.deployment import ToolVersion
from rollguard_client.registry.interruption import Contained
from rollguard_client.threads import in_thread

_LOG = TextLog()


class ReloadsTools(Protocol):
    """A registry that is told when a version became current."""

    def reload(self, version: ToolVersion) -> "Awaitable[None] | None":
        """Bring this version of its tool into use, unless a newer one of the tool is in use.

        An exception is only logged, because the version is current all the same.
        """
        ...


async def tell(registry: ReloadsTools, requests: Requests, tool_name: str) -> None:
    """Tell a registry which version is current. Its ``reload`` may be a coroutine."""
    with Contained() as told:
        version = await in_thread(requests.current_message, tool_name)
        reloading = registry.reload(version)
        if isawaitable(reloading):
            await reloading
    _log(told, tool_name)


def tell_at_once(registry: ReloadsTools, requests: Requests, tool_name: str) -> None:
    """Tell a registry which version is current. Its ``reload`` must be no coroutine."""
    with Contained() as told:
        reloading = registry.reload(requests.current_message(tool_name))
        if isawaitable(reloading):
            getattr(reloading, "close", lambda: None)()
            raise TypeError("reload is a coroutine: use rollguard_client.http.ToolVersionManager")
    _log(told, tool_name)


def _log(told: Contained, tool_name: str) -> None:
    if told.error is not None:
        _LOG.error("tool_registry_failed", tool=tool_name, exc_info=told.error)

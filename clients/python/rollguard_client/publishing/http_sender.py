"""Sending records to a console, for an engine that cannot reach Kafka."""

import json
from collections.abc import Sequence
from typing import Any, Final

from rollguard_client.errors import Rejected
from rollguard_client.http.console import Console
from rollguard_client.http.problems import other_version
from rollguard_client.http.where import console_of
from rollguard_client.publishing.batches import Sent
from rollguard_client.publishing.buffer import Record
from rollguard_client.settings.settings import Settings
from rollguard_client.threads import in_thread

_MOST: Final = 500
_MOST_BYTES: Final = 1024 * 1024
"""How large the executions of one request are; a console takes 4 MiB, and JSON may grow by its
escapes."""


class HttpSender:
    """Sends records as ``BatchSender`` does. Headers are not sent: a console takes none.

    What a console has not acknowledged is sent again. Each execution has its id both times, and
    counts once.
    """

    def __init__(self, settings: Settings) -> None:
        self._console: Console = console_of(settings=settings)

    async def start(self) -> None:
        """Do nothing: each request has a connection of its own."""

    async def stop(self, wait_s: float) -> None:
        """Do nothing."""

    async def send(self, records: Sequence[Record]) -> Sent:
        """Send the records that fit into one request, and return what became of all of them."""
        some = _that_fit(records)
        later = list(records[len(some) :])
        body = [json.loads(each.value) for each in some]
        try:
            answer = await in_thread(self._console.ask, "POST", "/executions", None, body)
            refused = _refused(self._console.url, answer.data)
        except Exception as error:
            if len(some) == 1 and isinstance(error, Rejected):
                return Sent(0, 1, later, error)
            return Sent(0, 0, [*some, *later], error)
        first = Rejected(refused[0]) if refused else None
        return Sent(len(some) - len(refused), len(refused), later, first)


def _that_fit(records: Sequence[Record]) -> list[Record]:
    found: list[Record] = []
    size = 0
    for each in records[:_MOST]:
        size += len(each.value)
        if found and size > _MOST_BYTES:
            break
        found.append(each)
    return found


def _refused(url: str, data: Any) -> list[str]:
    try:
        return [str(each["error"]) for each in data["rejected"]]
    except (LookupError, TypeError) as error:
        raise other_version(url, repr(error)) from error

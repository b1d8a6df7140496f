"""Which version of a tool was active when a span began, as `tool-versions` says."""

import asyncio
import logging
from datetime import datetime, timedelta, timezone
from typing import Final

import msgspec

from rollguard_client.errors import Misconfigured, RollguardError
from rollguard_client.messages.fields import utc
from rollguard_client.requests.requester import Requester
from rollguard_client.settings.settings import Settings
from rollguard_client.spans.active_versions import ActiveVersions

log = logging.getLogger("rollguard_client")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_RETRY_S: Final = 5.0


class _Activated(msgspec.Struct):
    """The fields of a ToolVersion that say when it was made current."""

    tool_name: str
    version_id: int
    activation: int
    activated_at: datetime


_decode: Final = msgspec.json.Decoder(_Activated).decode


class Activations:
    """The activations of all tools, followed in the background.

    The program learns of a version from the same topic. So what is not read here yet, the program
    does not run yet. Nothing is followed if signatures are required, because they are not checked.
    """

    def __init__(self, settings: Settings, requester: Requester) -> None:
        self._settings = settings
        self._requester = requester
        requester.on_fork(self._after_fork)
        self._active = ActiveVersions()
        self._is_read = False
        self._is_started = self._settings.signatures == "require"

    def start(self) -> None:
        """Begin to follow, unless that has begun."""
        if self._is_started:
            return
        try:
            self._requester.submit(self._follow())
        except Misconfigured:  # the client was closed, or this is its own thread: see next time
            return
        self._is_started = True

    def _after_fork(self) -> None:
        """Begin to follow anew in the child."""
        self._is_started = self._settings.signatures == "require"

    def at(self, tool_name: str, time_us: int) -> int | None:
        """Return the version that was active at this time; None if that is not known. Never waits.

        Nothing is known until the topic was read to its end once.
        """
        return self._active.at(tool_name, time_us) if self._is_read else None

    async def _follow(self) -> None:
        """Read without end; after an error, try again."""
        from aiokafka.errors import KafkaError

        said = ""
        while True:
            try:
                await self._read()
            except (RollguardError, KafkaError, OSError) as error:
                if said != str(error):
                    said = str(error)
                    log.warning("activations of tools cannot be followed: %s", error)
            await asyncio.sleep(_RETRY_S)

    async def _read(self) -> None:
        from rollguard_client.kafka.reader import open_reader
        from rollguard_client.kafka.topics import Topics

        topic = Topics(self._settings.topic_prefix).versions
        async with open_reader(self._settings, topic, from_beginning=True) as reader:
            while True:
                for record in await reader.poll():
                    self._note(record.key, record.value)
                self._is_read = self._is_read or await reader.caught_up()

    def _note(self, key: bytes | None, value: bytes | None) -> None:
        if value is None:
            return
        try:
            version = _decode(value)
            activated_us = (utc(version.activated_at) - _EPOCH) // timedelta(microseconds=1)
        except ValueError:  # msgspec's errors are ValueErrors; whoever loads versions reports them
            return
        if version.tool_name.encode("utf-8", "replace") == key:
            activation = version.activation, activated_us, version.version_id
            self._active.note(version.tool_name, *activation)

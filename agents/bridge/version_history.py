"""Which version of a tool was active when a span began, as `tool-versions` says.

An engine learns of a version from `tool-versions`. So a span of that version is sent after the
version lies there, and whoever reads the topic to its end before he looks at a span knows every
version that the span can be of. The topic is compacted: it has the current version of each tool
however old that is, and of the last day all others.
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from rollguard_client.kafka.errors import kafka_errors
from rollguard_client.spans.active_versions import ActiveVersions
from schemas.deployment import ToolVersion
from schemas.errors import Rejected
from schemas.fields import micros_of
from schemas.settings import Settings
from streams.records import Record
from streams.topic_reader import TopicReader

if TYPE_CHECKING:  # it is imported only if signatures are wanted
    from signatures.signatures import Signatures


class VersionHistory:
    """The activations of all tools, as far as ``catch_up`` has read them."""

    def __init__(
        self, reader: TopicReader, settings: Settings, signatures: "Signatures | None"
    ) -> None:
        self._reader = reader
        self._signatures = signatures
        self._settings = settings
        self._reading = asyncio.Lock()
        self._active = ActiveVersions()

    def at(self, tool_name: str, time_us: int) -> int | None:
        """Return the version of a tool that was active at this time; None if nothing tells."""
        return self._active.at(tool_name, time_us)

    async def catch_up(self) -> None:
        """Read all that the topic holds now. Raises Retryable if Kafka does not answer."""
        async with self._reading:
            with kafka_errors(self._settings):
                await self._reader.look_up_ends()
                await self._read()

    async def _read(self) -> None:
        async for records in self._reader.to_the_end(self._settings.wait_s):
            for record in records:
                with suppress(Rejected):  # who reads the topic to load versions reports it
                    self._note(record)

    def _note(self, record: Record) -> None:
        if record.value is None:
            return
        version = ToolVersion.from_bytes(record.value)
        if self._signatures is not None:
            version = self._signatures.checked(record, version)
        self._active.note(
            version.tool_name,
            version.activation,
            micros_of(version.activated_at),
            version.version_id,
        )

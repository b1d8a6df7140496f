"""Since when an engine hears nothing from Kafka; said at its beginning and at its end."""

from datetime import datetime, timedelta, timezone
from typing import Final

from rollguard_client.event_log import EventLog

_QUIET: Final = timedelta(seconds=10)
"""A broker answers a fetch within a second also if there is no record."""


class KafkaSilence:
    """The current silence, if there is one."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.since: datetime | None = None
        self._listening_since: datetime | None = None
        self._listened_at: datetime | None = None

    def began(self, cause: str, since: datetime | None = None) -> None:
        """Note that Kafka does not answer, by default since now."""
        if self.since is None:
            self.since = since or datetime.now(timezone.utc)
            self._log.warning("kafka_silent", since=self.since.isoformat(), cause=cause)

    def listened(self, heard_at: datetime) -> None:
        """Note when Kafka was last heard. Call it again and again while it can be heard.

        If nobody listened for a while, the time before counts for nothing.
        """
        now = datetime.now(timezone.utc)
        if self._listened_at is None or now - self._listened_at > _QUIET / 2:
            self._listening_since = now
        self._listened_at = now
        assert self._listening_since is not None
        if now - max(heard_at, self._listening_since) > _QUIET:
            self.began("the broker does not answer", heard_at)
        elif self.since is not None and heard_at > self.since:
            self._log.info("kafka_heard_again", silent_since=self.since.isoformat())
            self.since = None

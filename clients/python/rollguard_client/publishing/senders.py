"""Who takes what is published: Kafka, or a console."""

from collections.abc import Sequence
from typing import Protocol

from rollguard_client.publishing.batches import BatchSender, Sent
from rollguard_client.publishing.buffer import Record
from rollguard_client.settings.settings import Settings


class Sender(Protocol):
    """A connection by which records are sent."""

    async def start(self) -> None:
        """Connect."""

    async def stop(self, wait_s: float) -> None:
        """Close the connection; after ``wait_s`` seconds give up what was not answered."""

    async def send(self, records: Sequence[Record]) -> Sent:
        """Send the records, and return what became of them."""
        ...


def sender_of(settings: Settings, topic: str) -> Sender:
    """Return the sender that the settings name."""
    if settings.publish_by == "kafka":
        return BatchSender(settings, topic)
    from rollguard_client.publishing.http_sender import HttpSender

    return HttpSender(settings)


def receiver_of(settings: Settings) -> str:
    """Return who is waited for if nothing is taken, in words."""
    if settings.publish_by == "kafka":
        return f"Kafka at {','.join(settings.kafka_brokers)}"
    return f"the console at {settings.url}"

"""The limits of what a consumer fetches: how much at once, and how much of it is unpacked."""

from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.protocol.fetch import FetchRequest

from schemas.message import MAX_REQUEST_BYTES
from streams.unpacking.batches import MAX_BATCH_BYTES, Budget, unpacked
from streams.unpacking.codecs import Unpacker

MAX_FETCH_BYTES: Final = 4 * MAX_REQUEST_BYTES
"""How many bytes the broker sends for one fetch of all partitions, as it has them on its disk."""
MAX_UNPACKED_BYTES: Final = 2 * MAX_REQUEST_BYTES
"""How many bytes of one answer are unpacked, unless its first compressed batch has more."""


def limit_fetches_of(consumer: AIOKafkaConsumer) -> None:
    """Have everything that this consumer fetches unpacked within limits. To be called before start.

    aiokafka unpacks a batch whole, whatever its size, and has no setting for that. Here each answer
    to a fetch is unpacked before aiokafka sees it. When ``MAX_UNPACKED_BYTES`` were unpacked, the
    rest of the answer is left out, and aiokafka fetches it again. A batch that is too large becomes
    a record that every reader refuses (``streams.unpacking.batches``).
    """
    fetched: Any = consumer
    fetched._fetch_max_bytes = MAX_FETCH_BYTES
    client = fetched._client
    send = client.send
    unpacker = Unpacker(MAX_BATCH_BYTES)

    async def send_and_unpack(node_id: Any, request: Any, **options: Any) -> Any:
        response = await send(node_id, request, **options)
        if isinstance(request, FetchRequest):
            budget = Budget(MAX_UNPACKED_BYTES)
            response.topics = [
                (topic, [_unpacked(partition, unpacker, budget) for partition in partitions])
                for topic, partitions in response.topics
            ]
        return response

    client.send = send_and_unpack


def _unpacked(partition: tuple[Any, ...], unpacker: Unpacker, budget: Budget) -> tuple[Any, ...]:
    """Return the part of an answer that is about one partition; its last field are the batches."""
    *fields, data = partition
    return (*fields, unpacked(data, unpacker, budget)) if data else partition

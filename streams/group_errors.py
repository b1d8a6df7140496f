"""The errors that a broker answers for a whole group, which aiokafka does not look at.

A broker that has just started, or has just become the group's coordinator, still loads what the
group has committed. It answers with one error for the group, and with no partitions. aiokafka takes
that for a group that has never committed anything: a role would read its topics from the beginning
again, and a new group's beginning would be committed over what the group has.
"""

from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError
from aiokafka.protocol.commit import OffsetFetchRequest

from rollguard_client.kafka.access import consumer_options
from schemas.settings import Settings

_NOT_COMMITTED: Final = -1
_AS_AIOKAFKA_KNOWS_IT: Final = {
    # Both mean that the coordinator must be looked for again; aiokafka retries only the second.
    GroupCoordinatorNotAvailableError.errno: NotCoordinatorForGroupError.errno
}


def offset_consumer(settings: Settings, **options: Any) -> AIOKafkaConsumer:
    """Return a consumer, not yet started, that commits only what it is told to commit."""
    consumer = AIOKafkaConsumer(
        **consumer_options(settings),
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # if retention removed the position, to the first record
        **options,
    )
    heed_group_errors(consumer)
    return consumer


def heed_group_errors(consumer: AIOKafkaConsumer) -> None:
    """Have this consumer retry when a broker cannot say what its group has committed.

    To be called before start. The error of the group becomes one of each partition that was asked
    for, which aiokafka does look at.
    """
    client: Any = consumer._client
    send = client.send

    async def send_and_look(node_id: Any, request: Any, **options: Any) -> Any:
        response = await send(node_id, request, **options)
        if isinstance(request, OffsetFetchRequest):
            error: int = getattr(response, "error_code", 0)  # old versions have none
            if error:
                error = _AS_AIOKAFKA_KNOWS_IT.get(error, error)
                response.topics = [
                    (topic, [(partition, _NOT_COMMITTED, "", error) for partition in partitions])
                    for topic, partitions in request._partitions or ()
                ]
        return response

    client.send = send_and_look

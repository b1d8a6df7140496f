"""What becomes of records, by the answers of the broker."""

import asyncio
from typing import Any

from aiokafka.errors import MessageSizeTooLargeError, OutOfOrderSequenceNumber
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from rollguard_client.publishing.batches import partition_of, told
from rollguard_client.publishing.buffer import Record


@given(st.binary(max_size=300), st.integers(1, 200))
def test_keys_are_placed_as_kafka_places_them(key: bytes, partitions: int) -> None:
    everywhere = list(range(partitions))
    assert partition_of(key, partitions) == DefaultPartitioner()(key, everywhere, everywhere)


def records(*numbers: int) -> list[Record]:
    return [Record(b"t", b"%d" % number, []) for number in numbers]


async def answered(answer: Any) -> "asyncio.Future[Any]":
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    if isinstance(answer, BaseException):
        future.set_exception(answer)
    else:
        future.set_result(answer)
    return future


async def test_what_is_acknowledged_is_done_and_the_rest_waits() -> None:
    error = OutOfOrderSequenceNumber()
    futures = {0: await answered("offset"), 1: await answered(error)}
    sent = told(futures, {0: records(1, 2), 1: records(3, 4)}, {0: records(5), 1: records(6)})
    assert (sent.acknowledged, sent.refused, sent.error) == (2, 0, error)
    assert sent.left == records(5, 3, 4, 6), "in the order of each partition"


async def test_a_record_that_is_refused_alone_is_given_up() -> None:
    error = MessageSizeTooLargeError()
    sent = told({0: await answered(error)}, {0: records(1)}, {0: records(2)})
    assert (sent.acknowledged, sent.refused, sent.left) == (0, 1, records(2))
    several = told({0: await answered(error)}, {0: records(1, 2)}, {0: []})
    assert (several.refused, several.left) == (0, records(1, 2)), "it may be either of them"

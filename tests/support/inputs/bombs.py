"""Compressed batches that are small for the broker and huge when they are unpacked."""

import asyncio
import struct
import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

import cramjam
from aiokafka import AIOKafkaProducer
from aiokafka.errors import NotLeaderForPartitionError
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.util import calc_crc32c, encode_varint

CODECS: Final = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
MIB: Final = 1024 * 1024
_HEADER: Final = struct.Struct(">qiibIhiqqqhii")


def bomb(
    codec: str,
    size: int,
    record_size: int = MIB,
    key: bytes | None = b"words",
    headers: Sequence[tuple[str, bytes]] = (),
) -> bytes:
    """Return a batch of records full of zeros that has about ``size`` bytes when it is unpacked.

    Each record has these headers.
    """
    count = size // record_size
    return _batch(codec, count, _packed(codec, _records(count, record_size, key, headers)))


def many_streams(count: int) -> bytes:
    """Return a batch of one record in gzip, with a stream of its own for each of its bytes."""
    record = b"".join(_records(1, count, b"words", ()))
    packed = b"".join(_packed("gzip", iter([bytes([each])])) for each in record)
    return _batch("gzip", 1, packed)


def _batch(codec: str, count: int, packed: bytes) -> bytes:
    fields = (0, 0, CODECS[codec], count - 1, 0, 0, -1, -1, -1, count)
    length = _HEADER.size - 12 + len(packed)
    crc = calc_crc32c(_HEADER.pack(0, length, -1, 2, *fields[1:])[21:] + packed)
    return _HEADER.pack(0, length, -1, 2, crc, *fields[2:]) + packed


def _records(
    count: int, size: int, key: bytes | None, headers: Sequence[tuple[str, bytes]]
) -> Iterator[bytes]:
    value, tail = bytes(size), _encoded_headers(headers)
    for offset in range(count):
        fields = bytearray([0])
        for number in (0, offset, -1 if key is None else len(key)):
            encode_varint(number, fields.append)
        fields += key or b""
        encode_varint(size, fields.append)
        record = bytearray()
        encode_varint(len(fields) + size + len(tail), record.append)
        yield bytes(record + fields)
        yield value
        yield tail


def _encoded_headers(headers: Sequence[tuple[str, bytes]]) -> bytes:
    encoded = bytearray()
    encode_varint(len(headers), encoded.append)
    for name, value in headers:
        for text in (name.encode(), value):
            encode_varint(len(text), encoded.append)
            encoded += text
    return bytes(encoded)


def _packed(codec: str, parts: Iterator[bytes]) -> bytes:
    packer: Any
    if codec == "snappy":
        return bytes(cramjam.snappy.compress_raw(b"".join(parts)))
    if codec == "gzip":
        packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
        return b"".join([*map(packer.compress, parts), packer.flush()])
    # Apache Kafka reads no linked blocks of lz4.
    lz4 = partial(cramjam.lz4.Compressor, content_checksum=False, block_linked=False)
    packer = cramjam.zstd.Compressor() if codec == "zstd" else lz4()
    for part in parts:
        packer.compress(part)
    return bytes(packer.finish())


async def send_batch(producer: AIOKafkaProducer, topic: str, partition: int, batch: bytes) -> int:
    """Have the broker append a batch as it is, and return its first offset."""
    client = producer.client
    await client.add_topic(topic)
    async with asyncio.timeout(120):
        while True:
            await client._wait_on_metadata(topic)
            leader = client.cluster._partitions[topic][partition].leader
            request = ProduceRequest(
                transactional_id=None,
                required_acks=-1,
                timeout=30_000,
                topics=[(topic, [(partition, batch)])],
            )
            response = await client.send(leader, request)
            [(_, [(_, error, offset, *_)])] = response.topics
            if not error:
                return int(offset)
            if error != NotLeaderForPartitionError.errno:
                raise AssertionError(f"the broker refused the batch: error {error}")
            await asyncio.sleep(0.1)  # the topic is so new that nobody leads the partition yet
            await client.force_metadata_update()

"""Batches of records as the broker sends them, and the plain batches that they are turned into."""

import json
import struct
from collections.abc import Iterator, Sequence
from secrets import token_hex
from typing import Final, NamedTuple

from aiokafka.record.util import calc_crc32c, encode_varint
from aiokafka.structs import ConsumerRecord

from schemas.message import MAX_REQUEST_BYTES
from streams.unpacking.codecs import CODECS, NotUnpacked, Unpacker

MAX_BATCH_BYTES: Final = 16 * 1024 * 1024
"""How many bytes the records of a compressed batch may have at most when they are unpacked."""
_MAX_RATIO: Final = 32
"""How many times its size a batch may have when it is unpacked, if that is more than what a topic
allows without compression. Executions are packed to about a tenth."""

_HEADER: Final = struct.Struct(">qiibIhiqqqhii")
"""The fields of ``_Header``."""
_OVERHEAD: Final = struct.calcsize(">qi")
"""The bytes of a batch that its length does not count."""
_START: Final = struct.Struct(">8xi4xBB4xB")
"""Of the header the length, the magic, and the byte that holds the codec: the first one in the
formats before 2, the second one since."""
_CRC_AT: Final = struct.calcsize(">qiib")
_ATTRIBUTES_AT: Final = struct.calcsize(">qiibI")
_CODEC_BITS: Final = 7
_MAGIC: Final = 2
"""The format of batches that brokers have written since Kafka 0.11."""
_HEADER_NAME: Final = f"rollguard-not-unpacked-{token_hex(16)}"
"""The header of the record that takes the place of a batch. No producer knows its name."""

Headers = Sequence[tuple[str, bytes | None]]


class NotUnpackedBatch(NamedTuple):
    """A batch that was not unpacked, and why. In its place stands one record without a value.

    The record has the last offset of the batch, so that whoever commits it has passed the batch.
    """

    first_offset: int
    last_offset: int
    reason: str

    @property
    def text(self) -> str:
        """Say which records are concerned, and why."""
        return (
            f"the compressed batch with the offsets {self.first_offset} to {self.last_offset} "
            f"was not unpacked: {self.reason}"
        )


def not_unpacked_in(headers: Headers) -> NotUnpackedBatch | None:
    """Return the batch in whose place the record with these headers stands; None for others."""
    if len(headers) != 1 or headers[0][0] != _HEADER_NAME:
        return None
    return NotUnpackedBatch(*json.loads(headers[0][1] or b""))


def first_offset_of(record: ConsumerRecord) -> int:
    """Return the offset of a record, or the first of the batch in whose place it stands."""
    batch = not_unpacked_in(record.headers)
    return record.offset if batch is None else batch.first_offset


class _Header(NamedTuple):
    """The header of a batch, with its fields in their order."""

    base_offset: int
    length: int
    leader_epoch: int = 0
    magic: int = _MAGIC
    crc: int = 0
    attributes: int = 0
    last_offset_delta: int = 0
    first_timestamp: int = 0
    greatest_timestamp: int = 0
    producer_id: int = -1
    producer_epoch: int = -1
    sequence: int = -1
    records: int = 1

    @property
    def last_offset(self) -> int:
        """The offset of the last record."""
        return self.base_offset + self.last_offset_delta


class _Batch(NamedTuple):
    """A batch within what the broker sent: it lies from ``begin`` to ``end``."""

    begin: int
    end: int
    magic: int
    codec: int


class Budget:
    """How many bytes may still be unpacked. It may be overdrawn by one batch."""

    def __init__(self, left: int) -> None:
        self.left = left


def unpacked(data: bytes, unpacker: Unpacker, budget: Budget) -> bytes:
    """Return the batches with none of them compressed.

    A batch that cannot be unpacked is replaced by a single record (``NotUnpackedBatch``). When the
    budget is used up, the compressed batches that are left, and all after them, are left out; the
    consumer then fetches them again.
    """
    parts: list[bytes | memoryview] = []
    view = memoryview(data)
    plain_from = at = 0
    for batch in _compressed(data):
        at = batch.begin
        if budget.left <= 0:
            break
        parts += view[plain_from:at], _plain(view[at : batch.end], batch, unpacker, budget)
        plain_from = batch.end
    else:
        if not parts:
            return data
        at = len(data)
    return b"".join((*parts, view[plain_from:at]))


def _compressed(data: bytes) -> Iterator[_Batch]:
    """Yield the batches that are compressed. An incomplete batch at the end is none."""
    at, last = 0, len(data) - _START.size
    while at <= last:
        length, magic, old_codec, new_codec = _START.unpack_from(data, at)
        end = at + _OVERHEAD + length
        if not at < end <= len(data):
            return
        if codec := (new_codec if magic >= _MAGIC else old_codec) & _CODEC_BITS:
            yield _Batch(at, end, magic, codec)
        at = end


def _plain(data: memoryview, batch: _Batch, unpacker: Unpacker, budget: Budget) -> bytes:
    """Return a batch without compression; one that is damaged on its way is returned as it is."""
    if batch.magic < _MAGIC:
        (offset,) = struct.unpack_from(">q", data)
        reason = "it has an old format of Kafka, which is read only without compression"
        return _replacement(_Header(offset, 0), NotUnpackedBatch(offset, offset, reason))
    if len(data) < _HEADER.size:
        return bytes(data)
    header = _Header._make(_HEADER.unpack_from(data))
    if calc_crc32c(data[_ATTRIBUTES_AT:]) != header.crc:
        return bytes(data)  # the consumer finds this, and fetches the batch again
    packed = data[_HEADER.size :]
    most = min(MAX_BATCH_BYTES, max(MAX_REQUEST_BYTES, _MAX_RATIO * len(packed)))
    try:
        records = unpacker.unpack(batch.codec, packed, most)
    except NotUnpacked as error:
        codec = CODECS[batch.codec] if batch.codec < len(CODECS) else "unknown codec"
        reason = f"{codec}, {len(data)} bytes: {error}"
        refused = NotUnpackedBatch(header.base_offset, header.last_offset, reason)
        return _replacement(header, refused)
    budget.left -= len(records)
    return _batch(header, records)


def _replacement(header: _Header, batch: NotUnpackedBatch) -> bytes:
    """Return a batch with these offsets and one record at the last one, which has no value."""
    name, reason = _HEADER_NAME.encode(), json.dumps(batch).encode()
    fields = bytearray([0])  # attributes, of which a record has none
    for number in (0, batch.last_offset - batch.first_offset, -1, -1, 1, len(name)):
        encode_varint(number, fields.append)
    fields += name
    encode_varint(len(reason), fields.append)
    fields += reason
    record = bytearray()
    encode_varint(len(fields), record.append)
    return _batch(header._replace(records=1), bytes(record + fields))


def _batch(header: _Header, records: bytes) -> bytes:
    """Return a batch of these records without compression, with the other fields of the header."""
    plain = header._replace(
        length=_HEADER.size - _OVERHEAD + len(records),
        attributes=header.attributes & ~_CODEC_BITS,
        crc=0,
    )
    batch = bytearray(_HEADER.pack(*plain)) + records
    crc = calc_crc32c(memoryview(batch)[_ATTRIBUTES_AT:])
    batch[_CRC_AT:_ATTRIBUTES_AT] = crc.to_bytes(4)
    return bytes(batch)

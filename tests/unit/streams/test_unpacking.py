"""Compressed batches are unpacked within limits, and nothing else is changed."""

from collections.abc import Iterator
from contextlib import suppress
from secrets import token_hex
from typing import Any, Final, NamedTuple

import pytest
from aiokafka.codec import (
    gzip_encode,
    lz4_encode,
    snappy_encode,
    zstd_encode,
)
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from streams.unpacking.batches import (
    MAX_BATCH_BYTES,
    Budget,
    not_unpacked_in,
    unpacked,
)
from streams.unpacking.codecs import CODECS, MAX_BLOCKS, MAX_STREAMS, NotUnpacked, Unpacker
from tests.support.inputs.bombs import MIB, bomb

NUMBERS: Final = range(1, len(CODECS))
ENCODERS: Final = [
    (1, gzip_encode),
    (2, snappy_encode),
    (2, lambda data: snappy_encode(data, xerial_compatible=False)),
    (3, lz4_encode),
    (4, zstd_encode),
]


class Read(NamedTuple):
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


def batch(codec: int, values: list[bytes], offset: int = 0, producer: int = -1) -> bytes:
    builder: Any = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=codec,
        is_transactional=int(producer >= 0),
        producer_id=producer,
        producer_epoch=0 if producer >= 0 else -1,
        base_sequence=-1,
        batch_size=1 << 30,
    )
    for number, value in enumerate(values):
        assert builder.append(number, 1_000 + number, b"words", value, [("h", b"1")])
    data = bytearray(builder.build())
    data[:8] = offset.to_bytes(8)
    return bytes(data)


def batches(data: bytes) -> Iterator[Any]:
    found: Any = MemoryRecords(data)
    while found.has_next():
        each = found.next_batch()
        assert each.validate_crc()
        yield each


def read(data: bytes) -> list[Read]:
    return [
        Read(each.offset, each.timestamp, each.key, each.value, tuple(each.headers))
        for found in batches(data)
        for each in found
    ]


VALUES: Final = [b"value %d " % number * 20 for number in range(50)]


@pytest.mark.parametrize("codec", NUMBERS)
def test_all_records_are_read_as_before(codec: int) -> None:
    data = b"".join(
        (
            batch(0, VALUES),
            batch(codec, VALUES, 50),
            batch(0, VALUES, 100),
            batch(codec, VALUES, 150),
        )
    )
    plain = unpacked(data, Unpacker(MAX_BATCH_BYTES), Budget(MAX_BATCH_BYTES))
    assert read(plain) == read(data)
    assert len(read(plain)) == 200
    assert not any(each.compression_type for each in batches(plain))


def test_what_is_not_compressed_is_not_touched() -> None:
    data = batch(0, VALUES) + batch(0, VALUES, 50)
    assert unpacked(data, Unpacker(1), Budget(1)) is data
    assert unpacked(b"", Unpacker(1), Budget(1)) == b""


@pytest.mark.parametrize("codec", NUMBERS)
@pytest.mark.parametrize("left", [1, 60, 100])
def test_an_incomplete_batch_at_the_end_stays(codec: int, left: int) -> None:
    part = batch(codec, VALUES, 50)[:left]
    plain = unpacked(batch(codec, VALUES) + part, Unpacker(MAX_BATCH_BYTES), Budget(MIB))
    assert plain.endswith(part)
    assert len(read(plain)) == 50


@pytest.mark.parametrize(
    ("codec", "size"), [("gzip", 16), ("snappy", 17), ("lz4", 16), ("zstd", 128)]
)
def test_a_batch_that_is_too_large_becomes_a_record_that_names_its_offsets(
    codec: str, size: int
) -> None:
    data = bytearray(bomb(codec, size * MIB))
    data[:8] = (700).to_bytes(8)
    after = batch(0, VALUES, 700 + size)
    replaced, *others = read(unpacked(bytes(data) + after, Unpacker(MAX_BATCH_BYTES), Budget(MIB)))
    assert others == read(after)
    assert (replaced.offset, replaced.key, replaced.value) == (700 + size - 1, None, None)
    found = not_unpacked_in(replaced.headers)
    assert found is not None
    assert (found.first_offset, found.last_offset) == (700, 700 + size - 1)
    most = 16 * MIB if codec == "snappy" else 4 * MIB + 64 * 1024
    assert f"more than {most} bytes" in found.text
    assert codec in found.text


@pytest.mark.parametrize("codec", ["gzip", "lz4", "zstd"])
def test_what_a_topic_allows_without_compression_it_allows_with_it(codec: str) -> None:
    assert len(read(unpacked(bomb(codec, 4 * MIB), Unpacker(MAX_BATCH_BYTES), Budget(1)))) == 4
    assert len(read(unpacked(bomb(codec, 5 * MIB), Unpacker(MAX_BATCH_BYTES), Budget(1)))) == 1


def test_a_batch_that_is_packed_as_usual_may_be_larger() -> None:
    values = [token_hex(1_000).encode() * 4 for _ in range(1_800)]
    assert sum(map(len, values)) > 14_000_000
    data = batch(4, values)
    assert len(read(unpacked(data, Unpacker(MAX_BATCH_BYTES), Budget(1)))) == 1_800


@pytest.mark.parametrize("codec", NUMBERS)
def test_a_batch_of_an_aborted_transaction_stays_one(codec: int) -> None:
    data = batch(codec, [bytes(MIB)] * 2, producer=7)
    for highest in (MAX_BATCH_BYTES, MIB):
        [found] = batches(unpacked(data, Unpacker(highest), Budget(1)))
        assert (found.producer_id, found.is_transactional) == (7, True)
        assert (found.base_offset, found.next_offset) == (0, 2)


@pytest.mark.parametrize("codec", NUMBERS)
def test_what_the_budget_is_not_enough_for_is_left_out_and_fetched_again(codec: int) -> None:
    parts = [batch(0, VALUES), *(batch(codec, VALUES, 50 * each) for each in range(1, 5))]
    data, offset, answers = b"".join(parts), 0, 0
    found: list[Read] = []
    while offset < 250:
        rest = b"".join(part for part in parts if int.from_bytes(part[:8]) >= offset)
        found += read(unpacked(rest, Unpacker(MIB), Budget(1)))
        offset = found[-1].offset + 1
        answers += 1
    assert found == read(data)
    assert answers == 4


def test_a_damaged_batch_is_left_to_the_consumer() -> None:
    data = bytearray(batch(1, VALUES))
    data[-5] ^= 1
    assert unpacked(bytes(data), Unpacker(MIB), Budget(1)) == bytes(data)


@pytest.mark.parametrize("size", [23, 40, 60])
def test_a_batch_that_is_too_short_is_left_to_the_consumer(size: int) -> None:
    data = bytearray(batch(1, VALUES)[:size])
    data[8:12] = (size - 12).to_bytes(4)
    assert unpacked(bytes(data), Unpacker(MIB), Budget(1)) == bytes(data)


def test_an_old_compressed_message_is_refused() -> None:
    old = bytearray((9).to_bytes(8) + (60).to_bytes(4) + bytes(60))
    old[16:18] = b"\x01\x01"  # format 1, gzip
    [replaced] = read(unpacked(bytes(old), Unpacker(MIB), Budget(1)))
    found = not_unpacked_in(replaced.headers)
    assert replaced.offset == 9
    assert found is not None
    assert "old format" in found.text


def test_nobody_can_make_such_a_record() -> None:
    assert not_unpacked_in([("rollguard-not-unpacked", b'[1, 2, "x"]')]) is None
    assert not_unpacked_in([]) is None


@given(st.binary(max_size=300), st.integers(0, 7))
def test_bytes_of_any_kind_are_unpacked_or_refused(data: bytes, codec: int) -> None:
    with suppress(NotUnpacked):
        assert len(Unpacker(2_000).unpack(codec, memoryview(data), 1_000)) <= 1_000


@pytest.mark.parametrize(("codec", "encode"), ENCODERS)
def test_the_limit_is_exact(codec: int, encode: Any) -> None:
    data = bytes(range(256)) * 400
    packed = memoryview(encode(data))
    unpacker = Unpacker(len(data))
    assert unpacker.unpack(codec, packed, len(data)) == data
    assert unpacker.unpack(codec, packed, 2 * len(data)) == data
    with pytest.raises(NotUnpacked):
        unpacker.unpack(codec, packed, len(data) - 1)


def test_several_streams_of_gzip_are_one() -> None:
    packed = gzip_encode(b"a" * 600) + gzip_encode(b"b" * 600)
    unpacker = Unpacker(2_000)
    assert unpacker.unpack(1, memoryview(packed), 1_200) == b"a" * 600 + b"b" * 600
    with pytest.raises(NotUnpacked):
        unpacker.unpack(1, memoryview(packed), 1_199)


def test_many_empty_parts_are_refused_before_they_cost_much() -> None:
    """Each takes some time to unpack, so 4 MB of empty ones could keep a worker from anything."""
    stream, block = gzip_encode(b""), (1).to_bytes(4) + b"\0"
    for codec, head, part, most, named in (
        (1, gzip_encode(b"x"), stream, MAX_STREAMS - 1, "streams"),
        (2, snappy_encode(b"x"), block, MAX_BLOCKS - 1, "blocks"),
    ):
        unpacker = Unpacker(1_000)
        assert unpacker.unpack(codec, memoryview(head + most * part), 1_000) == b"x"
        with pytest.raises(NotUnpacked, match=f"more than {most + 1} {named}"):
            unpacker.unpack(codec, memoryview(head + 4 * MIB // len(part) * part), 1_000)

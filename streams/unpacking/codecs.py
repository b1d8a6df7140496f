"""The codecs of Kafka, each decoded into a limited amount of memory.

The decoders of aiokafka have no limit: 1 MB of gzip may become 1 GB. The number of parts is
limited, too, because each costs time, also an empty one.
"""

import mmap
import struct
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import cramjam

CODECS: Final = ("none", "gzip", "snappy", "lz4", "zstd")
"""The names of the codecs, by their number in the attributes of a batch."""

_GZIP_FORMAT: Final = zlib.MAX_WBITS | 16
_XERIAL_MAGIC: Final = b"\x82SNAPPY\0"
MAX_STREAMS: Final = 100
"""How many streams of gzip may follow each other. Producers write one. The decoder copies what
comes after a stream, so 200,000 of a byte each, in 4 MB, would take 17 s."""
MAX_BLOCKS: Final = 20_000
"""How many blocks of snappy there may be. Producers write 32 KiB or more into nearly each."""
_XERIAL_HEADER: Final = 16
"""The magic and two versions. Then come blocks: their lengths, each before its block."""


class NotUnpacked(Exception):
    """Data that is damaged, or beyond a limit; the text says which."""


class Unpacker:
    """Unpacks data within limits, none higher than ``highest``. Not for two threads at once."""

    def __init__(self, highest: int) -> None:
        self._highest = highest
        self._decoders: dict[str, Callable[[memoryview, int], bytes]] = {
            "gzip": _gzip,
            "snappy": _snappy,
            "lz4": partial(self._into_room, cramjam.lz4.decompress_into),
            "zstd": partial(self._into_room, cramjam.zstd.decompress_into),
        }
        self._room: mmap.mmap | None = None

    def unpack(self, codec: int, data: memoryview, most: int) -> bytes:
        """Return the data unpacked, at most so many bytes. Raises NotUnpacked."""
        name = CODECS[codec] if codec < len(CODECS) else f"codec {codec}"
        decode = self._decoders.get(name)
        if decode is None:
            raise NotUnpacked(f"{name} is not known")
        try:
            return decode(data, min(most, self._highest))
        except (cramjam.DecompressionError, zlib.error, struct.error) as error:
            raise NotUnpacked(
                f"it is damaged, or more than {most} bytes when it is unpacked ({error})"
            ) from error

    def _into_room(
        self, decode_into: Callable[[memoryview, memoryview], int], data: memoryview, most: int
    ) -> bytes:
        """Unpack into memory of exactly the limit; the decoder raises if that is too small.

        The system provides the pages of this memory when they are written to for the first time.
        """
        if self._room is None:
            self._room = mmap.mmap(-1, self._highest)
        with memoryview(self._room) as room, room[:most] as space:
            return bytes(space[: decode_into(data, space)])


def _gzip(data: memoryview, most: int) -> bytes:
    """Unpack one stream of gzip, or several that follow each other."""
    rest: Any = data
    parts: list[bytes] = []
    left = most
    while rest:
        if len(parts) == MAX_STREAMS:
            raise NotUnpacked(f"it has more than {MAX_STREAMS} streams")
        stream = zlib.decompressobj(_GZIP_FORMAT)
        part = stream.decompress(rest, left + 1)
        left -= len(part)
        if left < 0:
            raise _too_large(most)
        if not stream.eof:
            raise zlib.error("the stream has no end")
        parts.append(part)
        rest = stream.unused_data.lstrip(b"\0")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _snappy(data: memoryview, most: int) -> bytes:
    """Unpack snappy, as one block or in the blocks of Java's library.

    A block says in its first bytes how long it is when it is unpacked, and is refused by the
    decoder if that is not true.
    """
    if bytes(data[: len(_XERIAL_MAGIC)]) != _XERIAL_MAGIC:
        return _snappy_block(data, most, most)
    parts: list[bytes] = []
    left, at = most, _XERIAL_HEADER
    while at < len(data):
        (length,) = struct.unpack_from(">i", data, at)
        at += 4
        if len(parts) == MAX_BLOCKS:
            raise NotUnpacked(f"it has more than {MAX_BLOCKS} blocks")
        if not 0 < length <= len(data) - at:
            raise struct.error(f"a block of {length} bytes")
        parts.append(_snappy_block(data[at : at + length], left, most))
        left -= len(parts[-1])
        at += length
    return b"".join(parts)


def _snappy_block(block: memoryview, left: int, most: int) -> bytes:
    if cramjam.snappy.decompress_raw_len(block) > left:
        raise _too_large(most)
    return bytes(cramjam.snappy.decompress_raw(block))


def _too_large(most: int) -> NotUnpacked:
    return NotUnpacked(f"it is more than {most} bytes when it is unpacked")

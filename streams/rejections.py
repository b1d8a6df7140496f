"""Why a record is rejected, in one word: so that causes can be counted."""

from typing import Final, Literal

from schemas.errors import Rejected, Unverified

Cause = Literal[
    "content",
    "key",
    "partition",
    "time",
    "size",
    "packing",
    "signature",
    "unknown_version",
    "not_forwarded",
]
"""What is wrong with a record. ``content``: what its value says. ``packing``: its batch cannot be
unpacked. ``time``: it is too far ahead. ``not_forwarded``: it lies in a wrong partition, and the
detector may not write to the right one."""


class WrongKey(Rejected):
    """A record whose key is not the name of its tool."""


class WrongPartition(Rejected):
    """A record that does not lie in the partition of its key.

    Before it is refused, it must be certain that the topics have as many partitions as this process
    believes (``streams.broker_topics.watch``).
    """


class WrongTime(Rejected):
    """A record that names a time too far ahead."""


class TooLarge(Rejected):
    """A record that has, or would have, too many bytes."""


class BadPacking(Rejected):
    """A batch of records that cannot be unpacked."""


_CAUSES: Final[dict[type[Rejected], Cause]] = {
    WrongKey: "key",
    WrongPartition: "partition",
    WrongTime: "time",
    TooLarge: "size",
    BadPacking: "packing",
    Unverified: "signature",
}


def cause_of(error: Rejected) -> Cause:
    """Return why a record was rejected."""
    return _CAUSES.get(type(error), "content")

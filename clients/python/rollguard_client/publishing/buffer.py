"""The records that wait for Kafka: bounded, and filled by any thread without waiting."""

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from rollguard_client.publishing.spool import Place

RECORD_BYTES = 400
"""The memory that a record takes beside its texts, about."""


class Record(msgspec.Struct, gc=False):
    """A record as it is sent. The garbage collector need not look at it: it refers to no other."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    """A list, as aiokafka wants it."""
    place: "Place | None" = None
    """Where it lies in the spool."""
    number: int = 0
    """How many records of this process were published before it; 0 while it is in the buffer.

    -1 if another process has published it, whose spool we have found.
    """

    @property
    def size(self) -> int:
        """How many bytes of memory it takes, about."""
        return RECORD_BYTES + len(self.value)

    def record(self, _new_id: Callable[[], str]) -> "Record":
        """Return itself: it is ready."""
        return self


class Waiting(Protocol):
    """Something that becomes a record when it is sent."""

    @property
    def size(self) -> int:
        """How many bytes of memory it takes, about."""

    @property
    def place(self) -> "Place | None":
        """Where it lies in the spool."""

    def record(self, new_id: Callable[[], str]) -> Record:
        """Return the record. ``new_id`` gives it an id if it has none."""


class Buffer:
    """A queue with limits: if it is full, the oldest records are dropped and counted.

    The lock may be taken again by its own thread, because a signal handler or a finalizer may call
    a tool while a record is put.
    """

    def __init__(self, most_records: int, most_bytes: int) -> None:
        self._most_records = most_records
        self._most_bytes = most_bytes
        self.lock = threading.RLock()
        self._waiting: deque[Waiting] = deque()
        self._bytes = 0
        self.accepted = 0
        """How many records were put since the start of the process."""
        self.dropped = 0
        """How many records were dropped since the start of the process."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, waiting: Waiting) -> None:
        """Add a record, and drop the oldest ones if there are too many."""
        with self.lock:
            records = self._waiting
            records.append(waiting)
            self.accepted += 1
            self._bytes += waiting.size
            while len(records) > self._most_records or self._bytes > self._most_bytes:
                self._bytes -= self._waiting.popleft().size
                self.dropped += 1

    def take(self, most: int) -> list[Waiting]:
        """Remove the oldest records, at most so many, and return them."""
        with self.lock:
            taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            self._bytes -= sum(each.size for each in taken)
        return taken

    def oldest(self) -> Waiting | None:
        """Return the record that waits longest; None if none waits."""
        return self._waiting[0] if self._waiting else None

"""The newest executions of the current version, one by one."""

from bisect import bisect_right
from typing import NamedTuple
from uuid import UUID

import msgspec

from schemas.failures.error_class import class_in, is_signature_error


class RingExecution(NamedTuple):
    """One execution of the ring.

    ``error_class`` is None for a success, and for a failure whose class is not known.
    """

    executed_us: int
    execution_id: UUID
    success: bool
    error_class: str | None
    is_signature_error: bool


class Ring(msgspec.Struct, array_like=True, gc=False):
    """The newest executions in the order of ``executed_at``; arrival breaks ties; the newest last.

    Three lists of the same length, because rows are read and written thousands of times a second:
    times in microseconds, the 16 bytes of the UUIDs, and errors. In ``errors`` a success is None,
    a failure is its label (``schemas/failures/error_class.py``), and "" if its class is not known.
    """

    times_us: list[int] = []
    ids: list[bytes] = []
    errors: list[str | None] = []

    def add(self, at_us: int, execution_id: bytes, error: str | None, size: int) -> None:
        """Insert an execution after all that are not newer; keep the newest ``size``."""
        times, ids, errors = self.times_us, self.ids, self.errors
        if not times or times[-1] <= at_us:
            times.append(at_us)
            ids.append(execution_id)
            errors.append(error)
        else:
            index = bisect_right(times, at_us)
            times.insert(index, at_us)
            ids.insert(index, execution_id)
            errors.insert(index, error)
        if len(times) > size:
            del times[:-size], ids[:-size], errors[:-size]

    def add_successes(self, times_us: list[int], ids: list[bytes], size: int) -> None:
        """Do the same as ``add`` for each of these successes, whose times ascend."""
        if self.times_us and self.times_us[-1] > times_us[0]:
            for at_us, execution_id in zip(times_us, ids, strict=True):
                self.add(at_us, execution_id, None, size)
            return
        self.times_us = (self.times_us + times_us[-size:])[-size:]
        self.ids = (self.ids + ids[-size:])[-size:]
        self.errors = (self.errors + [None] * min(len(ids), size))[-size:]

    def errors_since(self, since_us: int) -> list[str | None]:
        """Return ``errors`` of the executions at ``since_us`` or later."""
        times = self.times_us
        if not times or times[0] >= since_us:
            return self.errors
        return [error for at, error in zip(times, self.errors, strict=True) if at >= since_us]

    def newest(self, number: int) -> list[RingExecution]:
        """Return the newest ``number`` executions, the newest last."""
        executions = [
            RingExecution(
                at_us,
                UUID(bytes=execution_id),
                error is None,
                None if error is None else class_in(error),
                is_signature_error(error),
            )
            for at_us, execution_id, error in zip(self.times_us, self.ids, self.errors, strict=True)
        ]
        return executions[len(executions) - number :]

"""Later verdicts on a version: how many of its executions were judged, and how many were bad."""

from typing import Final, Self
from uuid import UUID
from zlib import crc32

import msgspec

from schemas.rules.rules import Rules

REMEMBERED: Final = 8
"""The ids of so many verdicts are remembered, so that a repeated verdict does not count again."""
_BYTES: Final = 2
"""Of each id a checksum of so many bytes. So one verdict of 8,000 is taken for a repeated one, and
does not count: it would take a thousand times as many to change a decision."""


class LaterVerdicts(msgspec.Struct, array_like=True, gc=False):
    """Counts of the current activation and of its baseline version."""

    judged: int = 0
    bad: int = 0
    baseline_judged: int = 0
    """0 if too few executions of the baseline version were judged."""
    baseline_bad: int = 0
    newest: bytes = b""
    """Checksums of the ids of the newest verdicts, the newest last."""

    def count(self, verdict_id: UUID, bad: bool) -> bool:
        """Count a verdict unless it is one of the newest; return whether it counted."""
        checksum = crc32(verdict_id.bytes).to_bytes(4, "big")[-_BYTES:]
        newest = self.newest
        if any(newest[at : at + _BYTES] == checksum for at in range(0, len(newest), _BYTES)):
            return False
        self.newest = (newest + checksum)[-REMEMBERED * _BYTES :]
        self.judged += 1
        self.bad += bad
        return True

    def replaced(self, rules: Rules) -> Self:
        """Return what the next version is compared with: this one, or what this one was with."""
        if self.judged >= rules.baseline_executions:
            return type(self)(0, 0, self.judged, self.bad, self.newest)
        return self.again()

    def again(self) -> Self:
        """Return what a version is compared with that gets the same baseline."""
        return type(self)(0, 0, self.baseline_judged, self.baseline_bad, self.newest)

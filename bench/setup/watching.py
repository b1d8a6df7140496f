"""Watches workers under a load: every second their memory, their groups and their lag."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.setup.environment import Environment, Worker

_EVERY_S: Final = 1.0
_GROWTH: Final = 1.1
_ROOM_BYTES: Final = 32_000_000
"""In the last third of the load the memory of a worker may reach 1.1 times what it reached in the
first two thirds, and 32 MB more. Memory that grows with the lag would grow by half."""


@dataclass(frozen=True)
class _Sample:
    rss_bytes: dict[str, int]
    behind: int


class Watch:
    """Takes samples while ``run`` runs; ``require`` checks them afterwards."""

    def __init__(self, environment: Environment, workers: Sequence[Worker]) -> None:
        self._environment = environment
        self._workers = workers
        self._samples: list[_Sample] = []
        self._loaded = 0
        self._wrong: list[str] = []
        self._members: dict[str, frozenset[str]] = {}

    async def run(self) -> None:
        """Take samples without end."""
        while True:
            await self._look()
            await asyncio.sleep(_EVERY_S)

    def load_ended(self) -> None:
        """Mark the end of the load: later samples are not under load."""
        self._loaded = len(self._samples)

    async def _look(self) -> None:
        behind = 0
        rss_bytes: dict[str, int] = {}
        for worker in self._workers:
            if not worker.runs:
                self._wrong.append(f"{worker.name} has ended: {worker.output.read_text()[-500:]}")
                continue
            rss_bytes[worker.name] = worker.rss_bytes
            status, body = await worker.page("/healthz")
            if status == 503:
                self._wrong.append(f"{worker.name} is not alive: {body}")
            behind += await self._environment.groups.lag(worker.role)
            state, members = await self._environment.groups.members(worker.role)
            if state != "Stable" or members != self._members.setdefault(worker.role, members):
                self._wrong.append(f"the {worker.role}s' group is {state}: {sorted(members)}")
        self._samples.append(_Sample(rss_bytes, behind))

    @property
    def most_behind(self) -> int:
        """The greatest lag in records, of all roles together."""
        return max(sample.behind for sample in self._samples)

    def peaks(self) -> dict[str, int]:
        """Return, by role, the largest memory of one worker, in bytes."""
        found: dict[str, int] = defaultdict(int)
        for worker in self._workers:
            of = [sample.rss_bytes.get(worker.name, 0) for sample in self._samples]
            found[worker.role] = max(found[worker.role], *of)
        return found

    def require(self) -> None:
        """Raise AssertionError with all that did not hold."""
        loaded = self._samples[: self._loaded]
        assert len(loaded) >= 3, "the load was too short to say anything"
        wrong = list(dict.fromkeys(self._wrong))
        if not loaded[-1].behind > loaded[0].behind:
            wrong.append("nobody fell behind: this was no pressure")
        late = len(loaded) * 2 // 3
        for worker in self._workers:
            early, last = (
                max(sample.rss_bytes.get(worker.name, 0) for sample in some)
                for some in (loaded[:late], loaded[late:])
            )
            if last > _GROWTH * early + _ROOM_BYTES:
                wrong.append(f"{worker.name} grows: {early:,} bytes, then {last:,}")
        assert not wrong, "; ".join(wrong)

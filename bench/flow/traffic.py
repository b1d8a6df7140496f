"""A generated log for benchmarks: many good tools, and a few that break again and again. Pure.

Every tenth tool gets a new version after 60 executions, which breaks in one of three ways. After 25
more executions its first version is current again, as after a rollback; then this repeats. All
other tools fail once in 500 executions. An execution has about 190 bytes.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Final, Self
from uuid import UUID

from policy.decision.fold import commands_of_log
from schemas.execution import ActivatedBy, Activation, Execution
from schemas.fields import micros_of
from schemas.rollback import RollbackCommand
from schemas.rules.rules import Rules

STEP: Final = timedelta(milliseconds=10)
"""The event time from one execution to the next."""
_BROKEN: Final = 10
"""One of so many tools breaks; the first tool is one that does."""
_CYCLE, _BREAKS_AT, _BACK_AT = 100, 60, 85
"""Counted in executions of a tool."""


@dataclass(frozen=True)
class Traffic:
    """The number of tools and of executions.

    The n-th tool has 1/n**zipf of the executions of the first; if ``zipf`` is 0, all have as many.
    """

    tools: int
    executions: int
    zipf: float = 0.0


@dataclass(frozen=True)
class Log:
    """Keys and values of `tool-executions`, with activations, and the commands they demand.

    The commands are by tool.
    """

    records: list[tuple[bytes, bytes]]
    commands: dict[str, list[RollbackCommand]]

    @classmethod
    def of(cls, traffic: Traffic, seed: int = 1) -> Self:
        """Return the log of this seed, with times that end a minute ago."""
        records, logs, now = [], defaultdict(list), datetime.now(UTC)
        for offset, entry in enumerate(_entries(traffic, now, Random(seed))):
            tool = entry.tool_name
            records.append((tool.encode(), entry.to_bytes()))
            logs[tool].append((offset, micros_of(now) // 1000, entry))
        return cls(records, {tool: commands_of_log(log, Rules()) for tool, log in logs.items()})

    @property
    def command_ids(self) -> set[UUID]:
        """The ids of the commands of all tools."""
        return {each.command_id for commands in self.commands.values() for each in commands}


def _entries(traffic: Traffic, now: datetime, random: Random) -> Iterator[Activation | Execution]:
    at = now - timedelta(minutes=1) - STEP * traffic.executions
    tools = [_Tool(f"tool-{n}", n % _BROKEN == 0, random) for n in range(traffic.tools)]
    for tool in tools:
        yield tool.activation(at, "deployment", 1)
    shares = list(accumulate(1 / (n + 1) ** traffic.zipf for n in range(traffic.tools)))
    for tool in random.choices(tools, cum_weights=shares, k=traffic.executions):
        at += STEP
        yield from tool.next(at)


class _Tool:
    def __init__(self, name: str, breaks: bool, random: Random) -> None:
        self._name = name
        self._breaks = breaks
        self._random = random
        self._executions = self._activations = self._version = 0
        self._newest = 1

    def next(self, at: datetime) -> Iterator[Activation | Execution]:
        """Yield the tool's next execution; before it an activation, if one is due."""
        position = self._executions % _CYCLE if self._breaks else 0
        self._executions += 1
        if position == _BREAKS_AT:
            self._newest += 1
            yield self.activation(at, "deployment", self._newest)
        if position == _BACK_AT:
            yield self.activation(at, "rollback", 1)
        error = self._error(position - _BREAKS_AT)
        yield Execution(
            execution_id=self._id(),
            tool_name=self._name,
            version_id=self._version,
            success=error is None,
            error=error,
            executed_at=at,
            duration_ms=1.5,
        )

    def activation(self, at: datetime, kind: str, version: int) -> Activation:
        """Make this version current; return the activation."""
        self._activations += 1
        self._version = version
        return Activation(
            tool_name=self._name,
            version_id=version,
            version_number=version,
            code_hash=f"{version:064x}",
            activation=self._activations,
            activated_at=at,
            activated_by=ActivatedBy.model_validate({"kind": kind, "id": self._id()}),
        )

    def _error(self, nth: int) -> str | None:
        """Return the error of the n-th execution of the current version, counted from 0.

        A broken version fails always, or with a signature error at every other call, or at a
        quarter of the calls.
        """
        if self._version == 1:
            return "ValueError: by chance" if self._random.random() < 0.002 else None
        if self._version % 3 == 0:
            return "ValueError: always"
        if self._version % 3 == 1:
            return "TypeError: missing argument" if nth % 2 == 0 else None
        return "ValueError: now and then" if nth % 4 == 3 else None

    def _id(self) -> UUID:
        return UUID(int=self._random.getrandbits(128), version=4)

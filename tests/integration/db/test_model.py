"""Versions, trust and targets compared with a model that is as simple as possible."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.postgres.pool import Connection, connect
from db.versions.reading import history
from tests.support.cases import cases
from tests.support.inputs.stored import command, deploy, deployment, roll_back

AUTOMATIC: dict[str, Any] = {"tier": "fast", "reason": "high_failure_rate"}

Step = tuple[Literal["human", "autonomous", "automatic", "manual", "link"], Any, Any]
"""What happens, and to what: a code; the number of a version or None; two numbers."""

Said = tuple[str, int | None]
"""A status or a rejection, and the number of the version that is current if it was applied."""


@dataclass
class Version:
    code: str
    previous: int | None


@dataclass
class Model:
    """Versions by number - 1; what of the code is not trusted; which number is current."""

    versions: list[Version] = field(default_factory=list)
    distrusted: set[str] = field(default_factory=set)
    current: int | None = None

    def deploy(self, by: str, code: str) -> Said:
        if by == "human":
            self.distrusted.discard(code)
        if self.current and self.of(self.current).code == code:
            return "unchanged", self.current
        self.versions.append(Version(code, self.current))
        self.current = len(self.versions)
        return "created", self.current

    def roll_back(self, by: str, to: int | None) -> Said:
        if to is not None and to > len(self.versions):
            return "unknown_version", None
        if self.current is None:
            return "no_previous_version", None
        if to == self.current:
            return "already_current", None
        replaced = self.of(self.current).code
        bad = self.distrusted | ({replaced} if by == "automatic" else set())
        target = to or self.target(bad)
        if target is None:
            return "no_previous_version", None
        self.current = target
        if by == "automatic":
            self.distrusted.add(replaced)
        else:
            self.distrusted.discard(self.of(target).code)
        return "applied", target

    def target(self, bad: set[str]) -> int | None:
        seen = set()
        number = self.current
        while number and number not in seen:
            seen.add(number)
            if number != self.current and self.of(number).code not in bad:
                return number
            number = self.of(number).previous
        return None

    def of(self, number: int) -> Version:
        return self.versions[number - 1]

    def seen(self) -> list[tuple[str, int | None, bool, bool]]:
        return [
            (each.code, each.previous, number == self.current, each.code not in self.distrusted)
            for number, each in enumerate(self.versions, 1)
        ]


NUMBERS = st.integers(1, 6)
CODES = st.sampled_from(["a", "b", "c"])
CRASH_POINTS = st.one_of(
    st.tuples(st.sampled_from(["human", "autonomous"]), CODES, st.none()),
    st.tuples(st.sampled_from(["automatic", "manual"]), st.none(), st.none()),
    st.tuples(st.just("autonomous"), CODES, st.none()),
    st.tuples(st.sampled_from(["automatic", "manual"]), NUMBERS, st.none()),
    st.tuples(st.just("link"), NUMBERS, NUMBERS),
)


async def take(conn: Connection, tool: str, step: Step) -> Said:
    """Take the same step in the database."""
    kind, first, _ = step
    if kind in ("human", "autonomous"):
        deployed = await deploy(conn, deployment(first, tool, created_by=kind))
        return deployed.status, deployed.version_number
    named = {} if first is None else {"to_version_id": await id_of(conn, tool, first)}
    fields = AUTOMATIC if kind == "automatic" else {}
    outcome = await roll_back(conn, command(tool, **fields, **named))
    return outcome.rejection or outcome.status, outcome.to_version_number


async def id_of(conn: Connection, tool: str, number: int) -> int:
    """Return the id of a version by its number; an id that no version has if there is none."""
    sql = "select version_id from tool_versions where tool_name = $1 and version_number = $2"
    return await conn.fetchval(sql, tool, number) or 2**31 - 1


async def link(conn: Connection, tool: str, number: int, previous: int) -> None:
    await conn.execute(
        "update tool_versions set previous_version_id = $2 where version_id = $1",
        await id_of(conn, tool, number),
        await id_of(conn, tool, previous),
    )


async def seen(conn: Connection, tool: str) -> list[tuple[str, int | None, bool, bool]]:
    versions = (await history(conn, tool, 100))[::-1]
    assert [each.version_number for each in versions] == list(range(1, len(versions) + 1))
    numbers = {each.version_id: each.version_number for each in versions}
    return [
        (each.code, numbers.get(each.previous_version_id or 0), each.is_current, each.trusted)
        for each in versions
    ]


async def follow(conn: Connection, steps: list[Step]) -> None:
    """Both take each step, and must agree on what came of it and on everything that is seen."""
    tool, model = str(uuid4()), Model()
    for step in steps:
        kind, first, second = step
        if kind == "link":
            if max(first, second) <= len(model.versions):
                model.of(first).previous = second
                await link(conn, tool, first, second)
            continue
        expected = (
            model.deploy(kind, first)
            if kind in ("human", "autonomous")
            else model.roll_back(kind, first)
        )
        assert await take(conn, tool, step) == expected
        assert await seen(conn, tool) == model.seen()


@pytest.mark.exhaustive
@pytest.mark.timeout(540)  # a difference takes its time to be made short
def test_whatever_happens_the_model_agrees(database_dsn: str) -> None:
    with asyncio.Runner() as runner:
        conn = runner.run(connect(database_dsn))

        @settings(max_examples=cases(40))
        @given(st.lists(CRASH_POINTS, min_size=10, max_size=40))
        def follows(steps: list[Step]) -> None:
            runner.run(follow(conn, steps))

        follows()
        runner.run(conn.close())

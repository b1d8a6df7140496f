"""States that are remembered are those that would be computed anew."""

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from agents.detector.known_states import KnownStates
from policy.decision.fold import fold_all
from policy.decision.policies import Policies
from policy.state.log import LogRecord
from policy.state.outage_watch import KEY, OutageWatch, encode_watch
from policy.state.row import encode
from tests.support.policy.partition_logs import BEGIN_MS, SENSITIVE, PartitionLogWriter

POLICIES = Policies(SENSITIVE.rules_of)
LASTS = {KEY: encode_watch(OutageWatch(spans=[(BEGIN_MS, None)]))}
PARTITIONS = 2


def row_after(tool: str, failed: list[bool]) -> bytes:
    writer = PartitionLogWriter()
    writer.deploy(tool, BEGIN_MS)
    for second, is_failure in enumerate(failed):
        writer.run(tool, BEGIN_MS + 1_000 * second, not is_failure)
    log = [LogRecord.of(*each) for each in writer.log]
    row, _ = fold_all(None, log, POLICIES.of(tool))
    assert row is not None
    return encode(row)


TOOLS = ["a", "b", "c", "d"]
ROWS = [row_after("a", [True] * failures + [False] * 3) for failures in (0, 1, 12)]
ROWS += [row_after("a", [False] * 3 + [True] * 12), row_after("a", [])]
partitions = st.lists(
    st.tuples(st.dictionaries(st.sampled_from(TOOLS), st.sampled_from(ROWS)), st.booleans()),
    min_size=PARTITIONS,
    max_size=PARTITIONS,
)


class Table:
    """The rows of some partitions."""

    def __init__(self, contents: list[tuple[dict[str, bytes], bool]]) -> None:
        self._rows = [
            {tool.encode(): data for tool, data in tools.items()} | (LASTS if lasts else {})
            for tools, lasts in contents
        ]

    def rows_of(self, partition: int) -> dict[bytes, bytes]:
        return self._rows[partition]


async def states(known: KnownStates, table: Table, ours: list[int]) -> list[dict[str, Any]]:
    return await known.of(cast(Any, table), ours)


@given(st.lists(st.tuples(partitions, st.sets(st.integers(0, PARTITIONS - 1))), max_size=6))
async def test_what_is_remembered_is_what_would_be_computed(
    asked: list[tuple[list[tuple[dict[str, bytes], bool]], set[int]]],
) -> None:
    known = KnownStates(POLICIES, SENSITIVE.outages)
    for contents, ours in asked:
        table = Table(contents)
        fresh = KnownStates(POLICIES, SENSITIVE.outages)
        found = await states(known, table, sorted(ours))
        assert found == await states(fresh, table, sorted(ours))
        assert len(found) == sum(len(contents[each][0]) for each in ours)


async def test_only_what_has_changed_is_computed_again() -> None:
    known = KnownStates(POLICIES, SENSITIVE.outages)
    quiet, failed = ROWS[0], ROWS[3]
    before = await states(known, Table([({"a": quiet, "b": quiet}, False)]), [0])
    after = await states(known, Table([({"a": quiet, "b": failed}, False)]), [0])
    assert [each["state"] for each in before] == ["healthy", "healthy"]
    assert [each["state"] for each in after] == ["healthy", "condemned"]
    assert after[0] is before[0]
    outage = await states(known, Table([({"a": quiet, "b": failed}, True)]), [0])
    assert [each["state"] for each in outage] == ["healthy", "suspect"]

"""Outages that are seen over all partitions, against an oracle in exact fractions."""

from fractions import Fraction
from math import ceil, comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.rollbacks.fleet_outage import SeenTool, loudest_in_outage, others_are_well
from schemas.rules.outages import OutageRules

RULES = OutageRules()


def tools(failing: int, number: int, failed_before: int = 5, producer: str = "") -> list[SeenTool]:
    """Return so many tools with 100 executions each; the first ones fail now."""
    return [SeenTool(n < failing, producer, 100, failed_before) for n in range(number)]


@pytest.mark.parametrize(
    ("failing", "number", "failed_before", "is_outage"),
    [
        (10, 10, 5, True),
        (5, 10, 5, True),
        (4, 10, 5, False),  # fewer than half
        (4, 4, 5, True),
        (3, 3, 5, False),  # fewer than four tools
        (2, 4, 5, False),  # by chance: 6 * 0.06 ** 2 = 0.02
        (10, 10, 50, True),  # 1 / 1,024
        (9, 10, 50, False),  # 11 / 1,024
        (10, 10, 90, True),  # the usual rate is one half at most
        (0, 0, 0, False),
    ],
)
def test_it_takes_many_failing_tools_and_no_chance(
    failing: int, number: int, failed_before: int, is_outage: bool
) -> None:
    found = loudest_in_outage(tools(failing, number, failed_before), RULES)
    assert (found is not None) == is_outage


def test_others_must_not_be_well() -> None:
    found = loudest_in_outage([*tools(6, 6, producer="loud"), *tools(2, 4, producer="b")], RULES)
    assert found == "loud"
    assert others_are_well([False, False, True], RULES)
    assert not others_are_well([False, True], RULES)
    assert not others_are_well([], RULES), "nobody is known to be well"


Tool = tuple[bool, str, int, int]


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from("abc"), st.integers(0, 50), st.integers(0, 50)),
        max_size=14,
    ),
    st.integers(2, 6),
    st.sampled_from((0.25, 0.5, 0.9)),
)
def test_the_oracle_agrees(seen: list[Tool], least: int, share: float) -> None:
    rules = OutageRules(outage_tools=least, outage_share=share)
    executed = [SeenTool(failed, who, good + bad, bad) for failed, who, good, bad in seen]
    assert loudest_in_outage(executed, rules) == _oracle(seen, rules)


def _oracle(seen: list[Tool], rules: OutageRules) -> str | None:
    failing = [who for failed, who, _, _ in seen if failed]
    if len(seen) < rules.outage_tools or len(failing) < rules.outage_share * len(seen):
        return None
    bad = sum(each[3] for each in seen)
    usual = Fraction(ceil(Fraction(1_000 * (bad + 1), bad + sum(e[2] for e in seen) + 20)), 1_000)
    usual = min(usual, Fraction(1, 2))
    tail = sum(
        comb(len(seen), n) * usual**n * (1 - usual) ** (len(seen) - n)
        for n in range(len(failing), len(seen) + 1)
    )
    if tail > Fraction(1, 1_000):
        return None
    return max(sorted(set(failing), reverse=True), key=lambda who: (failing.count(who), who))

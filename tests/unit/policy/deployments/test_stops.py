"""Stops: which one refuses a deployment, against an oracle that looks at each minute by itself."""

from datetime import UTC, datetime, timedelta
from typing import Final, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.deployments.stops import (
    REFUSALS,
    Attempt,
    as_of,
    begins_wait,
    is_in_force,
    stop_of,
    was_in_force,
)
from schemas.deployment import StopRefusal
from schemas.rollback import Tier
from schemas.rules.rules import PolicyName, Rules
from schemas.stops import Stop, StopKind

BEGIN: Final = datetime(2026, 1, 31, tzinfo=UTC)
MINUTES: Final = 12
TOOLS: Final = ("a", "b")
CODES: Final = ("x", "y")


def at(minute: int) -> datetime:
    return BEGIN + timedelta(minutes=minute)


@st.composite
def stops(draw: st.DrawFn) -> Stop:
    """Draw a stop that Postgres may hold."""
    kind = draw(st.sampled_from(get_args(StopKind)))
    tools: tuple[str | None, ...] = (None, *TOOLS) if kind in ("pin", "freeze") else TOOLS
    began = draw(st.integers(0, MINUTES - 1))
    later = st.none() | st.integers(began + 1, MINUTES)
    expires = draw(later) if kind in ("pin", "freeze") else None
    ended = draw(later)
    if ended is not None and expires is not None:
        ended = min(ended, expires)
    return Stop(
        kind=kind,
        tool_name=draw(st.sampled_from(tools)),
        version_id=1 if kind == "rejection" else None,
        code_hash=draw(st.sampled_from(CODES)) if kind == "rejection" else None,
        reason="why",
        set_by="ann",
        began_at=at(began),
        expires_at=None if expires is None else at(expires),
        ended_at=None if ended is None else at(ended),
        ended_by=None if ended is None else "ben",
        ended_how=None if ended is None else "removed",
    )


attempts = st.builds(
    Attempt,
    st.sampled_from(TOOLS),
    st.sampled_from(("human", "autonomous")),
    st.sampled_from(CODES),
)


def lasting_minutes(stop: Stop) -> set[int]:
    """Return the minutes at whose beginning the stop is in force, one by one."""
    ends = [each for each in (stop.expires_at, stop.ended_at) if each is not None]
    return {
        minute
        for minute in range(MINUTES + 2)
        if stop.began_at <= at(minute) and all(at(minute) < end for end in ends)
    }


def is_about(stop: Stop, attempt: Attempt) -> bool:
    match stop.kind:
        case "pin":
            return False
        case "freeze" if stop.tool_name is None:
            return True
        case "freeze" | "wait":
            return stop.tool_name == attempt.tool_name
    return (stop.tool_name, stop.code_hash) == (attempt.tool_name, attempt.code_hash)


def expected(attempt: Attempt, said: list[Stop], minute: int) -> StopRefusal | None:
    """Return the refusal by the words of the documentation."""
    if attempt.created_by == "human":
        return None
    kinds = {
        stop.kind for stop in said if is_about(stop, attempt) and minute in lasting_minutes(stop)
    }
    if "freeze" in kinds:
        return "frozen"
    if "wait" in kinds:
        return "waits_for_resume"
    return "rejected" if "rejection" in kinds else None


@given(attempts, st.lists(stops(), max_size=8), st.integers(0, MINUTES + 1))
def test_which_refusal(attempt: Attempt, said: list[Stop], minute: int) -> None:
    begun = [stop for stop in said if stop.began_at <= at(minute)]
    found = stop_of(attempt, begun, at(minute))
    refusal = expected(attempt, begun, minute)
    assert (found and REFUSALS[found.kind]) == refusal
    if found is None:
        return
    last = len(lasting_minutes(found))
    for other in begun:
        if other.kind == found.kind and is_about(other, attempt):
            remaining = {each for each in lasting_minutes(other) if each >= minute}
            if minute in remaining:
                assert len(remaining) <= last, "the one that lasts longest is named"


@given(stops(), st.integers(0, MINUTES + 1), st.integers(1, MINUTES + 1))
def test_when_it_is_in_force(stop: Stop, first: int, length: int) -> None:
    minutes = lasting_minutes(stop)
    now = at(first)
    if stop.began_at <= now:
        assert is_in_force(stop, now) == (first in minutes)
    if first + length <= MINUTES + 1:
        some = bool(minutes & set(range(first, first + length)))
        assert was_in_force(stop, now, at(first + length)) == some
    assert was_in_force(stop, now, None) == bool(minutes & set(range(first, MINUTES + 2)))


@given(stops(), st.integers(0, MINUTES + 1))
def test_what_has_expired_has_ended(stop: Stop, minute: int) -> None:
    found = as_of(stop, at(minute))
    if stop.ended_at is not None or stop.expires_at is None or at(minute) < stop.expires_at:
        assert found is stop
        return
    assert (found.ended_at, found.ended_by, found.ended_how) == (stop.expires_at, None, "expired")


def test_of_a_tool_and_of_all_tools_the_one_that_lasts_longest_is_named() -> None:
    attempt = Attempt("a", "autonomous", "x")

    def freeze(tool: str | None, until: int | None) -> Stop:
        return Stop(
            kind="freeze",
            tool_name=tool,
            reason="why",
            set_by="ann",
            began_at=at(0),
            expires_at=None if until is None else at(until),
        )

    for own, of_all, longest in (
        (2, 3, None),
        (3, 2, "a"),
        (2, 2, "a"),
        (None, 9, "a"),
        (9, None, None),
    ):
        for said in (
            [freeze("a", own), freeze(None, of_all)],
            [freeze(None, of_all), freeze("a", own)],
        ):
            found = stop_of(attempt, said, at(1))
            assert found is not None
            assert found.tool_name == longest


@pytest.mark.parametrize(
    ("policy", "setting", "waits"),
    [
        ("seed", None, False),
        ("guarded", None, True),
        ("seed", True, True),
        ("guarded", False, False),
    ],
)
def test_after_whose_rollback_deployments_wait(
    policy: PolicyName, setting: bool | None, waits: bool
) -> None:
    rules = Rules(policy=policy, wait_after_manual_rollback=setting)
    assert begins_wait("manual", rules) == waits
    for tier in get_args(Tier):
        assert tier == "manual" or not begins_wait(tier, rules)

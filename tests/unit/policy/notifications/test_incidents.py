"""Which news a chat is told, and by which routes."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.notifications.incidents import TOLD_AGAIN_AFTER, Incidents
from policy.notifications.news import Links, News
from policy.notifications.other_news import news_of_deployment, news_of_outage
from policy.notifications.rollback_news import news_of_rollback
from policy.notifications.routes import is_told
from schemas.notify_file import Route
from schemas.outage_notice import OutageNotice
from schemas.rollback import Status
from tests.support.notifications import AT, outcome, refused

LINKS = Links(None)


def _news(**fields: Any) -> News:
    return news_of_rollback(outcome(**fields), LINKS, 3_600)


def _parts(*several: News) -> list[str]:
    incidents = Incidents()
    parts: list[str] = []
    for news in several:
        part = incidents.part_of(news)
        parts.append(part)
        if part != "nothing new":
            incidents.note(news)
    return parts


def test_the_same_again_is_nothing_new_for_a_day() -> None:
    late = AT + TOLD_AGAIN_AFTER
    rejected = {"status": "rejected", "rejection": "pinned"}
    assert _parts(
        _news(**rejected),
        _news(**rejected, applied_at=late - timedelta(seconds=1)),
        _news(**rejected, applied_at=late),
    ) == ["first", "nothing new", "update"]


def test_after_a_rollback_the_same_version_begins_a_new_incident() -> None:
    applied = _news()
    assert _parts(_news(status="held"), applied, applied, _news(status="held"), _news()) == [
        "first",
        "update",
        "nothing new",
        "first",
        "update",
    ]


def test_only_so_many_incidents_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policy.notifications.incidents.MAX_INCIDENTS", 3)
    incidents = Incidents()
    several = [_news(tool=f"t{n}", status="held") for n in range(4)]
    for news in several:
        incidents.note(news)
    assert incidents.part_of(_news(tool="t0", status="held")) == "first"
    assert incidents.part_of(_news(tool="t1", status="held")) == "nothing new"


_OUTCOMES = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(get_args(Status)), st.integers(0, 3)),
    max_size=12,
)


@given(_OUTCOMES)
def test_a_chat_learns_every_change_and_each_rollback(
    outcomes: Sequence[tuple[str, Status, int]],
) -> None:
    """A chat that reads what it is told knows the newest state of each incident."""
    incidents = Incidents()
    known: dict[str, Status] = {}
    last: dict[str, Status] = {}
    told_rollbacks = 0
    for tool, status, _ in outcomes:
        news = _news(tool=tool, status=status)
        last[tool] = status
        if incidents.part_of(news) != "nothing new":
            incidents.note(news)
            known[tool] = status
            told_rollbacks += status == "applied"
    assert known == last
    assert told_rollbacks == sum(status == "applied" for _, status, _ in outcomes)


_OUTAGE = news_of_outage(OutageNotice(outage_partition=1, began_at=AT), LINKS)
_REFUSED = news_of_deployment(refused("pay-in"), LINKS, 1)
_HELD = _news(tool="pay-in", status="held", tier="immediate")


@pytest.mark.parametrize(
    ("routes", "told"),
    [
        ([], [True, True, True]),
        ([Route()], [True, True, True]),
        ([Route(tools=["pay-*"])], [False, True, True]),
        ([Route(tools=["*"])], [False, True, True]),
        ([Route(tools=["PAY-*", "other"])], [False, False, False]),
        ([Route(tiers=["immediate", "fast"])], [False, False, True]),
        ([Route(tiers=["manual"])], [False, False, False]),
        ([Route(statuses=["outage"])], [True, False, False]),
        ([Route(statuses=["held", "refused"], tools=["pay-in"])], [False, True, True]),
        ([Route(tools=["x"]), Route(statuses=["outage"])], [True, False, False]),
    ],
)
def test_routes(routes: list[Route], told: list[bool]) -> None:
    assert _REFUSED is not None
    assert [is_told(routes, each) for each in (_OUTAGE, _REFUSED, _HELD)] == told

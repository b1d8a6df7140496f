"""The bodies of messages: CloudEvents, alerts and chats, whatever outsiders write into a record."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.notifications.alert import LASTS, alert
from policy.notifications.chat import MAX_CHARACTERS, chat_message
from policy.notifications.cloud_event import cloud_event
from policy.notifications.news import Links, News
from policy.notifications.other_news import news_of_deployment, news_of_outage, news_of_test
from policy.notifications.rollback_news import news_of_rollback
from policy.notifications.texts import plain
from schemas.explanation import SeenError
from schemas.outage_notice import OutageNotice
from schemas.rollback import RollbackOutcome
from tests.support.notifications import AT, explanation, outcome, refused

LINKS = Links("https://rollguard.example.com/base/")
NOW = AT + timedelta(seconds=5)
MAX_EVENT_BYTES = 256 * 1024
HOSTILE = (
    "<!channel> *x* `rm` [a](http://evil.example) <http://evil.example|Approve> @here\u202e\n• ok"
)


def _news(told: RollbackOutcome) -> News:
    return news_of_rollback(told, LINKS, 3_600)


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({}, "Rolled back words from version id 7 to v2, id 5"),
        (
            {"status": "held", "hold_reason": "fleet_budget"},
            "A rollback waits for a person: words from version id 7 to v2, id 5",
        ),
        (
            {"status": "observed"},
            "Dry run, nothing was changed: words would be rolled back from version id 7 to v2, "
            "id 5",
        ),
        (
            {"status": "rejected", "rejection": "pinned", "to_version_id": None},
            "Not rolled back: words from version id 7: it is pinned",
        ),
    ],
)
def test_each_status_has_its_title(fields: dict[str, Any], title: str) -> None:
    assert plain(_news(outcome(**fields)).title) == title


def test_a_rollback_says_why_what_it_cost_and_three_errors() -> None:
    lines = [f"{each.name}: {plain(each.text)}" for each in _news(outcome()).lines]
    assert lines == [
        "Why: it fails more often than the version before (regression, fast)",
        "Rule: the evidence is strong enough",
        "Evidence: 12 of 20 calls failed; odds 400 to 1",
        "Cost: 12 of 20 calls failed",
        "Error: 4 × ValueError: 4",
        "Error: 3 × ValueError: 3",
        "Error: 2 × ValueError: 2",
        "At: 2026-03-01T12:00:00Z",
    ]


def test_an_event_has_the_attributes_of_cloud_events_and_the_outcome() -> None:
    told = outcome("a b/c")
    event = json.loads(cloud_event(_news(told), "prod-"))
    assert event["specversion"] == "1.0"
    assert (event["type"], event["source"], event["subject"]) == (
        "rollguard.rollback.applied",
        "/rollguard/prod-",
        "a b/c",
    )
    assert event["time"] == "2026-03-01T12:00:00Z"
    data = event["data"]
    assert (data["reason"], data["tier"], data["failed_calls"]) == ("regression", "fast", 12)
    assert [each["executions"] for each in data["explanation"]["errors"]] == [4, 3, 2]
    assert data["links"] == {
        "rollback": f"https://rollguard.example.com/base/rollbacks/{told.command_id}"
        "?tool=a%20b%2Fc",
        "tool": "https://rollguard.example.com/base/tools/a%20b%2Fc",
    }
    assert all(re.fullmatch("[a-z0-9]+", name) for name in event)


def test_an_outcome_that_is_told_again_has_the_same_id_and_another_one_another() -> None:
    held = outcome(status="held")
    same, applied = held.model_copy(), held.model_copy(update={"status": "applied"})
    by_person = held.model_copy(update={"tier": "manual", "reason": "manual"})
    of_other = held.model_copy(update={"tool_name": "other"})
    assert _news(held).id == _news(same).id
    assert len({_news(each).id for each in (held, applied, by_person, of_other)}) == 4
    assert _news(held).incident == _news(applied).incident == _news(outcome()).incident
    assert _news(outcome(from_version_id=8)).incident != _news(held).incident


def test_an_outage_begins_and_ends_as_one_incident() -> None:
    notice = OutageNotice(outage_partition=3, began_at=AT)
    over = OutageNotice(outage_partition=3, began_at=AT, over_at=AT + timedelta(seconds=90))
    began_news, over_news = news_of_outage(notice, LINKS), news_of_outage(over, LINKS)
    assert (began_news.type, over_news.type) == ("rollguard.outage.began", "rollguard.outage.over")
    assert began_news.incident == over_news.incident
    assert began_news.id != over_news.id
    assert json.loads(cloud_event(over_news, ""))["data"]["lasted_s"] == 90
    (firing,) = json.loads(alert(began_news, "", NOW))
    (resolved,) = json.loads(alert(over_news, "", NOW))
    assert firing["labels"] == resolved["labels"]
    assert firing["endsAt"] > "2026-03-02"
    assert resolved["endsAt"] == "2026-03-01T12:00:05Z"


def test_a_held_deployment_is_told_until_its_hold_ends() -> None:
    outcome = refused(status="held", refusal=None)
    news = news_of_deployment(outcome, LINKS, 4 * 3_600)
    assert news is not None
    event = json.loads(cloud_event(news, ""))
    assert event["type"] == "rollguard.deployment.held"
    assert (event["data"]["refusal"], event["data"]["findings"]) == (None, outcome.findings)
    assert event["data"]["links"]["holds"].endswith("/holds")
    assert "waits for a person" in event["data"]["summary"]
    assert any(str(outcome.deployment_id) in each["text"] for each in event["data"]["details"])
    (value,) = json.loads(alert(news, "", NOW))
    assert value["labels"]["alertname"] == "RollguardDeploymentHeld"
    assert value["endsAt"] == "2026-03-01T16:00:00Z"
    other = news_of_deployment(refused(status="held", refusal=None), LINKS, 1)
    dismissed = news_of_deployment(
        outcome.model_copy(update={"status": "refused", "refusal": "expired"}), LINKS, 1
    )
    assert other is not None
    assert dismissed is not None
    assert len({each.id for each in (news, other, dismissed)}) == 3
    assert len({each.incident for each in (news, other, dismissed)}) == 3


def test_only_refused_and_held_deployments_are_told() -> None:
    for status in ("created", "unchanged"):
        assert news_of_deployment(refused(status=status, refusal=None), LINKS, 1) is None
    news = news_of_deployment(refused(), LINKS, 1)
    assert news is not None
    event = json.loads(cloud_event(news, ""))
    assert event["type"] == "rollguard.deployment.refused"
    assert (event["data"]["refusal"], event["data"]["findings"]) == (
        "gate",
        ["it removes a parameter"],
    )


def test_the_alert_of_a_hold_fires_until_the_hold_ends() -> None:
    held = news_of_rollback(outcome(status="held"), LINKS, 4 * 3_600)
    (value,) = json.loads(alert(held, "prod-", NOW))
    assert value["labels"] == {
        "alertname": "RollguardRollback",
        "service": "rollguard",
        "system": "prod-",
        "tool": "words",
        "version_id": "7",
    }
    assert value["endsAt"] == "2026-03-01T16:00:00Z"
    dismissed = outcome(status="rejected", rejection="dismissed")
    (value,) = json.loads(alert(_news(dismissed), "prod-", NOW))
    assert value["endsAt"] == "2026-03-01T12:00:05Z"


def test_an_alert_that_is_sent_late_still_fires() -> None:
    late = datetime(2026, 3, 1, 20, tzinfo=UTC)
    (value,) = json.loads(alert(_news(outcome()), "", late))
    assert value["endsAt"] == (late + LASTS).isoformat().replace("+00:00", "Z")


def test_hostile_texts_are_shown_and_not_obeyed_in_a_chat() -> None:
    told = outcome(
        HOSTILE.replace("\n", " "),
        explanation=explanation(errors=[SeenError(error=HOSTILE, executions=1)]),
    )
    text = json.loads(chat_message(_news(told), "first"))["text"]
    assert "<!channel>" not in text
    assert "\u202e" not in text
    assert "\n• ok" not in text
    outside = re.sub("`[^`\n]*`|<https:[^>]*>", "", text)
    for part in ("evil", "@", "rm", "Approve"):
        assert part not in outside
    assert "@here" not in text
    assert re.findall("<[^>]*>", text) == [
        f"<{url}|{name}>" for name, url in _news(told).links.items()
    ]


def test_a_test_message_says_that_nothing_has_happened() -> None:
    news = news_of_test(outcome().command_id, AT, LINKS)
    assert "nothing has happened" in json.loads(chat_message(news, "first"))["text"]
    assert json.loads(cloud_event(news, ""))["type"] == "rollguard.test"
    assert "subject" not in json.loads(cloud_event(news, ""))
    (value,) = json.loads(alert(news, "", NOW))
    assert value["labels"] == {"alertname": "RollguardTest", "service": "rollguard"}


_TEXTS = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    [HOSTILE, "`" * 50, "<" * 400, "&" * 1_000, "\0", "x" * 9_000, "\ufdfd" * 300]
)


@given(
    tool=_TEXTS.map(lambda text: (text.replace("\0", "") or "x")[:255]),
    errors=st.lists(_TEXTS, max_size=5),
    rule=_TEXTS,
    changes=st.lists(_TEXTS, max_size=3) | st.just([HOSTILE] * 30),
)
def test_every_body_is_bounded_and_quotes_what_is_from_outside(
    tool: str, errors: list[str], rule: str, changes: list[str]
) -> None:
    told = outcome(
        tool,
        is_breaking_change=bool(changes),
        breaking_changes=changes,
        explanation=explanation(
            rule=rule,
            breaking_changes=changes,
            errors=[SeenError(error=each, executions=1) for each in errors],
        ),
    )
    news = _news(told)
    text = json.loads(chat_message(news, "update"))["text"]
    assert len(text) <= MAX_CHARACTERS
    assert text.count("`") % 2 == 0
    urls = set(news.links.values())
    assert {each[1:].partition("|")[0] for each in re.findall("<[^>]*>", text)} <= urls
    assert len(cloud_event(news, "")) < MAX_EVENT_BYTES
    body = alert(news, "", NOW)
    assert len(body) < MAX_EVENT_BYTES
    assert all(json.loads(body)[0]["labels"].values())

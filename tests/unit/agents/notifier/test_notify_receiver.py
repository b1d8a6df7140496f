"""The telling of one receiver, over real HTTP: order, retries, pauses, and what is committed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry
from standardwebhooks import Webhook

from agents.notifier.http_sender import HttpSender
from agents.notifier.notify_receiver import NotifyReceiver
from agents.notifier.reading import NewsReader
from agents.notifier.receiver_report import NotifierMetrics, ReceiverReport
from agents.notifier.receivers import Receiver
from agents.notifier.requests import sender_to
from policy.notifications.retrying import Schedule
from schemas.dead_letter import DeadLetter
from schemas.notify_file import Route
from schemas.rollback import RollbackOutcome
from schemas.settings import only_these_settings
from streams.driver.batch import Batch
from streams.driver.outbox import Outgoing
from streams.driver.progress import Progress
from streams.topics import Topics
from streams.waits import Waits
from tests.support.notifications import (
    SECRET,
    FakeReceiver,
    Received,
    fake_receiver,
    outcome,
    record_of,
    refused,
)
from tests.support.waiting import until

SETTINGS = only_these_settings()
TOPICS = Topics.of(SETTINGS)


class _Outbox:
    def __init__(self) -> None:
        self.dead_letters: list[DeadLetter] = []

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        self.dead_letters += [DeadLetter.from_bytes(each.value) for each in messages]


class _Notifier:
    """A handler with its receiver, and the offset that would be committed."""

    def __init__(self, fake: FakeReceiver, kind: Any, routes: Sequence[Route], answer_s: float):
        url = fake.url + ("/hook" if kind != "alertmanager" else "")
        self.receiver = Receiver("ops", kind, url, routes, SECRET)
        self.sender = HttpSender(answer_s)
        self.outbox, self.waits, self.registry = _Outbox(), Waits(), CollectorRegistry()
        self.bugs: list[BaseException] = []
        report = ReceiverReport("ops", NotifierMetrics(self.registry), self.waits.ticket())
        self.handler = NotifyReceiver(
            self.receiver,
            NewsReader(SETTINGS),
            sender_to(self.receiver, self.sender.send, ""),
            self.outbox,  # type: ignore[arg-type]
            "dead-letters",
            report,
            schedule=Schedule(first_s=0.01, most_s=0.05),
            fatal=self.bugs.append,
        )
        self.progress, self.next_offset, self.epoch = Progress(), 0, 0

    async def read(self, *outcomes: Any, at: datetime | None = None) -> None:
        """Hand over the outcomes as one batch."""
        records = []
        for each in outcomes:
            topic = (
                TOPICS.outcomes if isinstance(each, RollbackOutcome) else TOPICS.deployment_outcomes
            )
            records.append(record_of(topic, each.tool_name, each.to_bytes(), self.next_offset, at))
            self.next_offset += 1
        epoch = self.epoch
        batch = Batch(
            records,
            epoch=epoch,
            mark_done=lambda _, offset: self.progress.handled_to(offset + 1),
            set_aside=lambda _, offset: self.progress.set_aside(offset),
            resume=lambda _, offset: self.progress.resume(offset),
            is_ours=lambda _: epoch == self.epoch,
        )
        await self.handler.handle(batch)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, {"receiver": "ops", **labels})

    async def committed(self, offset: int) -> None:
        async def is_committed() -> bool:
            assert not self.bugs
            return self.progress.committable == offset

        await until(is_committed)


@asynccontextmanager
async def _notifier(
    fake: FakeReceiver, kind: str = "webhook", *routes: Route, answer_s: float = 60.0
) -> AsyncIterator[_Notifier]:
    notifier = _Notifier(fake, kind, routes, answer_s)
    try:
        yield notifier
    finally:
        await notifier.handler.finish()
        await notifier.sender.close()


def _ids(received: Sequence[Received]) -> list[str]:
    return [each.json["data"]["command_id"] for each in received]


async def test_an_event_is_signed_and_says_what_the_outcome_says() -> None:
    async with fake_receiver() as fake, _notifier(fake) as notifier:
        told = outcome()
        await notifier.read(told)
        await notifier.committed(1)
    (got,) = fake.taken
    event = Webhook(SECRET).verify(got.body, got.headers)
    assert got.path == "/hook"
    assert got.headers["Content-Type"].startswith("application/cloudevents+json")
    assert (event["specversion"], event["type"]) == ("1.0", "rollguard.rollback.applied")
    assert event["id"] == got.headers["webhook-id"]
    assert event["data"]["command_id"] == str(told.command_id)
    assert notifier.value("rollguard_notifications_total", result="delivered") == 1


async def test_a_receiver_that_fails_gets_each_tools_news_in_order() -> None:
    """Failures come in the middle; other tools do not wait, and nothing is committed too early."""
    failures = {"a": 3}

    def answer(got: Received) -> web.Response:
        tool = got.json["data"]["tool_name"]
        if failures.get(tool, 0) > 0:
            failures[tool] -= 1
            return web.Response(status=500)
        return web.Response()

    async with fake_receiver() as fake, _notifier(fake) as notifier:
        fake.answer = answer
        sent = {tool: [outcome(tool) for _ in range(4)] for tool in "ab"}
        await notifier.read(*(each for pair in zip(*sent.values(), strict=True) for each in pair))
        await notifier.committed(8)
        for tool, outcomes in sent.items():
            got = [each for each in fake.taken if each.json["data"]["tool_name"] == tool]
            assert _ids(got) == [str(each.command_id) for each in outcomes]
        assert notifier.value("rollguard_notification_failures_total") == 3


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_fails_the_order_holds_and_nothing_is_committed_before_it_is_told(
    seed: int,
) -> None:
    random = Random(seed)
    tools = "abcdef"
    sent = [outcome(random.choice(tools)) for _ in range(60)]
    offsets = {str(each.command_id): n for n, each in enumerate(sent)}
    left = set(range(len(sent)))

    async with fake_receiver() as fake, _notifier(fake) as notifier:

        def answer(got: Received) -> web.Response:
            assert notifier.progress.committable <= min(left)
            if random.random() < 0.3:
                return web.Response(status=random.choice([302, 404, 429, 500, 503]))
            left.discard(offsets[got.json["data"]["command_id"]])
            return web.Response()

        fake.answer = answer
        for begin in range(0, len(sent), 7):
            await notifier.read(*sent[begin : begin + 7])
        await notifier.committed(len(sent))
        assert left == set()
        for tool in tools:
            got = [each for each in fake.taken if each.json["data"]["tool_name"] == tool]
            assert _ids(got) == [str(each.command_id) for each in sent if each.tool_name == tool]


async def test_a_receiver_that_is_gone_is_said_and_gets_everything_later() -> None:
    async with fake_receiver() as fake, _notifier(fake) as notifier:
        await fake.stop()
        told = [outcome(), outcome(status="rejected", rejection="pinned")]
        await notifier.read(*told)

        async def is_said() -> bool:
            await notifier.handler.tell()
            return bool(notifier.waits.now())

        await until(is_said)
        (wait,) = notifier.waits.now()
        assert wait.part == "receiver 'ops'"
        assert "no connection" in wait.cause
        assert "127.0.0.1" not in wait.cause
        assert notifier.value("rollguard_notifications_waiting") == 2
        assert notifier.progress.committable == 0
        await fake.start()
        await notifier.committed(2)
        assert _ids(fake.taken) == [str(each.command_id) for each in told]
        await notifier.handler.tell()
        assert notifier.waits.now() == ()
        assert notifier.value("rollguard_notifications_waiting") == 0


async def test_a_slow_receiver_is_not_waited_for_longer_than_a_limit() -> None:
    slow = 2

    async def answer(_: Received) -> web.Response:
        nonlocal slow
        if slow:
            slow -= 1
            await asyncio.sleep(3_600)
        return web.Response()

    async with fake_receiver() as fake, _notifier(fake, answer_s=0.2) as notifier:
        fake.answer = answer
        await notifier.read(outcome())
        await notifier.committed(1)
        assert len(fake.requests) >= 3
        assert len({each.headers["webhook-id"] for each in fake.requests}) == 1


async def test_after_429_the_receiver_is_left_alone_for_as_long_as_it_asks() -> None:
    loop = asyncio.get_running_loop()
    times: list[float] = []

    def answer(_: Received) -> web.Response:
        times.append(loop.time())
        if len(times) == 1:
            return web.Response(status=429, headers={"Retry-After": "1"})
        return web.Response()

    async with fake_receiver() as fake, _notifier(fake) as notifier:
        fake.answer = answer
        await notifier.read(outcome("a"))
        failures = "rollguard_notification_failures_total"
        await until(_is_true(lambda: notifier.value(failures) == 1))
        await notifier.read(outcome("b"))  # it waits, too
        await notifier.committed(2)
    assert min(times[1:]) - times[0] >= 0.99


async def test_a_message_that_fails_alone_holds_up_only_its_own_tool() -> None:
    def answer(got: Received) -> web.Response:
        return web.Response(status=500 if b'"tool_name":"bad"' in got.body else 200)

    async with fake_receiver() as fake, _notifier(fake) as notifier:
        fake.answer = answer
        await notifier.read(outcome("bad"), *(outcome(f"good-{n}") for n in range(5)))

        async def all_good() -> bool:
            return len(fake.taken) == 5

        await until(all_good)
        assert notifier.progress.committable == 0
        assert notifier.outbox.dead_letters == []


async def test_a_message_that_the_receiver_refuses_becomes_a_dead_letter_after_some_tries() -> None:
    def answer(got: Received) -> web.Response:
        return web.Response(status=400 if b'"tool_name":"bad"' in got.body else 200)

    async with fake_receiver() as fake, _notifier(fake) as notifier:
        fake.answer = answer
        await notifier.read(outcome("bad"), outcome("good"))
        await notifier.committed(2)
    (dead_letter,) = notifier.outbox.dead_letters
    assert (dead_letter.role, dead_letter.topic, dead_letter.offset) == (
        "notifier",
        "rollback-outcomes",
        0,
    )
    assert dead_letter.error == "receiver 'ops' refuses the message after 5 tries: HTTP 400"
    assert notifier.value("rollguard_notifications_total", result="dead_letter") == 1


@pytest.mark.parametrize("is_well", [True, False])
async def test_news_of_yesterday_are_tried_once(is_well: bool) -> None:
    async with fake_receiver() as fake, _notifier(fake) as notifier:
        fake.answer = lambda _: web.Response(status=200 if is_well else 503)
        await notifier.read(outcome(), at=datetime.now(UTC) - timedelta(days=1, minutes=6))
        await notifier.committed(1)
        assert len(fake.requests) == 1
    errors = [each.error for each in notifier.outbox.dead_letters]
    late = "receiver 'ops' has not taken the message 24.1 h after the news, in 1 try: HTTP 503"
    assert errors == ([] if is_well else [late])


async def test_redirects_are_not_followed() -> None:
    async with fake_receiver() as other, fake_receiver() as fake, _notifier(fake) as notifier:
        fake.answer = lambda _: web.Response(status=307, headers={"Location": f"{other.url}/x"})
        await notifier.read(outcome())
        await until(_is_true(lambda: len(fake.requests) > 1))
        assert other.requests == []


async def test_a_chat_is_told_an_incident_once_and_then_only_what_is_new() -> None:
    again = {"status": "rejected", "rejection": "no_previous_version"}
    async with fake_receiver() as fake, _notifier(fake, "slack") as notifier:
        held = outcome(status="held")
        await notifier.read(
            *(outcome(**again) for _ in range(3)),
            held,
            held,  # published twice
            outcome(),
            outcome("other"),
            outcome(**again),  # the version was activated again: a new incident
        )
        await notifier.committed(8)
    texts = [each.json["text"] for each in fake.taken if "`words`" in each.json["text"]]
    assert [text.partition("`")[0] for text in texts] == [
        "Not rolled back: ",
        "*Update: *A rollback waits for a person: ",
        "*Update: *Rolled back ",
        "Not rolled back: ",
    ]
    assert notifier.value("rollguard_notifications_total", result="nothing_new") == 3


async def test_what_was_not_delivered_is_still_new_to_a_chat() -> None:
    async with fake_receiver() as fake, _notifier(fake, "slack") as notifier:
        fake.answer = lambda _: web.Response(status=400)
        await notifier.read(outcome(status="held"))
        await notifier.committed(1)
        fake.answer = lambda _: web.Response()
        await notifier.read(outcome(status="held"))
        await notifier.committed(2)
        assert len(fake.taken) == 1


async def test_an_alert_keeps_its_labels_while_its_incident_goes_on() -> None:
    async with fake_receiver() as fake, _notifier(fake, "alertmanager") as notifier:
        await notifier.read(outcome(status="held"), outcome())
        await notifier.committed(2)
    assert {each.path for each in fake.taken} == {"/api/v2/alerts"}
    (held,), (applied,) = (each.json for each in fake.taken)
    assert held["labels"] == applied["labels"]
    assert held["annotations"]["summary"] != applied["annotations"]["summary"]


async def test_only_what_a_route_asks_for_is_told() -> None:
    route = Route(tools=["pay-*"], statuses=["refused"])
    async with fake_receiver() as fake, _notifier(fake, "webhook", route) as notifier:
        await notifier.read(outcome("pay-in"), refused("words"), refused("pay-in"))
        await notifier.committed(3)
    assert [each.json["subject"] for each in fake.taken] == ["pay-in"]


async def test_what_went_to_another_worker_is_not_told_any_more() -> None:
    async with fake_receiver() as fake, _notifier(fake) as notifier:
        await fake.stop()
        await notifier.read(outcome("a"))
        notifier.epoch, notifier.progress, notifier.next_offset = 1, Progress(), 0
        await fake.start()
        await notifier.read(outcome("a"), outcome("b"))  # read again after the rebalance
        await notifier.committed(2)
        assert len(fake.taken) == 2
        assert await notifier.handler.tell() == 0


async def test_when_too_much_waits_nothing_more_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.notifier.notify_receiver.MAX_WAITING", 3)
    async with fake_receiver() as fake, _notifier(fake) as notifier:
        await fake.stop()
        reading = asyncio.create_task(notifier.read(*(outcome(f"t{n}") for n in range(6))))
        await until(_is_true(lambda: notifier.handler._waiting == 3))
        assert not reading.done()
        await fake.start()
        await notifier.committed(6)
        await reading


async def test_at_the_end_nothing_is_lost_that_was_not_delivered() -> None:
    async with fake_receiver() as fake, _notifier(fake) as notifier:
        await fake.stop()
        await notifier.read(outcome("a"))
        await notifier.handler.finish()
        await notifier.read(outcome("b"))
        assert notifier.progress.committable == 0


def _is_true(holds: Any) -> Any:
    async def check() -> bool:
        return bool(holds())

    return check

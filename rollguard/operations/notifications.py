"""The receivers of notifications: who they are, and whether they can be reached."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

from agents.notifier.http_sender import HttpSender
from agents.notifier.receivers import Receiver, receivers_of
from agents.notifier.requests import request_of
from policy.notifications.news import Links
from policy.notifications.other_news import news_of_test
from schemas.errors import Rejected
from schemas.notify_file import Route
from schemas.settings import Settings


class ShownReceiver(NamedTuple):
    """A receiver without what is secret of it."""

    name: str
    kind: str
    host: str
    routes: Sequence[Route]


class TriedReceiver(NamedTuple):
    """What came back from a receiver that was sent a test message."""

    name: str
    kind: str
    host: str
    delivered: bool
    answer: str
    body: str
    """The beginning of the answer's body."""


def shown_receivers(settings: Settings, name: str | None) -> list[ShownReceiver]:
    """Return the receivers, or the one with this name. Raises Misconfigured and Rejected."""
    return [
        ShownReceiver(each.name, each.kind, _host(each), each.routes)
        for each in _named(settings, name)
    ]


async def tested_receivers(settings: Settings, name: str | None) -> list[TriedReceiver]:
    """Send a test message to each receiver, or to the one with this name. Raises as above."""
    receivers = _named(settings, name)
    return list(await asyncio.gather(*(_tested(settings, each) for each in receivers)))


async def _tested(settings: Settings, receiver: Receiver) -> TriedReceiver:
    now = datetime.now(UTC)
    news = news_of_test(uuid4(), now, Links(settings.console_url))
    sender = HttpSender()
    try:
        request = request_of(receiver, news, "first", settings.topic_prefix, now)
        answer, body = await sender.send_and_read(request)
    finally:
        await sender.close()
    shown = receiver.hidden(body)
    host = _host(receiver)
    return TriedReceiver(
        receiver.name, receiver.kind, host, answer.is_delivered, answer.text, shown
    )


def _named(settings: Settings, name: str | None) -> list[Receiver]:
    receivers = receivers_of(settings)
    found = [each for each in receivers if name in (None, each.name)]
    if not found:
        known = ", ".join(each.name for each in receivers)
        raise Rejected(f"there is no receiver {name!r}: {known}")
    return found


def _host(receiver: Receiver) -> str:
    """Return the host alone: of a chat, the rest of the address is a secret."""
    return urlsplit(receiver.url).hostname or ""

"""The HTTP request that tells a receiver the news."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final, NamedTuple

from standardwebhooks import Webhook

from agents.notifier.receivers import Receiver
from policy.notifications.alert import ALERTS_PATH, alert
from policy.notifications.chat import chat_message
from policy.notifications.cloud_event import CONTENT_TYPE, cloud_event
from policy.notifications.incidents import Part
from policy.notifications.news import News
from policy.notifications.retrying import Answer

_JSON: Final = "application/json; charset=utf-8"
_AGENT: Final = f"rollguard/{version('rollguard')}"


class Request(NamedTuple):
    """A POST that is ready to be sent."""

    url: str
    body: bytes
    headers: dict[str, str]


def sender_to(
    receiver: Receiver, post: Callable[[Request], Awaitable[Answer]], topic_prefix: str
) -> Callable[[News, Part], Awaitable[Answer]]:
    """Return a function that tells a receiver news, by a function that sends a request."""

    async def send(news: News, part: Part) -> Answer:
        return await post(request_of(receiver, news, part, topic_prefix, datetime.now(UTC)))

    return send


def request_of(
    receiver: Receiver, news: News, part: Part, topic_prefix: str, now: datetime
) -> Request:
    """Return the request, signed at this time if the receiver is a webhook."""
    headers = {"User-Agent": _AGENT, "Content-Type": _JSON}
    if receiver.token is not None:
        headers["Authorization"] = f"Bearer {receiver.token}"
    match receiver.kind:
        case "webhook":
            body = cloud_event(news, topic_prefix)
            headers["Content-Type"] = CONTENT_TYPE
            headers |= _signature(receiver, str(news.id), now, body)
            return Request(receiver.url, body.encode(), headers)
        case "alertmanager":
            url = receiver.url.rstrip("/") + ALERTS_PATH
            return Request(url, alert(news, topic_prefix, now).encode(), headers)
        case "slack":
            return Request(receiver.url, chat_message(news, part).encode(), headers)


def _signature(receiver: Receiver, message_id: str, now: datetime, body: str) -> dict[str, str]:
    """Return the headers of Standard Webhooks."""
    assert receiver.secret is not None, "a webhook has a secret"
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(receiver.secret).sign(message_id, now, body),
    }

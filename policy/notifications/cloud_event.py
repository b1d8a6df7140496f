"""News as a CloudEvent 1.0 in JSON (structured mode)."""

import json
from typing import Final

from policy.notifications.news import News
from policy.notifications.texts import cut, plain
from schemas.fields import format_time
from schemas.printable import printable

CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
_MAX_SUBJECT: Final = 300


def cloud_event(news: News, topic_prefix: str) -> str:
    """Return the body of a webhook: JSON in ASCII."""
    event = {
        "specversion": "1.0",
        "type": news.type,
        "source": f"/rollguard/{topic_prefix}",
        "id": str(news.id),
        "time": format_time(news.at),
        "datacontenttype": "application/json",
        "data": {
            **news.data,
            "summary": plain(news.title),
            "details": [{"name": each.name, "text": plain(each.text)} for each in news.lines],
        },
    }
    subject = _subject(news)
    if subject is not None:
        # news with the same partition key come in order
        event |= {"subject": subject, "partitionkey": subject}
    return json.dumps(event, separators=(",", ":"), allow_nan=False)


def _subject(news: News) -> str | None:
    if news.tool_name is not None:
        return cut(printable(news.tool_name), _MAX_SUBJECT) or None
    return None if news.partition is None else f"partition {news.partition}"

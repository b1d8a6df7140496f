"""News as a message of a chat: an incoming webhook of Slack, or of one that takes the same.

Everything that comes from outside stands in code marks. There it is no link, no mention and no
markup; the marks themselves are replaced in it.
"""

import json
from typing import Final

from policy.notifications.incidents import Part
from policy.notifications.news import News
from policy.notifications.texts import Quote, Text, cut

MAX_CHARACTERS: Final = 3_500
"""Slack cuts messages of more than 4,000 characters."""
_TOO_LONG: Final = "(more is left out)"
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_IN_CODE: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "\u02cb", "@": "@\u200b"}
)
_MAX_LINK: Final = 1_000
"""A longer link is left out: that of a tool with a very long name."""
_MAX_IN_CODE: Final = 600
"""The longest quotation after it is escaped."""


def chat_message(news: News, part: Part) -> str:
    """Return the body of the webhook: JSON in ASCII."""
    begins = "Update: " if part == "update" else ""
    lines = [f"*{begins}*{_marked(news.title)}" if begins else _marked(news.title)]
    lines += [f"• {each.name}: {_marked(each.text)}" for each in news.lines]
    links = " · ".join(
        f"<{address}|{name}>"
        for name, url in news.links.items()
        if len(address := _address(url)) <= _MAX_LINK
    )
    text = _that_fit(lines, MAX_CHARACTERS - len(links) - 1)
    whole = f"{text}\n{links}" if links else text
    body = {"text": whole, "unfurl_links": False, "unfurl_media": False}
    return json.dumps(body, separators=(",", ":"))


def _marked(text: Text) -> str:
    return "".join(
        _code(each) if isinstance(each, Quote) else each.translate(_ESCAPES) for each in text
    )


def _code(quote: Quote) -> str:
    """Return a quotation in code marks. It is cut before it is escaped, to split no escape."""
    shown = quote.shown
    while len(escaped := shown.translate(_IN_CODE)) > _MAX_IN_CODE:
        shown = cut(shown, len(shown) // 2)
    return f"`{escaped}`"


def _address(url: str) -> str:
    return url.translate(_ESCAPES).replace("|", "%7C")


def _that_fit(lines: list[str], most: int) -> str:
    """Return the lines, without the last ones if they are too long together."""
    kept: list[str] = []
    left = most - len(_TOO_LONG) - 1
    for line in lines:
        left -= len(line) + 1
        if left < 0:
            return "\n".join([*kept, _TOO_LONG])
        kept.append(line)
    return "\n".join(kept)

"""Routes: which news a receiver is told."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from policy.notifications.news import News
from schemas.notify_file import Route


def is_told(routes: Sequence[Route], news: News) -> bool:
    """Return whether a receiver with these routes is told the news; without routes, everything."""
    return not routes or any(_meets(each, news) for each in routes)


def _meets(route: Route, news: News) -> bool:
    tool = news.tool_name
    if route.tools is not None and (
        tool is None or not any(fnmatchcase(tool, each) for each in route.tools)
    ):
        return False
    if route.tiers is not None and news.tier not in route.tiers:
        return False
    return route.statuses is None or news.status in route.statuses

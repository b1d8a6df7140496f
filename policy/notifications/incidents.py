"""Incidents: which news a chat is told, so that one incident does not fill it.

All that is said of one version of a tool is one incident. Its first news begins it; later ones are
told only if they say something else, or if the same lasts for a day. What was told is remembered
in memory alone: after a restart an incident may be told once more, and none is forgotten.
"""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple
from uuid import UUID

from policy.notifications.news import News

MAX_INCIDENTS: Final = 10_000
TOLD_AGAIN_AFTER: Final = timedelta(days=1)
Part = Literal["first", "update", "nothing new"]


class _Told(NamedTuple):
    """The news of an incident that was told last."""

    id: UUID
    says: tuple[str | None, ...]
    at: datetime
    is_over: bool


class Incidents:
    """What one receiver was told."""

    def __init__(self) -> None:
        self._told: OrderedDict[UUID, _Told] = OrderedDict()

    def part_of(self, news: News) -> Part:
        """Return what the news are to somebody who knows what was told before."""
        last = self._told.get(news.incident)
        if last is None:
            return "first"
        if last.id == news.id:
            return "nothing new"  # the outcome was published twice
        if last.is_over:
            return "first"
        if last.says == news.says and news.at - last.at < TOLD_AGAIN_AFTER:
            return "nothing new"
        return "update"

    def note(self, news: News) -> None:
        """Note that the news were told. Of many incidents, the ones told longest ago are forgotten.

        To be called after the news are delivered, so that nothing is left untold if they are not.
        """
        self._told[news.incident] = _Told(news.id, news.says, news.at, news.ends_incident)
        self._told.move_to_end(news.incident)
        if len(self._told) > MAX_INCIDENTS:
            self._told.popitem(last=False)

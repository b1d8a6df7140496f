"""What an answer of a receiver means, and when a message is tried again."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

DAY_S: Final = 86_400.0
"""After so long since the news, a message that nobody takes becomes a dead letter."""
MAX_RETRY_AFTER_S: Final = 3_600.0
"""A receiver may ask for a longer pause; then it is asked again after this one."""
REFUSED_TRIES: Final = 5
"""So often a message is tried that the receiver says is wrong. It is more than once, because a
server before the receiver may be wrong itself; and less than a day, because the next news of the
same tool wait for it."""
_REFUSING: Final = frozenset({400, 413, 414, 415, 422})
"""With these the receiver says that the message itself is at fault."""


class Answer(NamedTuple):
    """What came back from a receiver."""

    is_delivered: bool
    text: str
    """In words, for the log: it names no address."""
    is_refused: bool = False
    """Whether the receiver says that the message is wrong."""
    retry_after_s: float | None = None
    """For how long the receiver wants to be left alone."""


def answer_of(status: int, retry_after: str | None, now: datetime) -> Answer:
    """Return what a status and the header ``Retry-After`` mean."""
    if 200 <= status < 300:
        return Answer(True, f"HTTP {status}")
    if 300 <= status < 400:
        return Answer(False, f"HTTP {status}: redirects are not followed")
    pause_s = _seconds(retry_after, now) if status in (429, 503) else None
    return Answer(False, f"HTTP {status}", status in _REFUSING, pause_s)


def _seconds(retry_after: str | None, now: datetime) -> float | None:
    """Return the seconds that ``Retry-After`` asks for, as a number or as a date; None if none."""
    if retry_after is None or len(retry_after) > 64:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), MAX_RETRY_AFTER_S)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return min(max((at - now).total_seconds(), 0.0), MAX_RETRY_AFTER_S)


@dataclass(frozen=True)
class Schedule:
    """The pauses between tries: each is twice the one before."""

    first_s: float = 1.0
    most_s: float = 300.0

    def pause_s(self, tries: int, chance: float) -> float:
        """Return the pause after so many tries that failed.

        ``chance`` is a number in [0, 1): half of the pause is left to it, so that receivers that
        came back are not met by everything at once.
        """
        whole = min(self.first_s * 2.0 ** min(tries - 1, 32), self.most_s)
        return whole * (1 + chance) / 2


def is_given_up(answer: Answer, tries: int, age_s: float) -> bool:
    """Return whether a message that failed is not tried any more.

    ``age_s`` is the time since the news. What is older than a day when it is read is tried once.
    """
    return age_s >= DAY_S or (answer.is_refused and tries >= REFUSED_TRIES)


def why_given_up(receiver: str, answer: Answer, tries: int, age_s: float) -> str:
    """Return the error of the dead letter."""
    tried = f"{tries} {'try' if tries == 1 else 'tries'}"
    if answer.is_refused:
        return f"receiver {receiver!r} refuses the message after {tried}: {answer.text}"
    return (
        f"receiver {receiver!r} has not taken the message {age_s / 3600:.1f} h after the news, in "
        f"{tried}: {answer.text}"
    )

"""News as an alert of Alertmanager (``POST /api/v2/alerts``).

The labels name the incident, so that later news of it change the same alert; everything that
changes is an annotation. An alert is over by itself at ``endsAt``, which Alertmanager needs to lie
in the future to tell anybody.
"""

import json
from datetime import datetime, timedelta
from typing import Any, Final

from policy.notifications.news import News
from policy.notifications.texts import cut, plain
from schemas.fields import format_time
from schemas.printable import printable

ALERTS_PATH: Final = "/api/v2/alerts"
LASTS: Final = timedelta(hours=1)
"""How long an alert lasts about something that happened and is over."""
OUTAGE_LASTS: Final = timedelta(days=1)
"""How long the alert of an outage lasts at most, if nobody says that the outage is over."""
_TEST_LASTS: Final = timedelta(minutes=5)
_MAX_LABEL: Final = 300
_MAX_DESCRIPTION: Final = 4_000
_NAMES: Final = {
    "rollguard.rollback": "RollguardRollback",
    "rollguard.deployment.refused": "RollguardDeploymentRefused",
    "rollguard.deployment.held": "RollguardDeploymentHeld",
    "rollguard.outage": "RollguardOutage",
    "rollguard.test": "RollguardTest",
}


def alert(news: News, topic_prefix: str, now: datetime) -> str:
    """Return the body of a request with one alert: JSON in ASCII."""
    value: dict[str, Any] = {
        "labels": _labels(news, topic_prefix),
        "annotations": _annotations(news),
        "startsAt": format_time(min(news.at, now)),
        "endsAt": format_time(_ends_at(news, now)),
    }
    if news.links:
        value["generatorURL"] = next(iter(news.links.values()))
    return json.dumps([value], separators=(",", ":"), allow_nan=False)


def _labels(news: News, topic_prefix: str) -> dict[str, str]:
    """Return what names the incident. A label without a value is no label."""
    tool = news.tool_name
    labels = {
        "alertname": _name(news.type),
        "service": "rollguard",
        "system": topic_prefix,
        "tool": "" if tool is None else cut(printable(tool), _MAX_LABEL),
        "version_id": "" if news.version_id is None else str(news.version_id),
        "partition": "" if news.partition is None else str(news.partition),
    }
    return {name: value for name, value in labels.items() if value}


def _name(of_type: str) -> str:
    """Return the name of the alert: what happens to a rollback or an outage later is the same."""
    return _NAMES.get(of_type) or _NAMES[of_type.rpartition(".")[0]]


def _annotations(news: News) -> dict[str, str]:
    lines = "\n".join(f"{each.name}: {plain(each.text)}" for each in news.lines)
    ids = {
        name: str(news.data[name])
        for name in ("command_id", "deployment_id", "to_version_id")
        if name in news.data
    }
    return {
        "summary": plain(news.title),
        "description": cut(lines, _MAX_DESCRIPTION),
        "type": news.type,
        "event_id": str(news.id),
        "incident": str(news.incident),
        **ids,
        **{f"{name}_url": url for name, url in news.links.items()},
    }


def _ends_at(news: News, now: datetime) -> datetime:
    if news.type == "rollguard.test":
        return now + _TEST_LASTS
    if news.type == "rollguard.outage.began":
        return now + OUTAGE_LASTS
    if news.type == "rollguard.outage.over" or news.data.get("rejection") == "dismissed":
        return now
    return max(now + LASTS, news.waits_until or now)

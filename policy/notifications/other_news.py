"""The news of refused and held deployments and of outages, and the message of a test."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from policy.notifications.news import MAX_NAME, Links, News, id_of
from policy.notifications.texts import Line, Quote, cut
from schemas.deployment import DeploymentOutcome
from schemas.fields import format_time
from schemas.outage_notice import OutageNotice

_MAX_REFUSAL: Final = 2_000
_MAX_FINDINGS: Final = 20
_SHOWN_FINDINGS: Final = 3
_MAX_FINDING: Final = 500


def news_of_deployment(
    outcome: DeploymentOutcome, links: Links, hold_expires_s: int
) -> News | None:
    """Return the news of a deployment that was refused, or is held; None for every other one.

    ``hold_expires_s``: for how long a person is waited for.
    """
    if outcome.status not in ("refused", "held"):
        return None
    is_held, tool, refusal = outcome.status == "held", outcome.tool_name, outcome.refusal or ""
    incident = id_of("deployment", tool, outcome.deployment_id if is_held else refusal)
    pages = (links.holds() if is_held else {}) | links.tool(tool)
    data: dict[str, Any] = {
        "deployment_id": str(outcome.deployment_id),
        "tool_name": tool[:MAX_NAME],
        "status": outcome.status,
        "refusal": None if is_held else cut(refusal, _MAX_REFUSAL),
        "findings": [cut(each, _MAX_FINDING) for each in (outcome.findings or [])[:_MAX_FINDINGS]],
        "applied_at": format_time(outcome.applied_at),
        "incident": str(incident),
        "links": pages,
    }
    return News(
        type="rollguard.deployment.held" if is_held else "rollguard.deployment.refused",
        id=id_of("deployment", tool, outcome.deployment_id, "held" if is_held else refusal),
        incident=incident,
        at=outcome.applied_at,
        status="held" if is_held else "refused",
        title=("Deployment of ", Quote(tool), " waits for a person" if is_held else " refused"),
        lines=list(_lines_of_deployment(outcome)),
        data=data,
        says=(outcome.status, refusal),
        tool_name=tool,
        links=pages,
        waits_until=outcome.applied_at + timedelta(seconds=hold_expires_s) if is_held else None,
    )


def _lines_of_deployment(outcome: DeploymentOutcome) -> Iterator[Line]:
    if outcome.refusal is not None:
        yield Line("Why", (Quote(outcome.refusal),))
    for finding in (outcome.findings or [])[:_SHOWN_FINDINGS]:
        yield Line("Finding", (Quote(finding),))
    if outcome.rolled_back is not None:
        yield Line("The same code was rolled back", (Quote(outcome.rolled_back.rule),))
    yield Line("Deployment", (str(outcome.deployment_id),))
    if outcome.status == "held":
        yield Line("Answer", (f"rollguard approve {outcome.deployment_id}, or dismiss",))
    yield Line("At", (format_time(outcome.applied_at),))


def news_of_outage(notice: OutageNotice, links: Links) -> News:
    """Return the news that an outage began or is over."""
    partition, over_at = notice.outage_partition, notice.over_at
    incident, pages = id_of("outage", partition, notice.began_at), links.system()
    data: dict[str, Any] = {
        "partition": partition,
        "began_at": format_time(notice.began_at),
        "incident": str(incident),
        "links": pages,
    }
    lines = [Line("Began", (format_time(notice.began_at),))]
    if over_at is None:
        title = (
            f"Many tools of partition {partition} fail at once: nothing is rolled back there "
            "until this is over"
        )
    else:
        lasted_s = max(0, round((over_at - notice.began_at).total_seconds()))
        data |= {"over_at": format_time(over_at), "lasted_s": lasted_s}
        lines.append(Line("Over", (format_time(over_at),)))
        title = f"The outage of partition {partition} is over; it lasted {lasted_s} s"
    return News(
        type="rollguard.outage.began" if over_at is None else "rollguard.outage.over",
        id=id_of("outage", partition, notice.began_at, over_at is None),
        incident=incident,
        at=notice.began_at if over_at is None else over_at,
        status="outage",
        title=(title,),
        lines=lines,
        data=data,
        says=("began" if over_at is None else "over",),
        partition=partition,
        links=pages,
        ends_incident=over_at is not None,
    )


def news_of_test(test_id: UUID, at: datetime, links: Links) -> News:
    """Return a message that shows whether a receiver is reached."""
    return News(
        type="rollguard.test",
        id=test_id,
        incident=test_id,
        at=at,
        status=None,
        title=("A test of Rollguard's notifications: nothing has happened",),
        lines=[Line("At", (format_time(at),))],
        data={"links": links.system()},
        says=(str(test_id),),
        links=links.system(),
        ends_incident=True,
    )

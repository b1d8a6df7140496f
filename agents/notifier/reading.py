"""The reading of records: which news they are."""

from policy.notifications.news import Links, News
from policy.notifications.other_news import news_of_deployment, news_of_outage
from policy.notifications.rollback_news import news_of_rollback
from schemas.deployment import DeploymentOutcome
from schemas.outage_notice import OutageNotice
from schemas.rollback import RollbackOutcome
from schemas.settings import Settings
from streams.records import Record, require_whole
from streams.rejections import WrongKey
from streams.topics import Topics


class NewsReader:
    """Reads the records of the topics that the notifier follows."""

    def __init__(self, settings: Settings) -> None:
        self._topics = Topics.of(settings)
        self._rules_of = settings.rules_of
        self._links = Links(settings.console_url)

    def news_of(self, record: Record) -> News | None:
        """Return the news of a record; None if it is nothing that is told. Raises Rejected."""
        require_whole(record)
        if record.topic == self._topics.outages:
            notice = OutageNotice.from_bytes(record.value)
            _require_key(record, notice.key)
            return news_of_outage(notice, self._links)
        if record.topic == self._topics.deployment_outcomes:
            deployment = DeploymentOutcome.from_bytes(record.value)
            _require_key(record, deployment.tool_name.encode(errors="surrogatepass"))
            expires_s = self._rules_of(deployment.tool_name).hold_expires_s
            return news_of_deployment(deployment, self._links, expires_s)
        outcome = RollbackOutcome.from_bytes(record.value)
        _require_key(record, outcome.tool_name.encode())
        expires_s = self._rules_of(outcome.tool_name).hold_expires_s
        return news_of_rollback(outcome, self._links, expires_s)


def _require_key(record: Record, key: bytes) -> None:
    """Raise Rejected for another key: by the key, the news of a tool stay in their order."""
    if record.key != key:
        raise WrongKey(f"the record's key {(record.key or b'')[:300]!r} must be {key[:300]!r}")

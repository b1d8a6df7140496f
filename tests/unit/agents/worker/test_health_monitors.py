"""The health of a worker that is a member of several consumer groups."""

from agents.worker.health_monitors import HealthMonitors
from schemas.settings import only_these_settings


def test_what_one_group_waits_for_is_not_what_the_others_wait_for() -> None:
    monitors = HealthMonitors(["notifier-a", "notifier-b"], only_these_settings())
    first, second = monitors.of_groups.values()
    monitors.waits.ticket().failed("Kafka", "refused")
    first.waits.ticket().failed("receiver 'a'", "HTTP 500")
    assert [wait.part for wait in first.waits.now()] == ["Kafka", "receiver 'a'"]
    assert [wait.part for wait in second.waits.now()] == ["Kafka"]
    ready = monitors.ready()
    assert not ready.holds
    assert set(ready.reasons) == {
        "notifier-a: waits for Kafka for 0 s: refused",
        "notifier-a: waits for receiver 'a' for 0 s: HTTP 500",
        "notifier-a: starting",
        "notifier-b: waits for Kafka for 0 s: refused",
        "notifier-b: starting",
    }
    assert monitors.alive().holds


def test_a_single_group_needs_no_name() -> None:
    monitors = HealthMonitors(["detector"], only_these_settings())
    assert monitors.ready().reasons == ("starting",)

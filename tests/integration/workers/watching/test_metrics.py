"""What the real roles export to Prometheus, after a real rollback."""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import aiohttp
import pytest
import pytest_asyncio
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics_in
from prometheus_client.parser import text_string_to_metric_families

from documentation.metrics import metrics
from rollguard.embedded.ports import free_port
from rollguard.operations.setup import create_missing_topic_of_spans
from schemas.settings import load_settings
from tests.support.consoles.console import Console, running_console
from tests.support.inputs.messages import execution
from tests.support.notifications import SECRET, FakeReceiver, fake_receiver
from tests.support.prometheus.queries import queries
from tests.support.prometheus.server import running_prometheus
from tests.support.systems.shared import Start
from tests.support.systems.system import System
from tests.support.systems.workers import Workers
from tests.support.waiting import until

pytestmark = [pytest.mark.timeout(360), pytest.mark.asyncio(loop_scope="module")]

ROLES = ("detector", "applier", "recorder", "bridge", "notifier", "console")
_NOTIFY = """
[[receivers]]
name = "hook"
kind = "webhook"
url = "{hook}/events"
secret = {{env = "HOOK_SECRET"}}
"""

_COUNTED: Final[Sequence[tuple[str, str, dict[str, str], int]]] = (
    ("detector", "judged_records", {}, 62),
    ("detector", "rollback_commands", {}, 1),
    ("applier", "rollbacks", {"status": "applied"}, 1),
    ("recorder", "recorder_read_executions", {}, 60),
    ("notifier", "notifications", {"result": "delivered"}, 1),
)
"""What each role counts last of that of which the tests ask: the role, the metric, and how many."""


class Everything(NamedTuple):
    """All roles, after a rollback."""

    system: System
    console: Console

    async def families(self, role: str) -> dict[str, Family]:
        """Return the metrics of a role, by their names in the documentation."""
        text = await self.text(role)
        return {
            f"{each.name}_total" if each.type == "counter" else each.name: each
            for each in text_string_to_metric_families(text)
        }

    async def text(self, role: str, **headers: str) -> str:
        """Return what ``/metrics`` of a role says."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.url(role)}/metrics", headers=headers) as answer,
        ):
            assert answer.status == 200
            assert answer.headers["Content-Type"].startswith(
                "application/openmetrics-text; version=1.0.0"
                if headers
                else "text/plain; version=0.0.4"
            )
            return await answer.text()

    def url(self, role: str) -> str:
        """Return where a role is asked."""
        if role == "console":
            return self.console.url
        return f"http://127.0.0.1:{self.system.ports[role]}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def everything(start_shared: Start, embedded_broker: str) -> AsyncIterator[Everything]:
    """Yield all roles, after one tool was rolled back and told of, and a bad record was read."""
    topic = f"spans-{free_port()}"
    async with (
        fake_receiver() as hook,
        start_shared(
            embedded_broker,
            "detector",
            "applier",
            "recorder",
            "bridge",
            ROLLGUARD_BRIDGE_TOPIC=topic,
            ROLLGUARD_POLICY="guarded",
            ROLLGUARD_METRICS_TOOLS="5",
        ) as workers,
        running_console(workers) as console,
    ):
        await _start_notifier(workers, hook)
        await create_missing_topic_of_spans(
            load_settings(kafka_brokers=embedded_broker, bridge_topic=topic)
        )
        async with System.of(workers) as system:
            await _roll_back(system, hook)
            await console.get("/tools")
            await console.get("/tools/words")
            everything = Everything(system, console)
            await until(lambda: _is_counted(everything))
            yield everything


async def _start_notifier(workers: Workers, hook: FakeReceiver) -> None:
    file = workers.folder / "notify.toml"
    file.write_text(_NOTIFY.format(hook=hook.url))
    workers.ports["notifier"] = free_port()
    await workers.spawn("notifier", ROLLGUARD_NOTIFY=str(file), HOOK_SECRET=SECRET)


async def _roll_back(system: System, hook: FakeReceiver) -> None:
    await system.all_ready("detector", "applier", "recorder", "bridge", "notifier")
    first = await system.deploy("words", "def execute(): return 1")
    good = [execution("words", version_id=first.version_id) for _ in range(30)]
    second = await system.deploy("words", "def execute(): return 2")
    bad = [execution("words", "ValueError: no", version_id=second.version_id) for _ in range(30)]
    await system.send(system.topics.executions, "words", b"no JSON", *good, *bad)
    await system.records(system.topics.dead_letters, 1)
    await system.executions_recorded("words", 60)
    await until(lambda: _is_told(hook))


async def _is_told(hook: FakeReceiver) -> bool:
    return any(b"rollback.applied" in each.body for each in hook.taken)


async def _is_counted(everything: Everything) -> bool:
    """Return whether each role has counted what it did, which it does afterwards."""
    return all(
        [
            value(await everything.families(role), f"rollguard_{name}_total", **labels) >= number
            for role, name, labels, number in _COUNTED
        ]
    )


def value(families: Mapping[str, Family], name: str, **labels: str) -> float:
    """Return the sum of the samples of this name that have these labels."""
    samples = [each for family in families.values() for each in family.samples]
    return sum(
        each.value
        for each in samples
        if each.name == name and labels.items() <= each.labels.items()
    )


async def test_every_metric_of_the_code_is_exported_as_the_reference_says(
    everything: Everything,
) -> None:
    found: dict[str, list[Family]] = {}
    for role in ROLES:
        for name, family in (await everything.families(role)).items():
            if name.startswith("rollguard_"):
                found.setdefault(name, []).append(family)
    assert found.keys() == {each.name for each in metrics()}
    for metric in metrics():
        for family in found[metric.name]:
            assert (family.type, family.documentation) == (metric.kind, metric.help), metric.name
            for sample in family.samples:
                assert set(sample.labels) - {"le"} == set(metric.labels), sample


async def test_a_rollback_is_counted_and_timed(everything: Everything) -> None:
    detector, applier = await everything.families("detector"), await everything.families("applier")
    recorder, notifier = (
        await everything.families("recorder"),
        await everything.families("notifier"),
    )
    assert value(detector, "rollguard_judged_records_total", policy="guarded") >= 62
    commands = "rollguard_rollback_commands_total"
    assert value(detector, commands, policy="guarded", mode="enforce") == 1
    assert value(detector, "rollguard_bad_records_total", cause="content", published="yes") == 1
    assert value(applier, "rollguard_rollbacks_total", status="applied") == 1
    assert value(applier, "rollguard_deployments_total", status="created") == 2
    assert value(recorder, "rollguard_recorder_stored_executions_total") == 60
    assert value(recorder, "rollguard_recorder_read_executions_total", result="tool") == 30
    assert value(notifier, "rollguard_notifications_total", result="delivered") == 1
    copies = "rollguard_postgres_call_duration_seconds_count"
    assert value(recorder, copies, query="copy.tool_executions") >= 1
    assert value(recorder, copies, query="executions.recording.move_offset") >= 1
    for families, stage in (
        (detector, "execution_to_command"),
        (detector, "record_to_command"),
        (applier, "execution_to_commit"),
        (applier, "execution_to_outcome"),
        (applier, "command_to_outcome"),
    ):
        assert value(families, f"rollguard_{stage}_seconds_count") == 1, stage
        negative = "rollguard_negative_durations_total"
        assert value(families, negative, duration=stage) == 0, stage
    command = value(detector, "rollguard_execution_to_command_seconds_sum")
    commit = value(applier, "rollguard_execution_to_commit_seconds_sum")
    assert 0 < command < commit < value(applier, "rollguard_execution_to_outcome_seconds_sum")


async def test_a_prometheus_reads_all_roles_and_evaluates_every_query(
    everything: Everything, tmp_path: Path
) -> None:
    targets = {role: everything.url(role).removeprefix("http://") for role in ROLES}
    async with running_prometheus(targets, tmp_path) as prometheus:
        await until(lambda: prometheus.has_read_all(len(ROLES)))
        for query in queries():
            await prometheus.values(query.runnable)
        await until(prometheus.has_evaluated)
        assert await prometheus.values("sum(rollguard_rollbacks_total)") == [1]
        assert await prometheus.values('ALERTS{alertstate="firing", severity="page"}') == []
        assert await prometheus.wrong_rules() == []


async def test_who_accepts_open_metrics_gets_it(everything: Everything) -> None:
    for role in ("detector", "console"):
        text = await everything.text(role, Accept="application/openmetrics-text; version=1.0.0")
        found = open_metrics_in(text)  # type: ignore[no-untyped-call]
        names = {each.name for each in found}
        assert "rollguard_build" in names or "rollguard_build_info" in names


async def test_requests_to_the_console_are_counted_by_route(everything: Everything) -> None:
    console, before = everything.console, await everything.families("console")
    for path in ("/tools/a", "/tools/b", "/tools/a%2Fb", "/nothing", "/nothing/else"):
        await console.get(path)
    await console.ask("BREW", "/api/v1/tools")
    after = await everything.families("console")

    def grown(**labels: str) -> float:
        name = "rollguard_http_requests_total"
        return value(after, name, **labels) - value(before, name, **labels)

    assert grown(route="/api/v1/tools/{tool}", status="404") == 3
    assert grown(route="none", status="404") == 2
    assert grown(method="other") == 1
    routes = {each.labels["route"] for each in after["rollguard_http_requests_total"].samples}
    assert not any("nothing" in each or "%2F" in each for each in routes)

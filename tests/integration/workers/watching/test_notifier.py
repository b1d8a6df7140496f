"""A notifier beside the other roles: it tells people and programs, and loses nothing in a crash."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from aiohttp import web
from aiokafka import TopicPartition
from standardwebhooks import Webhook

from rollguard.embedded.ports import free_port
from rollguard.operations.overview.status import SystemStatus, system_status
from schemas.dead_letter import DeadLetter
from schemas.deployment import DeploymentOutcome
from schemas.outage_notice import OutageNotice
from streams.offsets import GroupOffsets
from streams.partitions import partition_of
from streams.topics import group_of
from tests.support.inputs.messages import execution
from tests.support.notifications import (
    AT,
    SECRET,
    FakeReceiver,
    Received,
    fake_receiver,
    outcome,
)
from tests.support.systems.shared import Start
from tests.support.systems.system import System
from tests.support.systems.workers import Workers
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(360)

_FILE = """
[[receivers]]
name = "hook"
kind = "webhook"
url = "{hook}/events"
secret = {{env = "HOOK_SECRET"}}

[[receivers]]
name = "alerts"
kind = "alertmanager"
url = "{alerts}"
routes = [{{statuses = ["applied", "outage"]}}]

[[receivers]]
name = "chat"
kind = "slack"
url_from = {{env = "CHAT_URL"}}
"""


class _Receivers(NamedTuple):
    hook: FakeReceiver
    alerts: FakeReceiver
    chat: FakeReceiver


class _Told(NamedTuple):
    """A system with a notifier, and its receivers."""

    system: System
    receivers: _Receivers


async def _start_notifier(
    workers: Workers, receivers: _Receivers, module: str = "rollguard", **more: str
) -> Any:
    """Start a notifier on a port of its own."""
    file = workers.folder / "notify.toml"
    file.write_text(_FILE.format(hook=receivers.hook.url, alerts=receivers.alerts.url))
    workers.ports.setdefault("notifier", free_port())
    return await workers.spawn(
        "notifier",
        module,
        ROLLGUARD_NOTIFY=str(file),
        ROLLGUARD_CONSOLE_URL="https://rollguard.example.com",
        ROLLGUARD_POSTGRES_DSN="postgresql://nobody@127.0.0.1:1/none",  # it needs no Postgres
        HOOK_SECRET=SECRET,
        CHAT_URL=f"{receivers.chat.url}/services/very-secret",
        **more,
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _with_notifier(
    start_shared: Start, embedded_broker: str
) -> AsyncIterator[tuple[Workers, _Receivers]]:
    async with (
        fake_receiver() as hook,
        fake_receiver() as alerts,
        fake_receiver() as chat,
        start_shared(embedded_broker, "detector", "applier", ROLLGUARD_POLICY="guarded") as workers,
    ):
        receivers = _Receivers(hook, alerts, chat)
        await _start_notifier(workers, receivers)
        await workers.all_ready("notifier")
        yield workers, receivers


@pytest_asyncio.fixture(loop_scope="module")
async def told(_with_notifier: tuple[Workers, _Receivers]) -> AsyncIterator[_Told]:
    workers, receivers = _with_notifier
    async with System.of(workers) as system:
        yield _Told(system, receivers)


async def _until_taken(receiver: FakeReceiver, about: str, count: int = 1) -> list[Received]:
    """Return the requests about something, as soon as the receiver has taken so many."""
    found: list[Received] = []

    async def is_taken() -> bool:
        found[:] = [each for each in receiver.taken if about in each.body.decode()]
        return len(found) >= count

    await until(is_taken)
    return found


async def _status(system: System) -> SystemStatus:
    """Return the state of the system with all receivers."""
    notify = system.folder / "notify.toml"
    return await system_status(system.settings.model_copy(update={"notify": notify}))


async def _has_told_all(system: System, receiver: str) -> bool:
    """Return whether the receiver has taken all that there is, and that is committed."""
    lags = {each.role: each.lag for each in (await _status(system)).roles}
    return lags[f"notifier-{receiver}"] == 0


@pytest.mark.asyncio(loop_scope="module")
async def test_a_real_rollback_is_told_to_everybody(told: _Told, tool: str) -> None:
    system, receivers = told
    first = await system.deploy(tool, "def execute(): return 1")
    good = [execution(tool, version_id=first.version_id) for _ in range(30)]
    second = await system.deploy(tool, "def execute(): return 2")
    assert second.version_id is not None
    await system.run(*good)
    bad = [execution(tool, "ValueError: no", version_id=second.version_id) for _ in range(30)]
    await system.run(*bad)
    (got,) = await _until_taken(receivers.hook, f'"subject":"{tool}"')
    event = Webhook(SECRET).verify(got.body, got.headers)
    assert (event["type"], event["data"]["tool_name"]) == ("rollguard.rollback.applied", tool)
    assert event["data"]["explanation"]["errors"][0]["error"] == "ValueError: no"
    assert event["data"]["links"]["tool"] == f"https://rollguard.example.com/tools/{tool}"
    (alert,) = (await _until_taken(receivers.alerts, tool))[0].json
    assert alert["labels"]["version_id"] == str(second.version_id)
    (message,) = await _until_taken(receivers.chat, tool)
    assert message.json["text"].startswith(f"Rolled back `{tool}` from version id")
    assert message.path == "/services/very-secret"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_receiver_that_is_gone_holds_up_no_other_and_gets_all_in_order(
    told: _Told, tool: str
) -> None:
    system, receivers = told
    await until(lambda: _has_told_all(system, "chat"))  # also what other tests have sent
    await receivers.chat.stop()
    steps = [
        outcome(tool, status="held"),
        outcome(tool, status="rejected", rejection="expired"),
        outcome(tool),
    ]
    await system.send(system.topics.outcomes, tool, *steps)
    got = await _until_taken(receivers.hook, f'"subject":"{tool}"', 3)
    assert [each.json["data"]["command_id"] for each in got] == [
        str(each.command_id) for each in steps
    ]
    await _until_taken(receivers.alerts, tool)  # its route asks for this one alone

    async def is_said() -> bool:
        _, page = await system.page("notifier", "/readyz")
        return any("receiver 'chat'" in reason for reason in page["reasons"])

    await until(is_said)
    assert (await system.page("notifier", "/healthz"))[0] == 200
    assert (await system.headers("notifier", "/healthz"))["Rollguard-Role"] == "notifier"

    async def are_counted() -> bool:
        said, name = await system.metrics("notifier"), "rollguard_notifications_waiting"
        numbers = {"chat": "3.0", "hook": "0.0"}
        return all(f'{name}{{receiver="{each}"}} {numbers[each]}' in said for each in numbers)

    await until(are_counted)
    await until(lambda: _has_told_all(system, "hook"))
    status = await _status(system)
    roles = {each.role: each for each in status.roles}
    assert {f"notifier-{name}": 1 for name in _Receivers._fields} == {
        name: len(each.workers) for name, each in roles.items() if name.startswith("notifier")
    }
    assert roles["notifier-hook"].lag == 0 < roles["notifier-chat"].lag
    assert any("the notifier-chat handles nothing of" in each for each in status.stuck)
    await receivers.chat.start()
    texts = [each.json["text"] for each in await _until_taken(receivers.chat, tool, 3)]
    assert [text.partition("`")[0].strip(": ") for text in texts] == [
        "A rollback waits for a person",
        "*Update: *Not rolled back",
        "*Update: *Rolled back",
    ]
    await system.all_ready("notifier")
    assert "very-secret" not in system.log("notifier")
    assert SECRET not in system.log("notifier")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_refused_deployment_and_an_outage_are_told(told: _Told, tool: str) -> None:
    system, receivers = told
    refused = DeploymentOutcome(
        deployment_id=outcome().command_id,
        tool_name=tool,
        status="refused",
        refusal="gate",
        applied_at=AT,
    )
    await system.send(system.topics.deployment_outcomes, tool, refused)
    (got,) = await _until_taken(receivers.hook, f'"subject":"{tool}"')
    assert got.json["type"] == "rollguard.deployment.refused"
    notice = OutageNotice(outage_partition=7, began_at=AT)
    over = notice.model_copy(update={"over_at": AT.replace(minute=9)})
    await system.send(system.topics.outages, notice.key.decode(), notice, over)
    events = await _until_taken(receivers.hook, '"subject":"partition 7"', 2)
    assert [each.json["type"] for each in events] == [
        "rollguard.outage.began",
        "rollguard.outage.over",
    ]


@pytest.mark.asyncio(loop_scope="module")
async def test_an_outage_that_the_detector_sees_is_told(told: _Told) -> None:
    system, receivers = told
    names = (f"outage-{n}" for n in range(1_000))
    number = system.settings.partitions
    tools = [name for name in names if partition_of(name.encode(), number) == 2][:12]
    for tool in tools:
        await system.deploy(tool, "def execute(): return 1")
    await system.run(*(execution(tool) for _ in range(20) for tool in tools))
    await system.run(*(execution(tool, "ConnectionError: no route") for tool in tools))
    (began,) = await _until_taken(receivers.hook, '"subject":"partition 2"')
    assert began.json["type"] == "rollguard.outage.began"
    await system.run(*(execution(tool) for tool in tools))
    events = await _until_taken(receivers.hook, '"subject":"partition 2"', 2)
    assert [each.json["type"] for each in events] == [
        "rollguard.outage.began",
        "rollguard.outage.over",
    ]
    assert events[1].json["data"]["began_at"] == began.json["data"]["began_at"]
    assert len({each.json["data"]["incident"] for each in events}) == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_a_record_that_is_no_outcome_becomes_one_dead_letter(told: _Told, tool: str) -> None:
    system, receivers = told
    await system.send(system.topics.outcomes, tool, b"{", outcome("other"), outcome(tool))
    await _until_taken(receivers.hook, f'"subject":"{tool}"')
    letters = [
        DeadLetter.from_bytes(each.value)
        for each in await system.records(system.topics.dead_letters, 2, tool)
    ]
    assert [each.role for each in letters] == ["notifier", "notifier"]
    assert "must be b'other'" in letters[1].error


async def test_after_a_crash_what_was_not_committed_is_told_again(
    embedded_broker: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    """It dies between the answer of the receiver and the commit."""
    async with (
        fake_receiver() as hook,
        fake_receiver() as alerts,
        fake_receiver() as chat,
        System.started(embedded_broker, database_dsn, topic_prefix, tmp_path, ()) as system,
    ):
        receivers = _Receivers(hook, alerts, chat)
        alerts.answer = chat.answer = lambda _: web.Response(status=500)
        worker = await _start_notifier(
            system,
            receivers,
            "tests.support.systems.armed_worker",
            ROLLGUARD_TEST_CRASH_POINT="kill:notifier.delivered@2",
        )
        await system.all_ready("notifier")
        sent = [outcome("words", status="held"), outcome("words"), outcome("words")]
        await system.send(system.topics.outcomes, "words", *sent)
        await worker.wait()
        assert worker.returncode != 0
        told = len(hook.taken)
        assert told == 2
        system.running.clear()
        await _start_notifier(system, receivers)
        await until(lambda: _has(hook, str(sent[2].command_id)))
        ids = [each.json["data"]["command_id"] for each in hook.taken]
        expected = [str(each.command_id) for each in sent]
        assert ids[:2] == expected[:2]
        assert ids[told:] == expected[len(expected) - len(ids[told:]) :]
        assert expected[1] in ids[told:]
        second = [each for each in hook.taken if expected[1].encode() in each.body]
        assert len({each.headers["webhook-id"] for each in second}) == 1

        async def is_committed() -> bool:
            return await _committed(system, "notifier-hook") == 3

        await until(is_committed)
        assert await _committed(system, "notifier-chat") == 0
        assert await system.stop_all() == [0]


async def _has(receiver: FakeReceiver, text: str) -> bool:
    return any(text.encode() in each.body for each in receiver.taken)


async def _committed(system: System, group: str) -> int:
    """Return how many outcomes the group has committed."""
    offsets = GroupOffsets(system.settings, group_of(system.settings, group))
    try:
        found = await offsets.read(
            [TopicPartition(system.topics.outcomes, n) for n in range(system.settings.partitions)]
        )
    finally:
        await offsets.close()
    return sum(each.committed for each in found.values())


async def test_a_wrong_file_stops_the_start(
    embedded_broker: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with System.started(embedded_broker, database_dsn, topic_prefix, tmp_path, ()) as system:
        file = tmp_path / "notify.toml"
        file.write_text('receivers = [{name = "ops", kind = "smoke"}]')
        system.ports["notifier"] = free_port()
        worker = await system.spawn("notifier", ROLLGUARD_NOTIFY=str(file))
        assert await worker.wait() == 1
        assert f"ROLLGUARD_NOTIFY {file}: receiver 'ops'" in system.log("notifier")
        system.running.clear()

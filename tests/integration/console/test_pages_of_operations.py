"""The pages of what waits, dead letters, the system and activity, on a running system."""

from uuid import uuid4

import pytest

from rollguard.embedded.ports import free_port
from tests.support.consoles.console import Console, held_command, running_console
from tests.support.systems.system import System
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(450)


async def page_with(console: Console, path: str, *parts: str) -> str:
    """Return a page when it has these parts."""
    html = ""

    async def has_all() -> bool:
        nonlocal html
        html = await console.page(path)
        return all(each in html for each in parts)

    try:
        await until(has_all)
    except TimeoutError:
        pytest.fail(f"{path} lacks {[each for each in parts if each not in html]}: {html}")
    return html


async def test_what_waits_is_listed_and_answered(
    console: Console, shared_system: System, tool: str
) -> None:
    for code in ("one", "two"):
        await shared_system.deploy(tool, code)
    held = await held_command(shared_system, console, tool)
    html = await console.page(f"/holds?tool={tool}")
    assert "1 decision waits." in html
    assert f'action="/rollbacks/{held.command_id}/dismiss"' in html
    back = f"/holds?tool={tool}"
    form = {"tool": tool, "confirmed": "yes", "reason": "the input was wrong", "back": back}
    done = await console.page(f"/rollbacks/{held.command_id}/dismiss", form)
    assert "the rollback is dismissed, and nothing changes" in done
    assert "Nothing waits of this tool." in done
    gone = f"/holds/deployments/{uuid4()}/approve"
    unknown = await console.page(gone, form)
    assert "Nothing was changed: " in unknown
    assert "no held deployment has the id" in unknown
    assert "`rollguard holds` lists what waits" in unknown
    elsewhere = form | {"back": "//attacker.example/"}
    late = await console.page(f"/rollbacks/{held.command_id}/dismiss", elsewhere)
    assert f"{tool}: v2 was not rolled back" in late


async def test_bad_records_by_cause_and_their_replay(
    console: Console, shared_system: System, tool: str
) -> None:
    topics, name = shared_system.topics, f"{tool}<i>"
    bad = b'{"tool_name": "<script>alert(1)</script>"}'
    for _ in range(2):
        await shared_system.send(topics.executions, name, bad)
    html = await page_with(console, f"/dead-letters?tool={name}", "2 records.", "1 cause")
    assert "<i>" not in html
    assert "Field required" in html
    path = html.partition('<a href="/dead-letters?')[2].partition('"')[0].replace("&amp;", "&")
    html = await console.page(f"/dead-letters?{path}")
    record = html.partition('<a href="/dead-letters/')[2].partition('"')[0]
    assert f"<code>{record}</code>" in html
    html = await console.page(f"/dead-letters/{record}")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script>alert" not in html
    unsure = await console.page("/dead-letters/replay", {"id": record})
    assert "Nothing was changed: tick the box" in unsure
    done = await console.page("/dead-letters/replay", {"id": record, "confirmed": "yes"})
    assert "0 published again. 1 refused: would be rejected again" in done
    done = await console.page("/dead-letters/replay", {"tool": name, "confirmed": "yes"})
    assert "2 refused" in done
    forced = {"tool": name, "confirmed": "yes", "force": "yes"}
    done = await console.page("/dead-letters/replay", forced)
    assert "2 published again." in done
    assert "replayed" in await console.page(f"/dead-letters/{record}")
    for wrong in ("nothing", "a:0:-1", "a:b:c", "%FF"):
        assert "TOPIC:PARTITION:OFFSET" in await console.page(f"/dead-letters/{wrong}"), wrong


async def test_the_system_and_its_trend(console: Console) -> None:
    html = await page_with(console, "/system", "a second", "none has lag")
    for part in ("detector", "applier", "recorder", "None lasts.", "Nobody: this console knows"):
        assert part in html, part
    found = (await console.get("/system")).body
    assert found["roles"][0]["trend"]["direction"] in ("grows", "shrinks", "stays")
    assert found["outages"] == found["receivers"] == []
    assert set(found["stuck_since"]) == set(found["stuck"])


async def test_activity_tells_what_happens(
    console: Console, shared_system: System, tool: str
) -> None:
    await shared_system.deploy(tool, "one")
    # A console that has just started has not read all topics yet, and knows no position.
    html = await page_with(console, f"/activity?tool={tool}", "v1 is current", "?after=")
    stream = html.partition('data-stream="')[2].partition('"')[0]
    assert stream.startswith("/api/v1/events?after=r")
    assert "Nothing has happened" in await console.page(f"/activity?tool={tool}&kind=hold")
    wrong = await console.ask("GET", "/api/v1/events?after=x")
    assert (wrong.status, wrong.body["detail"]) == (422, "after: not the id of an event")


async def test_without_kafka_postgres_and_detectors_every_page_says_so(
    shared_system: System,
) -> None:
    away = {
        "ROLLGUARD_POSTGRES_DSN": f"postgresql://me@127.0.0.1:{free_port()}/rollguard",
        "ROLLGUARD_DETECTOR_URL": f"http://127.0.0.1:{free_port()}",
        "ROLLGUARD_KAFKA_BROKERS": f"127.0.0.1:{free_port()}",
        "ROLLGUARD_WAIT_S": "1",
    }
    async with running_console(shared_system, **away) as console:
        for path, says in (
            ("/rollbacks", "Only what was told lately is listed, and no costs: Postgres"),
            ("/holds", "Whether anything still waits is not known: Postgres"),
            ("/dead-letters", "These are not the newest: Kafka"),
            ("/system", "Kafka does not answer."),
            ("/system", "Postgres does not answer."),
            ("/system", "whether an outage lasts is not known"),
            ("/activity", "The events were not read yet"),
        ):
            assert says in await console.page(path), path


async def test_who_may_read_alone_is_offered_no_change(shared_system: System, tool: str) -> None:
    for code in ("one", "two"):
        await shared_system.deploy(tool, code)
    tokens = {"ROLLGUARD_WEB_TOKEN": "operators-token", "ROLLGUARD_WEB_VIEWER_TOKEN": "viewers"}
    async with running_console(shared_system, **tokens) as console:
        console.headers = {"Authorization": "Bearer operators-token"}
        held = await held_command(shared_system, console, tool)
        console.headers = {"Authorization": "Bearer viewers"}
        html = await console.page(f"/holds?tool={tool}")
        assert "An operator may approve or dismiss it." in html
        assert "/approve" not in html
        path = f"/rollbacks/{held.command_id}"
        assert "/approve" not in await console.page(path)
        for form in (f"{path}/approve", "/dead-letters/replay"):
            answer = await console.ask("POST", form, b"tool=x&confirmed=yes")
            assert answer.status == 403

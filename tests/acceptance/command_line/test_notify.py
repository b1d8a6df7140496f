"""The verb ``notify``: who is told what, and whether they are reached. It needs no Kafka."""

import json
from pathlib import Path
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook

from rollguard.embedded.ports import free_port
from tests.support.notifications import SECRET, fake_receiver
from tests.support.systems.command_line import rollguard

FILE = """
[[receivers]]
name = "hook"
kind = "webhook"
url = "{hook}"
secret = {{env = "HOOK_SECRET"}}
routes = [{{tools = ["a", "b-*"], statuses = ["held"]}}, {{tiers = ["fast"]}}]

[[receivers]]
name = "chat"
kind = "slack"
url_from = {{env = "CHAT_URL"}}
"""


async def test_receivers_are_listed_and_tested(tmp_path: Path) -> None:
    async with fake_receiver() as hook, fake_receiver() as chat:
        chat.answer = lambda got: web.Response(
            status=404, text=f"no_service \x1b[2J http://127.0.0.1:{chat.port}{got.path}"
        )
        file = tmp_path / "notify.toml"
        file.write_text(FILE.format(hook=hook.url))
        env = {
            "ROLLGUARD_NOTIFY": str(file),
            "HOOK_SECRET": SECRET,
            "CHAT_URL": f"{chat.url}/very-secret",
        }
        listed = await rollguard("notify", env=env)
        assert (listed.code, listed.err) == (0, "")
        assert listed.out.splitlines() == [
            "receiver\tkind\thost\tis told",
            "hook\twebhook\t127.0.0.1\ttools a, b-*; statuses held, tiers fast",
            "chat\tslack\t127.0.0.1\tall",
        ]

        one = await rollguard("notify", "--test", "hook", env=env)
        assert (one.code, one.err) == (0, "")
        (got,) = hook.taken
        assert Webhook(SECRET).verify(got.body, got.headers)["type"] == "rollguard.test"
        assert chat.requests == []

        both = await rollguard("notify", "--test", "--json", env=env)
        assert both.code == 1
        found: dict[str, Any] = {each["name"]: each for each in json.loads(both.out)}
        assert (found["hook"]["delivered"], found["hook"]["answer"]) == (True, "HTTP 204")
        assert (found["chat"]["delivered"], found["chat"]["answer"]) == (False, "HTTP 404")
        assert "no_service" in found["chat"]["body"]
        assert "very-secret" not in both.out + both.err
        shown = await rollguard("notify", "--test", "chat", env=env)
        assert "\x1b" not in shown.out

        wrong = await rollguard("notify", "nobody", env=env)
        assert wrong.code == 1
        assert wrong.err == "rollguard: there is no receiver 'nobody': hook, chat\n"


async def test_a_receiver_that_is_not_there_is_said(tmp_path: Path) -> None:
    file = tmp_path / "notify.toml"
    file.write_text(FILE.format(hook=f"http://127.0.0.1:{free_port()}"))
    env = {"ROLLGUARD_NOTIFY": str(file), "HOOK_SECRET": SECRET, "CHAT_URL": "https://a.invalid/x"}
    answer = await rollguard("notify", "--test", "--json", env=env)
    assert answer.code == 1
    answers = {each["name"]: each["answer"] for each in json.loads(answer.out)}
    assert answers["hook"] == "no connection: Connection refused"
    assert "a.invalid" not in answers["chat"]


async def test_without_a_file_it_says_which_setting_is_missing() -> None:
    answer = await rollguard("notify", env={"ROLLGUARD_NOTIFY": ""})
    assert answer.code == 1
    assert answer.err.startswith("rollguard: ROLLGUARD_NOTIFY is not set")

"""The page for a night on call: each address, command and call answers its question."""

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.docs.pages import DOCS, Block, Command, commands
from tests.docs.terminal import Terminal
from tests.support.consoles.scene import HEALTHY, HELD, NEAR, OPERATOR, ROLLED_BACK, Scene, playing
from tests.support.servers.postgres import PostgresServer
from tests.support.systems.command_line import rollguard

_PAGE: Final = DOCS / "how-to" / "on-call.md"
_ANSWERS: Final[dict[str, tuple[str, ...]]] = {
    "Why was it rolled back?": ("at least 2 failures are TypeError", "missing 2 required"),
    "Is it fine now?": (ROLLED_BACK,),
    "Who was affected?": ("chat-0", "chat-1"),
    "What else is unhealthy?": (HELD, "condemned"),
    "What is near a rollback?": (NEAR, "suspect"),
    "How are all tools?": (HELD, HEALTHY, NEAR, ROLLED_BACK),
    "What was rolled back in the last hour, and what did it cost?": (ROLLED_BACK,),
    "Stop it tonight: one tool": (ROLLED_BACK,),
    "Stop it tonight: all tools": (),
    "Undo it": (),
    "Which engines run an old version?": ("engine-3", HEALTHY),
    "Does the recorder lag?": ("recorder",),
    "Is a worker dead?": ("detector",),
    "Who is told?": ("alerts",),
}
"""What the page, each command and each call must say."""
_ON_PAGES: Final[dict[str, tuple[str, ...]]] = {
    "What was rolled back in the last hour, and what did it cost?": ("3 of 3 calls failed",),
    "Stop it tonight: one tool": (">Pin<", ">Freeze<"),
    "Stop it tonight: all tools": (">Pin all tools<", ">Freeze all tools<"),
    "Undo it": (">Roll back<", ">Unpin<", ">End the freeze<"),
    "Who is told?": ("everything",),
}
"""What only the page must say."""
_RECEIVERS: Final = """
[[receivers]]
name = "alerts"
kind = "alertmanager"
url = "http://127.0.0.1:9093"
"""


class Question(NamedTuple):
    """A section of the page."""

    text: str
    address: str
    commands: list[Command]


def questions() -> Iterator[Question]:
    """Yield the sections."""
    for part in _PAGE.read_text("utf-8").split("\n## ")[1:]:
        found = re.search(r"^Page: `(/[^`]+)`", part, re.MULTILINE)
        block = re.search(r"^```console\n(.*?)^```", part, re.DOTALL | re.MULTILINE)
        assert found is not None, part
        assert block is not None, part
        asked = list(commands(Block("console", "", block[1])))
        yield Question(part.splitlines()[0], found[1], asked)


def test_each_question_has_a_page_a_command_and_a_call() -> None:
    found = list(questions())
    assert [each.text for each in found] == list(_ANSWERS)
    for each in found:
        programs = {command.line.split()[0] for command in each.commands}
        assert programs == {"rollguard", "api"}, each.text


@pytest.mark.timeout(450)
async def test_each_answer_is_right(
    embedded_broker: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    with postgres_server.database() as dsn:
        receivers = tmp_path / "notify.toml"
        receivers.write_text(_RECEIVERS)
        told = {"ROLLGUARD_NOTIFY": str(receivers)}
        async with playing(embedded_broker, dsn, tmp_path, **told) as scene:
            reached = {"ROLLGUARD_URL": scene.console.url, "ROLLGUARD_TOKEN": OPERATOR}
            env = {**os.environ, **reached, **told}
            terminal = await Terminal.opened(tmp_path, env)
            try:
                await terminal.run(_api_of_the_page())
                for each in questions():
                    await _require_answers(scene, terminal, env, each)
            finally:
                await terminal.close()


def _api_of_the_page() -> Command:
    """Return the function of the shell that the page begins with."""
    block = re.search(r"^```console\n(.*?)^```", _PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert block is not None
    [_, function] = commands(Block("console", "", block[1]))
    return function


async def _require_answers(
    scene: Scene, terminal: Terminal, env: Mapping[str, str], question: Question
) -> None:
    expected = _ANSWERS[question.text]
    shown = {question.address: await scene.console.page(_real(scene, question.address))}
    assert "There is nothing here" not in shown[question.address], question.address
    for text in _ON_PAGES.get(question.text, ()):
        assert text in shown[question.address], f"{question.address} does not say {text!r}"
    for each in question.commands:
        shown[each.line] = await _answer(terminal, env, _real(scene, each.line))
    for asked, answer in shown.items():
        for text in expected:
            assert text in answer, f"{question.text}: {asked} does not say {text!r}:\n{answer}"


async def _answer(terminal: Terminal, env: Mapping[str, str], line: str) -> str:
    """Return what a command prints."""
    program, *words = shlex.split(line)
    if program != "rollguard":
        return await terminal.run(Command(line, ()))
    found = await rollguard(*words, env=env)
    assert found.code == 0, f"{line}\n{found.err}"
    return found.out


def _real(scene: Scene, text: str) -> str:
    return text.replace("COMMAND_ID", scene.rollback_id)

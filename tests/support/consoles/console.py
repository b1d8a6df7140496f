"""A real console, as a process of its own, and how tests ask it."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, NamedTuple
from uuid import uuid4

import aiohttp
from yarl import URL

from rollguard.embedded.ports import free_port
from schemas.rollback import RollbackCommand
from tests.support.consoles.pages import hidden_fields
from tests.support.programs.program import Program
from tests.support.systems.system import System
from tests.support.systems.workers import Workers
from tests.support.waiting import until


class Answer(NamedTuple):
    """An answer of the console."""

    status: int
    headers: Mapping[str, str]
    body: Any
    """What its JSON says; None if it has no body."""


@dataclass
class Console:
    """A console that runs, and how it is asked."""

    url: str
    program: Program
    headers: dict[str, str] = field(default_factory=dict)
    """What every request carries."""

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request, and return the answer; ``_`` in names of headers is ``-``.

        The body is sent as JSON; bytes are sent as they are.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body
        if body is not None and not isinstance(body, bytes):
            data = json.dumps(body).encode()
            named = {"Content-Type": "application/json"} | named
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session,
            session.request(
                method,
                URL(self.url + path, encoded=True),
                data=None if data is None else BytesIO(data),
                headers=self.headers | named,
            ) as answer,
        ):
            text = await answer.read()
            return Answer(answer.status, answer.headers, json.loads(text) if text else None)

    async def page(self, path: str, form: Mapping[str, str] | None = None) -> str:
        """Return the HTML of a page; with ``form`` after this form was sent to it.

        The form is sent as a browser sends it, and the page to which it leads is returned.
        """
        given = {"Accept": "text/html", "Origin": self.url}
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=60),
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            headers=self.headers | given,
        ) as session:
            at = URL(self.url + path, encoded=True)
            if form is None:
                async with session.get(at) as answer:
                    return await answer.text()
            async with session.get(URL(f"{self.url}/login")) as answer:
                csrf = hidden_fields(await answer.text())["csrf"]
            async with session.post(at, data={"csrf": csrf, **form}) as answer:
                return await answer.text()

    def environment(self) -> dict[str, str]:
        """Return the variables of a command line that can reach nothing but this console."""
        return {
            "ROLLGUARD_URL": self.url,
            "ROLLGUARD_KAFKA_BROKERS": "127.0.0.1:1",
            "ROLLGUARD_POSTGRES_DSN": "postgresql://127.0.0.1:1/none",
            "ROLLGUARD_DETECTOR_URL": "http://127.0.0.1:1",
        }

    async def get(self, path: str, **headers: str) -> Answer:
        """Ask for something under ``/api/v1``."""
        return await self.ask("GET", f"/api/v1{path}", **headers)

    async def post(self, path: str, body: Any, **headers: str) -> Answer:
        """Order something under ``/api/v1``."""
        return await self.ask("POST", f"/api/v1{path}", body, **headers)


async def held_command(system: System, console: Console, tool: str) -> RollbackCommand:
    """Send a command that waits for a person, and return it when it does."""
    [version] = await system.query(
        "SELECT version_id, activation FROM tool_versions WHERE tool_name = $1 AND is_current", tool
    )
    command = RollbackCommand(
        command_id=uuid4(),
        tool_name=tool,
        from_version_id=version["version_id"],
        from_activation=version["activation"],
        tier="standard",
        reason="success_rate_drop",
        mode="hold",
        issued_by="detector",
        issued_at=datetime.now(UTC),
    )
    await system.send(system.topics.commands, tool, command)

    async def held() -> bool:
        found = (await console.get(f"/rollbacks?tool={tool}&status=held")).body["rollbacks"]
        return [each["command_id"] for each in found] == [str(command.command_id)]

    await until(held)
    return command


@asynccontextmanager
async def running_console(workers: Workers, **more: str) -> AsyncIterator[Console]:
    """Run a console beside these workers; ``more`` is added to its environment."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (workers.folder / "console.log").open("ab") as log:
        program = await Program.start(
            "rollguard",
            "console",
            stdout=log,
            stderr=log,
            env=workers.environment(**{"ROLLGUARD_WEB_PORT": str(port), **more}),
        )
    try:
        console = Console(url, program)

        async def serves() -> bool:
            try:
                return (await console.ask("GET", "/healthz")).status == 200
            except aiohttp.ClientError:
                return False

        await until(serves)
        yield console
    finally:
        program.terminate()
        assert await program.wait() == 0

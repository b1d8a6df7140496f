"""Executions, and what is said of them later, sent to a console."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from rollguard.login_name import login_name
from rollguard.operations.records import NotPublished, Publish
from rollguard.operations.versions import VersionName
from rollguard.systems.remote.reading import Answers, one
from rollguard.systems.remote.versions import RemoteVersions
from rollguard.systems.system import NewVerdict
from rollguard_client.http.console import in_path
from schemas.execution import Execution
from schemas.later_verdict import LaterVerdict

_AT_ONCE: Final = 500
_MOST_BYTES: Final = 1024 * 1024
"""How large the executions of one request are together; escapes of JSON make them four times as
large at most, and a console takes 4 MiB."""


class RemoteExecutions:
    """Executions, and what is said of them later."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    @asynccontextmanager
    async def publishing(self) -> AsyncIterator[Publish]:
        """Return a block with a function that publishes executions."""
        yield self._publish

    async def judge(self, tool: str, said: NewVerdict, version: VersionName | None) -> LaterVerdict:
        """Publish a verdict; without ``version`` on the version that the execution was of."""
        ran = None
        if version is not None:
            ran = await RemoteVersions(self._answers).id_of(tool, version)
        by = said.by or login_name() or "unknown"
        body = {"bad": said.bad, "by": by, "why": said.why, "version_id": ran}
        path = f"/tools/{in_path(tool)}/executions/{said.execution_id}/verdicts"
        answer = await self._answers.console.send("POST", path, body)
        return self._answers.understood(lambda data: one(LaterVerdict, data), answer.data)

    async def _publish(self, executions: Sequence[Execution]) -> list[NotPublished]:
        rejected: list[NotPublished] = []
        begin = 0
        for part in _parts(executions):
            body = [each.model_dump(mode="json", exclude_none=True) for each in part]
            answer = await self._answers.console.send("POST", "/executions", body)
            found = self._answers.understood(_rejected, answer.data)
            rejected += [NotPublished(begin + index, error) for index, error in found]
            begin += len(part)
        return rejected


def _parts(executions: Sequence[Execution]) -> Iterator[list[Execution]]:
    """Yield the executions in parts that fit into one request each."""
    part: list[Execution] = []
    size = 0
    for each in executions:
        part.append(each)
        size += len(each.to_bytes())
        if len(part) == _AT_ONCE or size >= _MOST_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _rejected(data: Any) -> list[NotPublished]:
    return [NotPublished(int(each["index"]), str(each["error"])) for each in data["rejected"]]

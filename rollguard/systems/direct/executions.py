"""Executions, and what is said of them later, published to Kafka."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from rollguard.client import EngineClient
from rollguard.operations import verdicts, versions
from rollguard.operations.records import NotPublished, Publish
from rollguard.operations.versions import VersionName
from rollguard.systems.direct.of_settings import OfSettings
from rollguard.systems.system import NewVerdict
from schemas.execution import Execution
from schemas.later_verdict import LaterVerdict


class DirectExecutions(OfSettings):
    """Executions, and what is said of them later."""

    @asynccontextmanager
    async def publishing(self) -> AsyncIterator[Publish]:
        """Return a block with a function that publishes executions."""
        async with EngineClient(self.settings) as client:

            async def publish(executions: Sequence[Execution]) -> list[NotPublished]:
                await client.publish_executions(executions)
                return []

            yield publish

    async def judge(self, tool: str, said: NewVerdict, version: VersionName | None) -> LaterVerdict:
        """Publish a verdict; without ``version`` on the version that the execution was of."""
        execution_id, bad, by, why = said
        if version is None:
            ran = await verdicts.version_of(self.settings, tool, execution_id)
        else:
            ran = await versions.version_id_of(self.settings, tool, version)
        return await verdicts.judge(self.settings, tool, execution_id, ran, bad=bad, by=by, why=why)

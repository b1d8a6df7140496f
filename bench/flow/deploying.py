"""Many tools deployed at once, through the pipeline."""

import asyncio
from collections.abc import Sequence

from bench.setup.environment import Bed
from schemas.deployment import DeploymentOutcome
from streams.topic_reader import open_reader
from tests.support.system import deployment

_TIMEOUT_S = 120.0


async def deploy(bed: Bed, tools: Sequence[str], code: str) -> list[int]:
    """The ids of the versions, when all outcomes are there."""
    wishes = [deployment(tool, code) for tool in tools]
    missing = {wish.deployment_id for wish in wishes}
    versions: dict[str, int] = {}
    topic = bed.topics.deployment_outcomes
    async with (
        open_reader(bed.settings, topic, from_beginning=False) as reader,
        asyncio.timeout(_TIMEOUT_S),
    ):
        await asyncio.gather(
            *(
                bed.producer.send(
                    bed.topics.deployments, wish.to_bytes(), key=wish.tool_name.encode()
                )
                for wish in wishes
            )
        )
        while missing:
            for record in await reader.poll():
                outcome = DeploymentOutcome.from_bytes(record.value)
                if outcome.deployment_id in missing:
                    assert outcome.version_id is not None, outcome
                    versions[outcome.tool_name] = outcome.version_id
                    missing.remove(outcome.deployment_id)
    return [versions[tool] for tool in tools]

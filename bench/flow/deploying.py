"""Deploys many tools at once, through the pipeline."""

import asyncio
from collections.abc import Sequence

from bench.setup.environment import Environment
from schemas.deployment import DeploymentOutcome
from streams.topic_reader import open_reader
from tests.support.inputs.messages import deployment

_TIMEOUT_S = 120.0


async def deploy(environment: Environment, tools: Sequence[str], code: str) -> list[int]:
    """Deploy this code to each tool; return the ids of the versions when all are deployed."""
    requests = [deployment(tool, code) for tool in tools]
    missing = {request.deployment_id for request in requests}
    versions: dict[str, int] = {}
    topic = environment.topics.deployment_outcomes
    async with (
        open_reader(environment.settings, topic, from_beginning=False) as reader,
        asyncio.timeout(_TIMEOUT_S),
    ):
        await asyncio.gather(
            *(
                environment.producer.send(
                    environment.topics.deployments,
                    request.to_bytes(),
                    key=request.tool_name.encode(),
                )
                for request in requests
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

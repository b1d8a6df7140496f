"""The improvement neuron: the part of an engine that writes new code for a tool and deploys it."""

from collections.abc import Mapping
from typing import Any

from examples.autonomous_loop.manifest import Candidate
from rollguard import ToolVersionManager


class AutonomousImprovement:
    """An improvement neuron whose candidates are files instead of generated code.

    The loop sets ``version_manager``; without one nothing is deployed.
    """

    def __init__(self) -> None:
        self.version_manager: ToolVersionManager | None = None

    async def improve(self, candidate: Candidate) -> dict[str, Any]:
        """Deploy the candidate as if its code had just been generated; return the deployment."""
        return await self._deploy_real_improvement(
            candidate.tool_name, candidate.code, candidate.investigation_report
        )

    async def _deploy_real_improvement(
        self, tool_name: str, generated_code: str, investigation_report: Mapping[str, str]
    ) -> dict[str, Any]:
        """Deploy the code, wait until the engine has loaded it, and return the deployment.

        That is ``tool_name``, and ``version_id`` if there is a version manager. Raises what
        ``create_version`` raises.
        """
        deployment: dict[str, Any] = {"tool_name": tool_name}
        if self.version_manager:
            version_id = await self.version_manager.create_version(
                tool_name=tool_name,
                code=generated_code,
                created_by="autonomous",
                improvement_type="autonomous_improvement",
                improvement_reason=investigation_report.get("root_cause"),
                previous_version_id=None,  # the current version
            )
            deployment["version_id"] = version_id
        return deployment

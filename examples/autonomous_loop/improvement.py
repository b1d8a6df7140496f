"""The improvement neuron: looks into a tool, and deploys the code that it comes up with."""

from collections.abc import Mapping
from typing import Any

from examples.autonomous_loop.manifest import Candidate
from rollguard import ToolVersionManager


class AutonomousImprovement:
    """``version_manager`` is put in by the loop; without it nothing is deployed."""

    def __init__(self) -> None:
        self.version_manager: ToolVersionManager | None = None

    async def improve(self, candidate: Candidate) -> dict[str, Any]:
        """Deploy the candidate, in the place of code generated on the spot; the deployment."""
        return await self._deploy_real_improvement(
            candidate.tool_name, candidate.code, candidate.investigation_report
        )

    async def _deploy_real_improvement(
        self, tool_name: str, generated_code: str, investigation_report: Mapping[str, str]
    ) -> dict[str, Any]:
        """``tool_name``, and ``version_id`` where a version manager is there. Returns when the
        engine has loaded the version. Raises what ``create_version`` raises.
        """
        deployment: dict[str, Any] = {"tool_name": tool_name}
        if self.version_manager:
            version_id = await self.version_manager.create_version(
                tool_name=tool_name,
                code=generated_code,
                created_by="autonomous",
                improvement_type="autonomous_improvement",
                improvement_reason=investigation_report.get("root_cause"),
                previous_version_id=None,  # linked by itself
            )
            deployment["version_id"] = version_id
        return deployment

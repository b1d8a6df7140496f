"""Decisions about a group of deployments, which are stored in one transaction."""

from collections.abc import Callable, Mapping, Sequence

from agents.applier.comparisons import CodePair, Comparisons
from agents.applier.deployments.gated_deployments import (
    AskedDeployment,
    asked_deployment,
    obstacles_of,
)
from agents.comparer.fair_comparer import FairComparer
from db.postgres.pool import Connection, Pool, acquire
from db.versions.deploying import Compared, deploy_each
from db.versions.held import holds_about, superseded_by
from db.versions.outcomes import DeploymentKey
from db.versions.reading import current_versions
from policy.breaking.finding import Finding, is_breaking, sentences
from schemas.deployment import Deployment, DeploymentOutcome, ToolVersion
from schemas.settings import Settings


class DecideDeployments:
    """Decides and applies one group of deployments, each of another tool."""

    def __init__(
        self,
        comparer: FairComparer,
        requests: Sequence[Deployment],
        settings: Settings,
        decided: Callable[[], None],
    ) -> None:
        """``decided`` is called when it is decided what is stored."""
        self._decided = decided
        self._requests = requests
        self._settings = settings
        self._comparisons = Comparisons(comparer)
        self._tools = [request.tool_name for request in requests]
        self._may_supersede = False
        self.superseded: list[DeploymentOutcome] = []
        """The outcomes of held deployments whose place these took."""

    async def compare(self, pool: Pool) -> None:
        """Compare the code with the current versions, before the tools are locked.

        Raises NotCompared (``agents.applier.comparisons``).
        """
        async with acquire(pool) as conn:
            current = await current_versions(conn, self._tools)
        await self._comparisons.compare(_pairs_of(self._requests, current))

    async def deploy(self, conn: Connection) -> list[DeploymentOutcome]:
        """Apply the deployments in one transaction, all of them or none; return their outcomes.

        To be called under the locks of the tools, so that the code is compared with the version
        that is replaced. Raises NotCompared if a tool was changed since ``compare``: it is compared
        again later.
        """
        current = await current_versions(conn, self._tools)
        self._comparisons.require(_pairs_of(self._requests, current))
        ids = [request.deployment_id for request in self._requests]
        held = await holds_about(conn, self._tools, ids)
        self._may_supersede = bool(held.waiting) or held.have_superseded
        asked = [
            asked_deployment(each, held.waiting.get(each.tool_name)) for each in self._requests
        ]
        findings = {
            each.tool_name: self._comparisons.findings(_pair_of(each, current.get(each.tool_name)))
            for each in self._requests
        }
        obstacles = await obstacles_of(conn, asked, current, findings, self._settings)
        compared = [
            _compared(each, current.get(each.tool_name), findings[each.tool_name]) for each in asked
        ]
        self._decided()
        return await deploy_each(conn, compared, obstacles, held.waiting)

    async def others(self, conn: Connection) -> list[DeploymentOutcome]:
        """Return the outcomes that follow from ``deploy`` for other deployments, also again."""
        if self._may_supersede:
            newer = [DeploymentKey(each.tool_name, each.deployment_id) for each in self._requests]
            self.superseded = await superseded_by(conn, newer)
        return self.superseded


def _compared(
    asked: AskedDeployment, current: ToolVersion | None, findings: Sequence[Finding]
) -> Compared:
    against = None if current is None else current.version_id
    return Compared(
        asked.deployment, sentences(findings), is_breaking(findings), against, asked.answer
    )


def _pairs_of(
    requests: Sequence[Deployment], current: Mapping[str, ToolVersion]
) -> dict[str, CodePair]:
    """Return the code to compare, by tool."""
    pairs = {each.tool_name: _pair_of(each, current.get(each.tool_name)) for each in requests}
    return {tool: pair for tool, pair in pairs.items() if pair is not None}


def _pair_of(request: Deployment, current: ToolVersion | None) -> CodePair | None:
    """Return the code to compare; None if it is the current code, which breaks nothing."""
    if current is None:
        return CodePair((request.tool_name, None), None, request.code)
    if current.code == request.code:
        return None
    return CodePair((request.tool_name, current.version_id), current.code, request.code)

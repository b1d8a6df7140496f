"""The versions of tools, asked of a console."""

from collections.abc import Mapping
from http import HTTPStatus
from math import nan
from typing import Any, Final
from uuid import UUID

from db.versions.held import HeldDeployment
from db.versions.reading import VersionRecord
from rollguard.operations.versions import FoundVersion, ToolHistory, VersionName
from rollguard.refusal import require_version
from rollguard.systems.remote.reading import Answers, one
from rollguard.systems.system import NewVersion
from rollguard_client.http.console import in_path
from schemas.deployment import DeploymentOutcome
from schemas.errors import RollguardError
from schemas.fields import parse_time

_PAGE: Final = 50
_MOST_HELD: Final = 500


class RemoteVersions:
    """The versions of tools."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def deploy(self, tool: str, new: NewVersion, deployment_id: UUID) -> FoundVersion:
        """Deploy code, wait for the outcome, and return the version that is current then."""
        body = new._asdict() | {
            "accepted_breaks": [each.model_dump(mode="json") for each in new.accepted_breaks],
            "checks": [each.model_dump(mode="json") for each in new.checks],
            "deployment_id": str(deployment_id),
        }
        answer = await self._answers.console.send(
            "POST", f"/tools/{in_path(tool)}/deployments", body, also=(HTTPStatus.CONFLICT,)
        )
        data = answer.data["outcome"] if answer.status == HTTPStatus.CONFLICT else answer.data
        outcome = self._answers.understood(lambda each: one(DeploymentOutcome, each), data)
        return await self.named(tool, VersionName(version_id=require_version(outcome)))

    async def current(self, tool: str) -> FoundVersion:
        """Return the current version."""
        return await self._answers.get(f"{_path(tool)}/current", _found)

    async def named(self, tool: str, name: VersionName) -> FoundVersion:
        """Return one version."""
        return await self._answers.get(version_path(tool, name), _found)

    async def id_of(self, tool: str, name: VersionName) -> int:
        """Return the id of a version. One that is named by its id need not exist."""
        if name.version_id is not None:
            return name.version_id
        return (await self.named(tool, name)).record.version_id

    async def number_of(self, tool: str, version_id: int) -> int | None:
        """Return the number of a version; None if it is not known."""
        try:
            found = await self.named(tool, VersionName(version_id=version_id))
        except RollguardError:
            return None
        return found.record.version_number

    async def history(self, tool: str, limit: int) -> ToolHistory:
        """Return the newest versions and held deployments."""
        found = ToolHistory([], [])
        pages = self._answers.all_pages(
            _path(tool), "versions", limit, page=_PAGE, held_limit=min(limit, _MOST_HELD)
        )
        async for page in pages:
            part = self._answers.understood(_history_of, page)
            found.versions.extend(part.versions)
            if not found.held:
                found.held.extend(part.held)
        return found

    async def compare(self, tool: str, before: VersionName, after: VersionName) -> dict[str, Any]:
        """Return what leads from one version to the other."""
        path, names = f"/tools/{in_path(tool)}/compare", {"from": _text(before), "to": _text(after)}
        return await self._answers.get(path, _comparison_of, **names)


def _path(tool: str) -> str:
    return f"/tools/{in_path(tool)}/versions"


def version_path(tool: str, name: VersionName) -> str:
    """Return where a version is."""
    return f"{_path(tool)}/{_text(name)}"


def _text(name: VersionName) -> str:
    return f"v{name.number}" if name.version_id is None else str(name.version_id)


def _found(data: Mapping[str, Any]) -> FoundVersion:
    return FoundVersion(one(VersionRecord, data), data["previous_version_number"])


def _history_of(page: Mapping[str, Any]) -> ToolHistory:
    return ToolHistory(
        [one(VersionRecord, each) for each in page["versions"]],
        [one(HeldDeployment, each) for each in page["held"]],
    )


def _comparison_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a comparison with its times and with NaN, as it was before it was JSON."""
    found = dict(data)
    for name in ("from_version", "to_version"):
        version = found[name]
        found[name] = version | {"created_at": parse_time(version["created_at"])}
    for name in ("from_metrics", "to_metrics"):
        found[name] = _with_nan(found[name], "success_rate")
    change = _with_nan(found["metrics_comparison"], "success_rate_change")
    interval = [_number(each) for each in change["confidence_interval"]]
    found["metrics_comparison"] = change | {"confidence_interval": interval}
    return found


def _with_nan(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {**data, name: _number(data[name])}


def _number(value: float | None) -> float:
    return nan if value is None else value

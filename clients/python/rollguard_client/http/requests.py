"""The requests of version management: what is asked of a console, and what its answers say."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from rollguard_client.errors import Missing, Rejected
from rollguard_client.http import results
from rollguard_client.http.console import Console, in_path
from rollguard_client.http.refusals import DeploymentHeld, DeploymentRefused
from rollguard_client.login_name import login_name
from rollguard_client.messages.deployment import (
    AcceptedBreak,
    Author,
    Check,
    DeploymentOutcome,
    ToolVersion,
)

_CONFLICT: Final = 409
_PAGE: Final = 50


class Requests:
    """What version management asks of a console; each method waits for the answer."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def create(
        self,
        tool_name: str,
        code: str,
        created_by: Author,
        improvement_type: str,
        improvement_reason: str | None,
        previous_version_id: int | None,
        accepted_breaks: Iterable[AcceptedBreak],
        checks: Iterable[Check],
        deployment_id: UUID | None,
    ) -> int:
        """Deploy code, and return the id of the version that is current then."""
        body = {
            "code": code,
            "created_by": created_by,
            "improvement_type": improvement_type,
            "improvement_reason": improvement_reason,
            "previous_version_id": previous_version_id,
            "accepted_breaks": msgspec.to_builtins(list(accepted_breaks)),
            "checks": msgspec.to_builtins(list(checks)),
            "deployment_id": None if deployment_id is None else str(deployment_id),
        }
        answer = self.console.ask(
            "POST", f"{_tool(tool_name)}/deployments", body=body, also=(_CONFLICT,)
        )
        is_refused = answer.status == _CONFLICT
        data = answer.data.get("outcome") if is_refused else answer.data
        outcome = self._read(_outcome, data)
        if outcome.version_id is not None:
            return int(outcome.version_id)
        if is_refused:
            raise DeploymentRefused(str(answer.data.get("detail")), outcome)
        raise DeploymentHeld(outcome)

    def current(self, tool_name: str) -> dict[str, Any] | None:
        """Return the current version; None if the tool has no versions."""
        try:
            found = self.console.ask("GET", f"{_tool(tool_name)}/versions/current")
        except Missing:
            return None
        return self._read(results.version_of, found.data)  # type: ignore[no-any-return]

    def current_message(self, tool_name: str) -> ToolVersion:
        """Return the current version as the message that registries take."""
        found = self.console.ask("GET", f"{_tool(tool_name)}/versions/current")
        return self._read(_version, found.data)  # type: ignore[no-any-return]

    def history(self, tool_name: str, limit: int) -> list[dict[str, Any]]:
        """Return the newest versions, the newest first; none if the tool has none."""
        if not isinstance(limit, int) or not 1 <= limit < 2**31:
            raise Rejected(f"limit: {limit!r} is not between 1 and {2**31 - 1}")
        found: list[dict[str, Any]] = []
        cursor = None
        while len(found) < limit:
            query = {"limit": min(_PAGE, limit - len(found)), "cursor": cursor, "held_limit": 0}
            try:
                page = self.console.ask("GET", f"{_tool(tool_name)}/versions", query)
            except Missing:
                return []
            found += self._read(_versions, page.data)
            cursor = page.data.get("next_cursor")
            if cursor is None:
                break
        return found

    def roll_back(
        self,
        tool_name: str,
        version_id: int,
        reason: str,
        issued_by: str | None,
        command_id: UUID | None,
    ) -> dict[str, Any]:
        """Order a rollback, and return its result."""
        _require_id(version_id)
        body = {
            "to_version_id": version_id,
            "reason": reason,
            "issued_by": issued_by or login_name() or "unknown",
            "by_rule": command_id is None,
            "command_id": None if command_id is None else str(command_id),
        }
        answer = self.console.ask(
            "POST", f"{_tool(tool_name)}/rollbacks", body=body, also=(_CONFLICT,)
        )
        if answer.status == _CONFLICT:
            return self._read(  # type: ignore[no-any-return]
                results.rollback_of, answer.data.get("outcome"), answer.data.get("detail")
            )
        return self._read(results.rollback_of, answer.data, None)  # type: ignore[no-any-return]

    def compare(self, tool_name: str, before: int, after: int) -> dict[str, Any]:
        """Return what leads from one version to the other."""
        for each in (before, after):
            _require_id(each)
        found = self.console.ask(
            "GET", f"{_tool(tool_name)}/compare", {"from": before, "to": after}
        )
        return self._read(results.comparison_of, found.data)  # type: ignore[no-any-return]

    def immediate(
        self, tool_name: str, at: datetime | str | None
    ) -> tuple[bool, str | None, dict[str, Any]]:
        """Return whether an immediate rule demands a rollback, the reason, and the evidence."""
        moment = at.isoformat() if isinstance(at, datetime) else at
        found = self.console.ask("GET", f"{_tool(tool_name)}/immediate", {"at": moment})
        return self._read(_verdict, found.data)  # type: ignore[no-any-return]

    def recount(self, tool_name: str, version_id: int | None) -> dict[str, Any]:
        """Count the executions of a version again; None is the current one."""
        if version_id is None:
            version_id = self.current_message(tool_name).version_id
        _require_id(version_id)
        path = f"{_tool(tool_name)}/versions/{version_id}/recount"
        found = self.console.ask("POST", path, body={})
        return self._read(results.recount_of, found.data)  # type: ignore[no-any-return]

    def health(self, tool_name: str, session_id: str | None) -> dict[str, Any]:
        """Return what all rules say now."""
        found = self.console.ask("GET", f"{_tool(tool_name)}/health")
        return self._read(results.health_of, found.data, session_id)  # type: ignore[no-any-return]

    def roll_back_if_needed(
        self, tool_name: str, session_id: str | None, check_fast_rollback: bool
    ) -> dict[str, Any]:
        """Roll the current version back if a rule demands it."""
        found = self.console.ask(
            "POST",
            f"{_tool(tool_name)}/rollbacks/automatic",
            body={"check_fast_rollback": check_fast_rollback},
        )
        return self._read(results.monitored, found.data, session_id)  # type: ignore[no-any-return]

    def _read(self, read: Any, data: Any, *more: Any) -> Any:
        return results.understood(self.console.url, read, data, *more)


def _tool(tool_name: str) -> str:
    """Return where a tool is. Rejected for a value that no tool can have as its name."""
    if not isinstance(tool_name, str) or not tool_name:
        raise Rejected(f"tool_name: {tool_name!r} is not the name of a tool")
    return f"/tools/{in_path(tool_name)}"


def _require_id(version_id: int) -> None:
    """Raise Rejected for what is no id of a version."""
    if not isinstance(version_id, int) or isinstance(version_id, bool):
        raise Rejected(f"version_id: {version_id!r} is not the id of a version")


def _outcome(data: Any) -> DeploymentOutcome:
    return DeploymentOutcome.from_bytes(msgspec.json.encode(data))


def _version(data: Any) -> ToolVersion:
    return ToolVersion.from_bytes(msgspec.json.encode(data))


def _versions(page: Any) -> list[dict[str, Any]]:
    return [results.version_of(each) for each in page["versions"]]


def _verdict(data: Any) -> tuple[bool, str | None, dict[str, Any]]:
    return data["needs_rollback"], data["reason"], data["details"]

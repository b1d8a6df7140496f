"""A policy as the command line asks for it: ``guarded:alpha=0.001,tolerated_drop=0.05``."""

from typing import Any, Final, Self, get_args, get_origin

from pydantic import ValidationError

from policy.decision.policies import Policies, any_watches_outages
from policy.decision.policy import Policy
from schemas.execution_entry import ExecutionEntry
from schemas.failures.failure_classes import ErrorOrigin
from schemas.message import explain
from schemas.rules.rules import PolicyName, Rules
from schemas.settings import Settings

_NAMES: Final = get_args(PolicyName)
_LISTS: Final = frozenset(
    name for name, field in Rules.model_fields.items() if get_origin(field.annotation) is tuple
)
"""The settings with several values, which are separated by commas as the settings are."""


class RequestedPolicy:
    """The policy of each tool: the rules of the settings, changed as was asked for.

    The changes apply to the rules for all tools and to those of single tools. ``text`` is how it
    was asked for.
    """

    def __init__(self, text: str, changes: dict[str, Any], settings: Settings) -> None:
        self.text = text
        self._common = _changed(settings.rules_of(""), changes, "")
        self._tools = {
            tool: _changed(settings.rules_of(tool), changes, f"tools.{tool}: ")
            for tool in settings.tools
        }
        self._policies = Policies(self.rules_of)

    @classmethod
    def parse(cls, text: str, settings: Settings) -> Self:
        """Read ``NAME`` or ``NAME:SETTING=VALUE,…``; a setting is any field of ``Rules``.

        Further values of a list follow it: ``seed:caller_errors=ValueError,KeyError,ring_size=9``.
        Raises ValueError that says which part is wrong: an unknown policy or setting, a setting
        that is given twice, or values that do not fit, alone or with those of a single tool.
        """
        name, _, given = text.partition(":")
        if name not in _NAMES:
            raise ValueError(f"{name!r} is no policy: {', '.join(_NAMES)}")
        changes: dict[str, Any] = {"policy": name}
        setting = ""
        for part in filter(None, given.split(",")):
            before = setting
            setting, is_given, value = (each.strip() for each in part.partition("="))
            if not is_given and before in _LISTS:
                setting = before
                changes[setting] += f",{part}"
                continue
            if not is_given:
                raise ValueError(f"{part!r} is not SETTING=VALUE")
            if setting == "policy":
                raise ValueError("the policy is named before the colon")
            if setting not in Rules.model_fields:
                raise ValueError(f"{setting!r} is no setting of the rules")
            if setting in changes:
                raise ValueError(f"{setting!r} is given twice")
            changes[setting] = value
        return cls(text, changes, settings)

    @property
    def watches_outages(self) -> bool:
        """Whether the policy of any tool looks at outages."""
        return any_watches_outages([self._common, *self._tools.values()])

    def rules_of(self, tool_name: str) -> Rules:
        """Return the rules for this tool."""
        return self._tools.get(tool_name, self._common)

    def of(self, tool_name: str) -> Policy:
        """Return the policy of this tool."""
        return self._policies.of(tool_name)

    def origin_of(self, failure: ExecutionEntry) -> ErrorOrigin:
        """Return whose failure it is, by the rules of its tool."""
        return self._policies.origin_of(failure)


def _changed(rules: Rules, changes: dict[str, Any], where: str) -> Rules:
    try:
        return rules.changed(changes)
    except ValidationError as error:
        raise ValueError(f"{where}{explain(error)}") from None

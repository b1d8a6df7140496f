"""A policy as it is asked for on the command line: ``guarded:alpha=0.001,tolerated_drop=0.05``."""

from typing import Any, Final, Self, get_args

from pydantic import ValidationError

from schemas.message import explain
from schemas.rules import PolicyName, Rules
from schemas.settings import Settings

_NAMES: Final = get_args(PolicyName)


class RequestedPolicy:
    """The rules for each tool: the settings' ones, for all tools and for single ones, and on top of
    them what was asked for. ``text`` is how it was asked for.
    """

    def __init__(self, text: str, changes: dict[str, Any], settings: Settings) -> None:
        self.text = text
        self._common = _changed(settings.rules_of(""), changes, "")
        self._tools = {
            tool: _changed(settings.rules_of(tool), changes, f"tools.{tool}: ")
            for tool in settings.tools
        }

    @classmethod
    def parse(cls, text: str, settings: Settings) -> Self:
        """Read ``NAME`` or ``NAME:SETTING=VALUE,…``, with any field of ``Rules`` as a setting.

        Raises ValueError that says which part is wrong: an unknown policy or setting, one that is
        given twice, or values that do not fit, by themselves or beside those of a single tool.
        """
        name, _, given = text.partition(":")
        if name not in _NAMES:
            raise ValueError(f"{name!r} is no policy: {', '.join(_NAMES)}")
        changes: dict[str, Any] = {"policy": name}
        for part in filter(None, given.split(",")):
            setting, is_given, value = (each.strip() for each in part.partition("="))
            if not is_given:
                raise ValueError(f"{part!r} is not SETTING=VALUE")
            if setting == "policy":
                raise ValueError("the policy is named in front of the colon")
            if setting not in Rules.model_fields:
                raise ValueError(f"{setting!r} is no setting of the rules")
            if setting in changes:
                raise ValueError(f"{setting!r} is given twice")
            changes[setting] = value
        return cls(text, changes, settings)

    @property
    def watches_outages(self) -> bool:
        """Whether it asks what is known of outages."""
        return self._common.policy == "guarded"

    def rules_of(self, tool_name: str) -> Rules:
        return self._tools.get(tool_name, self._common)


def _changed(rules: Rules, changes: dict[str, Any], whose: str) -> Rules:
    try:
        return Rules.model_validate(rules.model_dump() | changes)
    except ValidationError as error:
        raise ValueError(f"{whose}{explain(error)}") from None

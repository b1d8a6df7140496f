"""Which policy a tool has."""

from collections.abc import Callable, Iterable
from typing import Final

from policy.decision.guarded import GuardedPolicy
from policy.decision.policy import Policy
from policy.decision.seed import SeedPolicy
from schemas.execution_entry import ExecutionEntry
from schemas.failures.failure_classes import ErrorOrigin
from schemas.rules.rules import PolicyName, Rules

_POLICIES: Final[dict[PolicyName, type[Policy]]] = {"seed": SeedPolicy, "guarded": GuardedPolicy}


def policy_for(rules: Rules) -> Policy:
    """Return the policy that these rules name."""
    return _POLICIES[rules.policy](rules)


class Policies:
    """The policy of each tool, made once for all tools that share their rules."""

    def __init__(self, rules_of: Callable[[str], Rules]) -> None:
        """Take the function that gives the rules of a tool.

        It returns the same object each time for the same rules, as ``Settings.rules_of`` does.
        """
        self._rules_of = rules_of
        self._known: dict[int, Policy] = {}

    def of(self, tool_name: str) -> Policy:
        """Return the policy of this tool."""
        rules = self._rules_of(tool_name)
        policy = self._known.get(id(rules))  # the policy keeps its rules, so the id stays theirs
        if policy is None:
            policy = self._known[id(rules)] = policy_for(rules)
        return policy

    def origin_of(self, failure: ExecutionEntry) -> ErrorOrigin:
        """Return whose failure it is, by the rules of its tool."""
        return self._rules_of(failure.tool_name).failure_classes.origin_of(failure)


def any_watches_outages(rules: Iterable[Rules]) -> bool:
    """Return whether the policy of any of these rules looks at outages."""
    return any(_POLICIES[each.policy].watches_outages for each in rules)

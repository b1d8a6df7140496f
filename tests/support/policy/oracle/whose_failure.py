"""The oracle of origins and of signature errors: the contract, section 11, written plainly.

It trusts the product to read the class of an error, and compares names itself.
"""

import re
from collections.abc import Iterable

from schemas.execution import Execution
from schemas.execution_entry import ExecutionEntry
from schemas.failures.failure_classes import ErrorOrigin
from schemas.rules.rules import Rules

_LEAF = re.compile(r"^ +\| (\w+): ", re.MULTILINE)
"""A leaf in the traceback of an exception group."""


def origin_of(execution: Execution, rules: Rules) -> ErrorOrigin | None:
    """Return whose failure it is; None for a success."""
    if execution.success:
        return None
    if execution.error_origin is not None:
        return execution.error_origin
    is_callers = _exactness(execution, rules.caller_errors)
    is_environments = _exactness(execution, rules.environment_errors)
    if is_callers == is_environments:
        return "tool"
    return "caller" if is_callers > is_environments else "environment"


def counts(execution: Execution, rules: Rules) -> bool:
    """Return whether an execution is judged at all."""
    return origin_of(execution, rules) in (None, "tool")


def is_signature_error(execution: Execution | ExecutionEntry, rules: Rules | None = None) -> bool:
    """Return whether it failed in the way in which a call of a changed signature fails."""
    names = (rules or Rules()).signature_errors
    if execution.success:
        return False
    leaves = set(_LEAF.findall(execution.error or ""))
    return _exactness(execution, names) > 0 or bool(leaves & {_last(name) for name in names})


def _exactness(execution: Execution | ExecutionEntry, names: Iterable[str]) -> int:
    """Return how exactly one of the names is that of the failure's class; 0 if none is it."""
    given = (execution.error_type or "").strip().removeprefix("<class '").removesuffix("'>")
    said = given if "." in given else execution.error_class
    if not said:
        return 0
    exact = [name for name in names if name == said]
    without_module = [name for name in names if "." in said and name == _last(said)]
    any_module = [name for name in names if "." not in said and _last(name) == said]
    return 2 if exact else 1 if without_module or any_module else 0


def _last(name: str) -> str:
    return name.rpartition(".")[2]

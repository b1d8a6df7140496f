"""Whether a command is carried out, is held, or is only observed."""

from zlib import crc32

from schemas.execution import Activation
from schemas.rollback import Mode, Reason
from schemas.rules.rules import Rules
from tests.support.policy.oracle.rules import Decision


def mode_of(decision: Decision, current: Activation, rules: Rules) -> Mode | None:
    draw = crc32(f"{current.activation}/{current.tool_name}".encode()) / 2**32
    if is_dry_run(decision.reason, rules) or draw >= rules.enforced_share:
        return "observe"
    return "hold" if decision.reason in rules.hold else None


def is_dry_run(reason: Reason, rules: Rules) -> bool:
    if reason in ("slower", "costlier") and reason not in (*rules.enforce, *rules.hold):
        return True
    return reason in rules.observe

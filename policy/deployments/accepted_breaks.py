"""The breaking changes that the author of a deployment accepts. Pure."""

from collections.abc import Sequence

from policy.breaking.finding import Finding
from schemas.deployment import AcceptedBreak


def acceptance_of(finding: Finding, accepted: Sequence[AcceptedBreak]) -> str | None:
    """Return why the author accepted this change; None if the author did not."""
    for each in accepted:
        is_this_kind = not each.kind or each.kind == finding.kind
        if is_this_kind and (not each.object or each.object == finding.object):
            return each.reason
    return None

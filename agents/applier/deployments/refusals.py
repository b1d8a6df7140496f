"""Refusals under policy `guarded` of code that a machine deploys after it was rolled back."""

from collections.abc import Iterable, Mapping, Sequence

from db.executions.queries import errors_of
from db.postgres.pool import Connection
from db.rollbacks.trust import TrustLoss, trust_losses
from policy.decision.policies import policy_for
from policy.decision.rule_texts import rule_text
from policy.rollbacks.explanations import decided_by, evidence_of, shown_error
from schemas.deployment import Deployment, RolledBack, ToolVersion, code_hash_of
from schemas.explanation import MAX_ERRORS
from schemas.rules.rules import Rules
from schemas.settings import Settings


async def rolled_back_code(
    conn: Connection,
    requests: Sequence[Deployment],
    current: Mapping[str, ToolVersion],
    settings: Settings,
) -> dict[str, RolledBack]:
    """Return, by tool, the rollbacks because of which deployments are to be refused.

    Each deployment is of another tool. It is refused if a machine deploys code that has lost its
    trust (``db.rollbacks.trust``) and is not current. To be called under the locks of the tools, so
    that the answer still holds when they are deployed. Raises Retryable.
    """
    code = [
        (request.tool_name, code_hash)
        for request in requests
        if request.created_by == "autonomous"
        and policy_for(settings.rules_of(request.tool_name)).refuses_rolled_back_code
        for code_hash in [code_hash_of(request.code)]
        if request.tool_name not in current or current[request.tool_name].code_hash != code_hash
    ]
    return {
        tool: rolled_back_of(
            lost, await errors_of(conn, tool, decided_by(lost.details)), settings.rules_of(tool)
        )
        for tool, lost in (await trust_losses(conn, code)).items()
    }


def rolled_back_of(lost: TrustLoss, errors: Iterable[str], rules: Rules) -> RolledBack:
    """Return the facts about a rollback that the author of the code gets. Pure.

    They are those of its explanation, if it is stored. ``errors`` are the recorded errors of its
    executions, the newest first; they are given if the explanation has none.
    """
    why = lost.explanation
    known = [each.error for each in why.errors] if why else []
    return RolledBack(
        command_id=lost.command_id,
        tier=lost.tier,
        reason=lost.reason,
        rule=why.rule if why else rule_text(lost.tier, lost.reason, rules),
        evidence=why.evidence if why else evidence_of(lost.details, lost.reason),
        from_version_id=lost.from_version_id,
        rolled_back_at=lost.applied_at,
        executions=why.decided_by if why else decided_by(lost.details),
        errors=known or list(dict.fromkeys(map(shown_error, errors)))[:MAX_ERRORS],
    )

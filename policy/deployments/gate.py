"""The gate: what speaks against a machine's deployment before a version is made of it. Pure.

Three things do: code that cannot be parsed, changes that break callers and that the author did not
accept, and checks of the author that failed. The setting ``gate`` says what follows from them.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

from policy.breaking.finding import Finding, one_line, sentences
from policy.deployments.accepted_breaks import acceptance_of
from schemas.deployment import AcceptedBreak, Check, Deployment
from schemas.rules.rules import GateMode

_MAX_DETAIL: Final = 300
"""How much of the detail of a failed check is told, in characters."""


class GateDecision(NamedTuple):
    """Whether a deployment becomes a version, and what speaks against it."""

    action: Literal["pass", "hold", "refuse"]
    findings: Sequence[str] = ()
    """One sentence each; none if it passes."""


_PASSES: Final = GateDecision("pass")


def gate_decision(
    deployment: Deployment, findings: Iterable[Finding], mode: GateMode, *, is_current: bool
) -> GateDecision:
    """Return what becomes of a new deployment.

    ``findings`` are the changes in its code, and ``is_current`` says whether the code is that of
    the current version: then nothing new would run. What a person deploys always passes.
    """
    if mode == "allow" or is_current or deployment.created_by == "human":
        return _PASSES
    against = gate_findings(findings, deployment.accepted_breaks or (), deployment.checks or ())
    return GateDecision(mode, against) if against else _PASSES


def gate_findings(
    findings: Iterable[Finding], accepted: Sequence[AcceptedBreak], checks: Iterable[Check]
) -> list[str]:
    """Return what speaks against a deployment, one sentence each.

    Nobody can accept code that cannot be parsed. There are at most ``MAX_SENTENCES`` and one
    sentences about the code, and one for each check.
    """
    breaks = [
        each
        for each in findings
        if each.severity == "breaking"
        and (each.kind == "unparseable" or acceptance_of(each, accepted) is None)
    ]
    return sentences(breaks) + [_failure(each) for each in checks if not each.ok]


def _failure(check: Check) -> str:
    name = one_line(check.name, _MAX_DETAIL)
    if not check.detail:
        return f"The check '{name}' failed."
    return f"The check '{name}' failed: {one_line(check.detail, _MAX_DETAIL)}"

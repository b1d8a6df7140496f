"""The gate: what speaks against a deployment, and what follows from it."""

from typing import Any, Final
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.breaking.compare import compare_code
from policy.breaking.finding import MAX_SENTENCES, Finding, Kind, new_finding
from policy.deployments.gate import GateDecision, gate_decision, gate_findings
from schemas.deployment import MAX_CHECKS, AcceptedBreak, Check, Deployment
from schemas.fields import time_of
from schemas.rules.rules import GateMode

OLD: Final = "def execute(a, b): return a"
REMOVED: Final = "def execute(a): return a"
BROKEN: Final = "def execute(a"
DEFAULT: Final = "def execute(a, b=1): return a"


def deployment(code: str, created_by: str = "autonomous", **fields: Any) -> Deployment:
    given = {
        "deployment_id": uuid4(),
        "tool_name": "t",
        "code": code,
        "created_by": created_by,
        "improvement_type": "bug_fix",
        "deployed_at": time_of(0),
    }
    return Deployment.model_validate(given | fields)


def decided(request: Deployment, mode: GateMode = "hold", old: str | None = OLD) -> GateDecision:
    findings = compare_code(old, request.code)
    return gate_decision(request, findings, mode, is_current=old == request.code)


def accepted(**fields: str) -> list[AcceptedBreak]:
    return [AcceptedBreak(reason="nobody uses it", **fields)]


def check(ok: bool, **fields: Any) -> list[Check]:
    return [Check(name="smoke", ok=ok, **fields)]


FAILED: Final[dict[str, Any]] = {"checks": check(False, detail="2 of 3\ncalls")}


@pytest.mark.parametrize(
    ("request_", "old", "findings"),
    [
        # nothing speaks against it
        (deployment(DEFAULT), OLD, []),
        (deployment("x = 1"), None, []),
        (deployment(DEFAULT, checks=check(True, detail="3 of 3")), OLD, []),
        # code that cannot be parsed, also as the first version, and accepted or not
        (deployment(BROKEN), OLD, ["does not parse"]),
        (deployment(BROKEN), None, ["does not parse"]),
        (deployment(BROKEN, accepted_breaks=accepted(kind="unparseable")), OLD, ["not parse"]),
        # breaks, accepted by kind, by object, by both, or not at all
        (deployment(REMOVED), OLD, ["'b'"]),
        (deployment(REMOVED, accepted_breaks=accepted(kind="parameter_removed")), OLD, []),
        (deployment(REMOVED, accepted_breaks=accepted(object="execute")), OLD, []),
        (
            deployment(REMOVED, accepted_breaks=accepted(object="execute", kind="parameter_moved")),
            OLD,
            ["'b'"],
        ),
        (deployment(REMOVED, accepted_breaks=accepted(object="other")), OLD, ["'b'"]),
        # checks that failed
        (deployment(DEFAULT, **FAILED), OLD, ["The check 'smoke' failed: 2 of 3 calls"]),
        (deployment(DEFAULT, checks=check(False)), OLD, ["The check 'smoke' failed."]),
        (deployment(REMOVED, **FAILED), OLD, ["'b'", "smoke"]),
        # nothing new would run
        (deployment(OLD, **FAILED), OLD, []),
    ],
)
def test_what_speaks_against_a_machines_deployment(
    request_: Deployment, old: str | None, findings: list[str]
) -> None:
    modes: tuple[GateMode, ...] = ("hold", "refuse")
    for mode in modes:
        decision = decided(request_, mode, old)
        assert decision.action == (mode if findings else "pass")
        assert len(decision.findings) == len(findings)
        for found, part in zip(decision.findings, findings, strict=True):
            assert part in found
    assert decided(request_, "allow", old) == GateDecision("pass")
    by_ann = request_.model_copy(update={"created_by": "human"})
    for mode in modes:
        assert decided(by_ann, mode, old) == GateDecision("pass")


KINDS: Final[list[Kind]] = ["unparseable", "parameter_removed", "default_changed", "added"]
NAMES: Final = ["a", "b"]
FINDINGS = st.lists(
    st.builds(
        lambda kind, name: new_finding(kind, name, f"{kind} {name}", None),
        st.sampled_from(KINDS),
        st.sampled_from(NAMES),
    )
)
ACCEPTED = st.lists(
    st.tuples(st.sampled_from([*KINDS, None]), st.sampled_from([*NAMES, None]))
    .filter(any)
    .map(lambda pair: AcceptedBreak(kind=pair[0], object=pair[1], reason="")),
    max_size=4,
)
CHECKS = st.lists(st.builds(lambda ok: Check(name="c", ok=ok), st.booleans()), max_size=4)


@given(FINDINGS, ACCEPTED, CHECKS)
def test_a_break_counts_unless_an_acceptance_names_it(
    findings: list[Finding], accepted: list[AcceptedBreak], checks: list[Check]
) -> None:
    expected = [
        each.sentence
        for each in findings
        if each.kind in ("unparseable", "parameter_removed")
        and (
            each.kind == "unparseable"
            or not any(
                one.kind in (None, each.kind) and one.object in (None, each.object)
                for one in accepted
            )
        )
    ]
    found = gate_findings(findings, accepted, checks)
    failed = sum(not each.ok for each in checks)
    assert sorted(found[: len(found) - failed]) == sorted(expected)
    assert found[len(found) - failed :] == ["The check 'c' failed."] * failed


def test_findings_are_few_and_short() -> None:
    many = [new_finding("added", "", "", None)] * 3 + [
        new_finding("parameter_removed", "x" * 999, "y" * 999, None) for _ in range(1_000)
    ]
    checks = [Check(name="n" * 255, ok=False, detail="d" * 1_000)] * MAX_CHECKS
    found = gate_findings(many, [], checks)
    assert len(found) == MAX_SENTENCES + 1 + MAX_CHECKS
    assert found[MAX_SENTENCES] == f"There are {1_000 - MAX_SENTENCES} more."
    assert max(map(len, found)) < 600

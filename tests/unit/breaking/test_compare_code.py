"""The findings of `compare_code` for the table of cases."""

from typing import get_args

import pytest

from policy.breaking.compare import compare_code
from policy.breaking.finding import Finding, Kind, is_breaking, severity_of
from tests.support.breaking_cases.case import Case
from tests.support.breaking_cases.every import CASES


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_findings(case: Case) -> None:
    findings = compare_code(case.old, case.new)
    assert sorted(f"{f.severity} {f.kind} {f.object}" for f in findings) == sorted(case.findings)
    assert all(f.severity == severity_of(f.kind) for f in findings)
    for finding in findings:
        check_form(finding, case.old, case.new)
    assert findings == sorted(findings, key=lambda finding: finding.line or 0)
    assert is_breaking(findings) == any(
        expected.startswith("breaking") for expected in case.findings
    )


def check_form(finding: Finding, old: str, new: str) -> None:
    """Check that the sentence is printable and names the object, and that the line exists."""
    sentence = finding.sentence
    assert sentence.endswith(".")
    assert sentence.isprintable()
    assert finding.object.removesuffix(".__init__") in sentence or "field" in sentence
    if finding.line is not None:
        assert 1 <= finding.line <= max(len(code.split("\n")) for code in (old, new))


def test_names_of_cases_are_unique() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))


def test_every_kind_is_in_the_table() -> None:
    kinds = {finding.split()[1] for case in CASES for finding in case.findings}
    assert set(get_args(Kind)) - kinds == {"not_comparable"}

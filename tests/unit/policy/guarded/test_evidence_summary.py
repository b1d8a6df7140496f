"""The evidence in the details of a command, and in words."""

from typing import Any

import msgspec
import pytest

from policy.decision.rule_texts import evidence_text
from policy.weighing.evidence_summary import CountsOfVersion, EvidenceSummary, summary_of

SAID = EvidenceSummary(
    *("rate", 140.4, 100.0, 0.93, 0.04, 0.5, 0.95, False),
    CountsOfVersion(120, 2, 0, 2, 0),
    CountsOfVersion(6, 5, 2, 5, 4),
)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {},
            "success at least 0.93 was expected (118 of 120, 95 %), 1 of 6 was seen: "
            "140 to 1 against",
        ),
        (
            {"baseline": None, "confidence": None, "assumed": True, "expected_failure_rate": 0.2},
            "success at least 0.80 was assumed (too little is known of its predecessor), 1 of 6 "
            "was seen: 140 to 1 against",
        ),
        (
            {"test": "signature", "confidence": 0.9995, "odds": 3e12},
            "at most 0.07 signature errors were expected (0 of 120, 99.95 %), 2 of 6 were seen: "
            "3e+12 to 1 against",
        ),
        (
            {
                "test": "break",
                "limit": 1e5,
                "odds": 123456.7,
                "seen": CountsOfVersion(1006, 9, 0, 8, 5),
            },
            "success at least 0.93 was expected (118 of 120, 95 %), 997 of 1006 was seen, "
            "far fewer lately: 123457 where 100000 is a break",
        ),
    ],
)
def test_the_evidence_in_words(changes: dict[str, Any], text: str) -> None:
    assert evidence_text(msgspec.structs.replace(SAID, **changes)) == text


@pytest.mark.parametrize("said", [None, 7, {}, {"test": "rate"}, {"evidence": {"odds": "many"}}])
def test_details_that_cannot_be_read_have_no_summary(said: Any) -> None:
    assert summary_of({"evidence": said}) is None


def test_a_summary_is_read_from_what_postgres_returns() -> None:
    """Jsonb has one kind of number, so 1e299 comes back as an integer."""
    said = msgspec.to_builtins(SAID) | {"odds": 10**299, "limit": 100}
    assert summary_of({"evidence": said}) == msgspec.structs.replace(SAID, odds=1e299)
    assert summary_of({"evidence": said | {"odds": 10**400}}) is None

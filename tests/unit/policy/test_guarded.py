"""Policy `guarded`: evidence decides, rules name the reason; against the oracle and by hand.

The logs are those of the rules' own tests, under numbers that let short logs condemn.
"""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import policy.decision.guarded
import policy.decision.seed
from policy.decision.evidence_summary import CountsOfVersion, EvidenceSummary, summary_of
from policy.decision.fold import fold, fold_all
from policy.decision.health import health_of
from policy.decision.policies import policy_for
from policy.decision.rule_texts import evidence_text
from policy.state.counting import count_successes
from policy.state.evidence import Baseline, Evidence
from policy.state.muted_callers import MOST_MUTED, MutedCallers
from policy.state.outage_watch import OutageWatch
from policy.state.row import Row, decode, encode
from policy.state.tool_evidence import MOST_STORED, EvidenceBefore, ToolEvidence
from schemas.errors import Misconfigured
from schemas.execution import Activation
from schemas.execution_entry import ExecutionEntry
from schemas.fields import micros_of
from schemas.outages import OutageRules
from schemas.rules import Rules
from schemas.settings import load_settings
from tests.support.oracle import Entry, commands_of
from tests.unit.policy.test_rules_oracle import (
    RULES,
    START,
    TOOL,
    LogBuilder,
    Script,
    assert_same_in_batches,
    dumped,
    every,
    noting_stretches,
    numbered,
    product,
)

T = TypeVar("T")

QUICK = {"alpha": 0.15, "signature_alpha": 0.2, "false_alarm_executions": 30}
"""Odds that a few executions reach."""


def guarded(rules: Rules, **numbers: Any) -> Rules:
    return Rules.model_validate(rules.model_dump() | {"policy": "guarded"} | numbers)


GUARDED: Sequence[Rules] = (
    guarded(RULES[0], **QUICK),
    guarded(RULES[1]),
    guarded(RULES[3], **QUICK, baseline_executions=2),
    guarded(RULES[4], **QUICK, assumed_success_rate=0.9, assumed_repeat_rate=0.2),
    guarded(RULES[4], **QUICK, tolerated_drop=0.1, remembered_versions=1),
)
DEFAULT = guarded(Rules())
LOGS_EACH = 150


@st.composite
def logs(draw: st.DrawFn) -> tuple[Rules, list[Entry], Random]:
    def choose(options: Sequence[T], /) -> T:
        return draw(st.sampled_from(options))

    rules = choose(GUARDED)
    return rules, LogBuilder(choose, rules).build(), Random(draw(st.integers(0, 1_000)))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(logs())
def test_the_oracle_issues_the_same_commands_in_batches_of_any_length(
    case: tuple[Rules, list[Entry], Random],
) -> None:
    rules, log, random = case
    expected = commands_of(log, rules)
    assert dumped(product(log, rules)) == dumped(expected)
    found = assert_same_in_batches(log, rules, random)
    assert dumped(command for _, command in found) == dumped(expected)


@pytest.mark.parametrize("which", range(len(GUARDED)))
def test_they_agree_on_many_logs_and_each_test_condemns(
    which: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules, at_once = GUARDED[which], noting_stretches(monkeypatch)
    found: Counter[str] = Counter()
    for seed in range(LOGS_EACH):
        random = Random(f"{which}/{seed}")
        log = LogBuilder(random.choice, rules).build()
        expected = commands_of(log, rules)
        assert dumped(product(log, rules)) == dumped(expected), f"seed {which}/{seed}"
        batches = assert_same_in_batches(log, rules, random)
        assert dumped(command for _, command in batches) == dumped(expected)
        for command in expected:
            said = command.details["evidence"]
            found.update((said["test"], command.reason, f"assumed {said['assumed']}"))
            found["again"] += command.details["attempt"] > 1
    assert sum(at_once) > LOGS_EACH
    assert found["rate"] >= 3, found
    assert found["assumed True"] >= 3, found
    if which != 1:
        wanted = ("signature", "break", "regression", "assumed False", "consecutive_failures")
        assert min(found[each] for each in wanted) >= 1, found
        assert found["again"] >= 1, found


def test_successes_are_counted_at_once_whatever_a_rule_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_once: list[int] = []

    def noting(row: Row, runs: Sequence[ExecutionEntry], *rest: Any) -> bool:
        at_once.append(len(runs))
        return count_successes(row, runs, *rest)

    monkeypatch.setattr(policy.decision.seed, "count_successes", noting)
    monkeypatch.setattr(policy.decision.guarded, "count_successes", noting)
    script = Script().deploy(0).run("FFF" + "." * 7, *every(0, 10, 0), error="TypeError")
    entries = [numbered(each) for each in script.log]
    fold_all(None, entries, policy_for(Rules()))
    assert at_once == []
    fold_all(None, entries, policy_for(DEFAULT))
    assert at_once == [7]


@pytest.mark.parametrize("which", range(len(RULES)))
def test_under_seed_a_row_holds_no_evidence(which: int) -> None:
    rules = RULES[which]
    for seed in range(20):
        row = None
        for each in LogBuilder(Random(f"{which}/{seed}").choice, rules).build():
            row, command = fold(row, numbered(each), policy_for(rules))
            assert row is None or row.tool_evidence is None
            assert command is None or "evidence" not in command.details
        if row is not None:
            assert msgspec.msgpack.decode(encode(row))[-2] is None


# ------------------------------------------------------------------------------------------------
# By hand: what an activation hands on. Executions are 600 s apart, so no immediate rule holds.
# ------------------------------------------------------------------------------------------------


def row_of(script: Script, rules: Rules = DEFAULT) -> Row:
    row, _ = fold_all(None, [numbered(each) for each in script.log], policy_for(rules))
    assert row is not None
    return decode(encode(row))


def baseline_of(script: Script, rules: Rules = DEFAULT) -> Baseline | None:
    tool_evidence = row_of(script, rules).tool_evidence
    assert tool_evidence is not None
    assert tool_evidence.evidence.executions == 0
    return tool_evidence.baseline


def run(script: Script, outcomes: str, first: float) -> Script:
    return script.run(outcomes, *every(600, len(outcomes), first))


def test_a_first_version_has_no_baseline() -> None:
    assert baseline_of(Script().deploy(0)) is None


def test_a_deployment_is_measured_by_all_of_what_it_replaces() -> None:
    """Also by what its windows have long forgotten, and with its runs of failures."""
    first = run(Script().deploy(0), "..FF.F......", 0)
    first.run("F", 10 * 86_400, error="TypeError")
    first.run("F", 10 * 86_400 + 600)
    assert baseline_of(first.deploy(11 * 86_400)) == Baseline(14, 5, 1, 4, 2)


def test_too_few_executions_hand_on_what_they_were_measured_by() -> None:
    first = run(Script().deploy(0), "." * 9 + "F", 0).deploy(7_000)
    assert baseline_of(run(first, "F" * 9, 7_000).deploy(20_000)) == Baseline(10, 1, 0, 0, 0)
    assert baseline_of(run(Script().deploy(0), "." * 9, 0).deploy(7_000)) is None


def test_a_rollback_gives_a_version_its_own_baseline_back() -> None:
    """And nothing of the version that it replaces; nor has the next deployment."""
    script = run(Script().deploy(0), "." * 11 + "F", 0).deploy(8_000)
    run(script, "F" * 12, 8_000).roll_back(1, 20_000)
    assert baseline_of(script) == Baseline(12, 1, 0, 0, 0)
    assert baseline_of(run(script, "...", 20_000).deploy(30_000)) == Baseline(12, 1, 0, 0, 0)


def test_a_version_rolled_back_has_its_own_when_it_is_activated_again() -> None:
    script = run(Script().deploy(0), "." * 12, 0).deploy(8_000)
    run(script, "F" * 12, 8_000).roll_back(1, 20_000).roll_back(2, 21_000)
    assert baseline_of(script) == Baseline(12, 12, 0, 11, 11)


def test_a_version_deployed_again_is_measured_by_what_it_replaces() -> None:
    """A deployment of the same code as before is a version of its own."""
    script = run(Script().deploy(0), "." * 12, 0).deploy(8_000)
    assert baseline_of(run(script, "." * 13 + "F", 8_000).deploy(30_000)) == (
        Baseline(14, 1, 0, 0, 0)
    )


@pytest.mark.parametrize(("versions", "remembered"), [(8, True), (9, False)])
def test_the_last_8_replaced_versions_are_remembered(versions: int, remembered: bool) -> None:
    """The one that the rollback replaces is one of them."""
    script = run(Script().deploy(0), "." * 10, 0)
    for number in range(1, versions):
        script.deploy(10_000 * number)
    assert row_of(script).tool_evidence is not None
    expected = Baseline(10, 0, 0, 0, 0) if remembered else None
    assert baseline_of(script.roll_back(1, 500_000)) == expected


def test_a_row_grows_by_little() -> None:
    """With 16 replaced versions of 500 executions each."""
    script = Script()
    for number in range(17):
        script.deploy(400_000 * number).run(
            "....F" * 100, *every(600, 500, 400_000 * number), error="TypeError"
        )
    tool_evidence = row_of(script).tool_evidence
    assert tool_evidence is not None
    assert len(tool_evidence.stored_baselines) == MOST_STORED
    assert len(msgspec.msgpack.encode(tool_evidence)) <= 200


def test_a_row_grows_by_little_at_a_million_executions() -> None:
    """With all that a dossier can hold: while it fails, and as many callers rest as may."""
    tally = Baseline(1_000_000, 100_000, 20_000, 90_000, 50_000)
    evidence = Evidence(1_000_000, 100_000, 50_000, 20_000, 0, [1e3, 2e4, 3e5])
    tool_evidence = ToolEvidence(
        evidence,
        tally,
        {2**31 - number: tally for number in range(1, MOST_STORED + 1)},
        EvidenceBefore(micros_of(START) // 1_000, evidence),
    )
    assert len(msgspec.msgpack.encode(tool_evidence)) <= 400
    tool_evidence.callers = MutedCallers(
        2**32 - 1, 2**31, 2**31, 2**31, [2**32 - 1, 2**31] * MOST_MUTED
    )
    assert len(msgspec.msgpack.encode(tool_evidence)) <= 520


def test_an_old_activation_changes_nothing() -> None:
    script = run(Script().deploy(0), "..F", 0)
    before = row_of(script).tool_evidence
    assert row_of(script.repeat(0)).tool_evidence == before


def test_a_change_of_policy_within_an_activation() -> None:
    """From `seed`, evidence begins with the next execution; back to it, with the next activation
    nothing is left.
    """
    script = run(Script().deploy(0), "." * 12, 0)
    row, _ = fold_all(None, [numbered(each) for each in script.log], policy_for(Rules()))
    more = run(Script().deploy(0), "." * 12 + "....F", 0).log[-5:]
    row, _ = fold_all(row, [numbered(each) for each in more], policy_for(DEFAULT))
    assert row is not None
    assert row.tool_evidence is not None
    assert row.tool_evidence.evidence.baseline == Baseline(5, 1, 0, 0, 0)
    entry = Script().deploy(0).deploy(90_000).log[-1].entry
    assert isinstance(entry, Activation)
    row = policy_for(Rules()).activate(row, entry, 99)
    assert row.tool_evidence is None


# ------------------------------------------------------------------------------------------------
# What is decided
# ------------------------------------------------------------------------------------------------


def known(*, spread: float = 600) -> Script:
    """118 of 120 succeeded, then a deployment at 0."""
    outcomes = ("." * 59 + "F") * 2
    return (
        Script().deploy(-spread * 120).run(outcomes, *every(spread, 120, -spread * 120)).deploy(0)
    )


def test_a_rule_that_holds_names_reason_and_tier() -> None:
    """A second apart three failures in a row hold at the third; the fifth condemns."""
    script = known().run("FFFF", *every(1, 4, 0))
    assert product(script.log, DEFAULT) == []
    (command,) = product(script.run("F", 4).log, DEFAULT)
    assert (command.tier, command.reason) == ("immediate", "consecutive_failures")
    assert (command.details["executions"], command.details["evidence"]["seen"]["executions"]) == (
        5,
        5,
    )


def test_a_rule_alone_decides_nothing() -> None:
    """Three failures in a row of a tool of which nothing is known."""
    script = Script().deploy(0).run("FFF", 0, 1, 2)
    assert len(product(script.log, Rules())) == 1
    assert product(script.log, DEFAULT) == []


def test_without_a_rule_it_is_a_regression() -> None:
    """An hour apart no immediate or fast rule holds; fewer than 10: nor does the standard one."""
    script = known().run("FFFFF", *every(3_600, 5, 0))
    (command,) = product(script.log, DEFAULT)
    assert (command.tier, command.reason) == ("standard", "regression")
    assert command.details["executions"] == command.details["failures"] == 5
    assert command.details["success_rate"] == 0.0
    said = summary_of(command.details)
    assert said is not None
    assert (said.test, said.assumed, said.limit) == ("rate", False, 100)
    assert said.odds >= 100
    assert said.baseline == CountsOfVersion(120, 2, 0, 1, 0)
    assert said.seen == CountsOfVersion(5, 5, 0, 4, 4)


def test_the_next_attempt_waits_and_needs_a_failure() -> None:
    """Decided at 400 s; at 999 s it is too early, at 1,001 s a success condemns nobody."""
    script = known().run("FFFFFF", *every(100, 6, 0)).run("F.FFF", 999, 1001, 1002, 1003, 1004)
    commands = product(script.log, DEFAULT)
    assert [each.details["attempt"] for each in commands] == [1, 2]
    assert [(each.issued_at - START).total_seconds() for each in commands] == [400, 1002]


def test_health_says_what_the_policy_says() -> None:
    """Also after a success that does not clear the version; not what a rule says alone."""
    before = health_of(
        row_of(known().run("FF", 0, 1)), TOOL, policy_for(DEFAULT), OutageWatch(), OutageRules()
    )
    assert (before["needs_rollback"], before["reason"], before["details"]) == (False, None, {})
    row = row_of(known().run("F.FFFFFF.", *every(3_600, 9, 0)))
    health = health_of(row, TOOL, policy_for(DEFAULT), OutageWatch(), OutageRules())
    assert (health["needs_rollback"], health["reason"]) == (True, "regression")
    assert health["details"]["evidence"]["seen"]["executions"] == 9
    alone = row_of(Script().deploy(0).run("FFF", 0, 1, 2))
    assert not health_of(alone, TOOL, policy_for(DEFAULT), OutageWatch(), OutageRules())[
        "needs_rollback"
    ]
    assert health_of(alone, TOOL, policy_for(Rules()), OutageWatch(), OutageRules())[
        "needs_rollback"
    ]


def test_the_rules_alone_are_not_asked_of_postgres() -> None:
    row = row_of(Script().deploy(0).run("FFF", 0, 1, 2))
    assert policy_for(Rules()).immediate_verdict(row) is not None
    assert policy_for(DEFAULT).immediate_verdict(row) is None


# ------------------------------------------------------------------------------------------------
# Texts and settings
# ------------------------------------------------------------------------------------------------

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
            "far fewer lately: 123457; from 100000 on it is a break",
        ),
    ],
)
def test_the_evidence_in_words(changes: dict[str, Any], text: str) -> None:
    assert evidence_text(msgspec.structs.replace(SAID, **changes)) == text


@pytest.mark.parametrize("said", [None, 7, {}, {"test": "rate"}, {"evidence": {"odds": "many"}}])
def test_what_is_no_evidence_is_not_told(said: Any) -> None:
    assert summary_of({"evidence": said}) is None


def test_evidence_is_read_as_postgres_gives_it_back() -> None:
    """Jsonb knows one kind of number: 1e299 comes back as a whole one."""
    said = msgspec.to_builtins(SAID) | {"odds": 10**299, "limit": 100}
    assert summary_of({"evidence": said}) == msgspec.structs.replace(SAID, odds=1e299)
    assert summary_of({"evidence": said | {"odds": 10**400}}) is None


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("policy", ["other"]),
        ("alpha", [0, 1, 1e-13, "nan"]),
        ("signature_alpha", [0, 1]),
        ("false_alarm_executions", [1, "inf", "nan"]),
        ("assumed_success_rate", [0, 1, "nan"]),
        ("assumed_repeat_rate", [-0.1, 1]),
        ("tolerated_drop", [-0.1, 1]),
    ],
)
def test_a_number_out_of_range_is_refused(name: str, wrong: list[object]) -> None:
    for value in wrong:
        with pytest.raises(Misconfigured, match=name):
            load_settings(**{name: value})
        with pytest.raises(Misconfigured, match=f"tools.a.*{name}"):
            load_settings(tools={"a": {name: value}})


def test_the_policy_is_set_for_all_tools_or_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().rules_of("a").policy == "seed"
    monkeypatch.setenv("ROLLGUARD_TOOLS", '{"a": {"policy": "guarded", "alpha": 0.001}}')
    mixed = load_settings()
    assert (mixed.rules_of("a").policy, mixed.rules_of("a").alpha) == ("guarded", 0.001)
    assert (mixed.rules_of("b").policy, mixed.rules_of("b").alpha) == ("seed", 0.01)
    monkeypatch.setenv("ROLLGUARD_POLICY", "guarded")
    assert load_settings().rules_of("b").policy == "guarded"

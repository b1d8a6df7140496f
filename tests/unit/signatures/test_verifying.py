"""A signature holds for what was signed, by a key that may say it, and for nothing else."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollguard_client.signatures.header import HEADER, Authorship
from schemas.deployment import (
    AcceptedBreak,
    AuthoredDeployment,
    Check,
    Deployment,
    ToolVersion,
)
from schemas.errors import Rejected, Unverified
from schemas.execution import Activation
from schemas.fields import micros_of
from schemas.rollback import RollbackCommand
from signatures.statements import SignedMessage, statement_of
from signatures.verifying import Verifier
from tests.support.inputs.messages import activation, deployment, version
from tests.support.inputs.signing import Record, entry, private_key, signatures, signed, trust

NOW = datetime.now(UTC)


def command(**fields: Any) -> RollbackCommand:
    values: dict[str, Any] = {
        "command_id": uuid4(),
        "tool_name": "parser",
        "tier": "manual",
        "reason": "manual",
        "issued_by": "somebody",
        "issued_at": NOW,
    }
    return RollbackCommand(**(values | fields))


def automatic(**fields: Any) -> RollbackCommand:
    details = {"recent": [str(uuid4())], "success_rate": 0.1}
    about = {"tier": "immediate", "reason": "complete_failure", "details": details}
    return command(from_version_id=2, from_activation=2, **about, **fields)


SAID: dict[str, tuple[SignedMessage, str]] = {
    "deployment": (deployment("parser", "x = 1", improvement_reason="faster"), "ann"),
    "deployment with checks": (
        deployment(
            "parser",
            "x = 1",
            checks=[Check(name="smoke", ok=False)],
            accepted_breaks=[AcceptedBreak(kind="parameter_removed", reason="unused")],
        ),
        "ann",
    ),
    "approved deployment": (deployment("parser", "x = 1", approved_by="boss"), "ann"),
    "dismissed deployment": (
        deployment("parser", "x = 1", dismissed_by="boss", dismissal="it is bad"),
        "ann",
    ),
    "activation": (activation("parser", 3, 2, previous_version_id=1), "applier"),
    "version": (version(2, "x = 1"), "applier"),
    "manual command": (command(details={"reason": "slow"}, to_version_id=1), "ann"),
    "automatic command": (automatic(), "detector"),
    "approval": (automatic(approved_by="boss"), "ann"),
    "dismissal": (automatic(dismissed_by="boss", dismissal="it is fine"), "ann"),
}
RECORDS = {name: signed(message, by) for name, (message, by) in SAID.items()}
VERIFIER = Verifier(trust(), "")
each_message = pytest.mark.parametrize("name", SAID)


def verify(record: Record, message: SignedMessage, verifier: Verifier = VERIFIER) -> SignedMessage:
    """Verify a record as a consumer does: its value is read first."""
    return verifier.verified(record, type(message).from_bytes(record.value))


@each_message
def test_what_is_signed_by_the_right_key_verifies(name: str) -> None:
    message, _ = SAID[name]
    verified = verify(RECORDS[name], message)
    named = {"issued_by", "approved_by", "dismissed_by", "created_by", "author"}
    assert verified.model_dump(exclude=named) == message.model_dump(exclude=named)


@each_message
@given(data=st.data())
def test_any_changed_byte_of_the_value_fails(name: str, data: st.DataObject) -> None:
    record = RECORDS[name]
    value = bytearray(record.value or b"")
    place = data.draw(st.integers(0, len(value) - 1))
    value[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Rejected):
        verify(replace(record, value=bytes(value)), SAID[name][0])


@each_message
@given(data=st.data())
def test_any_changed_byte_of_the_header_fails(name: str, data: st.DataObject) -> None:
    """The bytes of a name that nobody reads may change; those of what is read may not."""
    record = RECORDS[name]
    header = json.loads(dict(record.headers)[HEADER])
    field = data.draw(st.sampled_from(["keyid", "sig", *(["signed_at"] * ("signed_at" in header))]))
    text = header[field]
    place = data.draw(st.integers(0, len(text) - 1))
    new = data.draw(st.characters(min_codepoint=32, max_codepoint=126))
    if text[place] == new or text[place] == "=":
        return
    changed = text[:place] + new + text[place + 1 :]
    if field == "signed_at" and changed.upper().replace(" ", "T") == text.upper():
        return  # another way to write the same time
    if field == "sig" and text.endswith("==") and place == len(text) - 3:
        return  # the last bits of base64 before the padding stand for nothing
    header[field] = changed
    with pytest.raises(Unverified):
        verify(replace(record, headers=[(HEADER, json.dumps(header).encode())]), SAID[name][0])


@each_message
def test_any_changed_field_fails(name: str) -> None:
    record, (message, _) = RECORDS[name], SAID[name]
    fields = json.loads(record.value or b"")
    others: dict[type, Callable[[Any], Any]] = {
        str: lambda text: text + "x",
        int: lambda number: number + 1,
        bool: lambda truth: not truth,
        list: lambda items: [*items, "more"],
        dict: lambda items: {**items, "more": "1"},
    }
    for field, value in fields.items():
        changed = fields | {field: others[type(value)](value)}
        with pytest.raises(Rejected):
            verify(replace(record, value=json.dumps(changed).encode()), message)
    for added in ("dismissed", "adopts", "approved_by", "version_number"):
        if added not in fields:
            changed = fields | {added: True if added == "adopts" else str(uuid4())}
            with pytest.raises(Rejected):
                verify(replace(record, value=json.dumps(changed).encode()), message)


@each_message
def test_no_signature_two_and_nonsense_are_refused(name: str) -> None:
    record, (message, _) = RECORDS[name], SAID[name]
    [header] = record.headers
    for headers, reason in (
        ([], "no signature"),
        ([header, header], "2 signatures"),
        ([(HEADER, b"{")], "truncated"),
        ([(HEADER, b"[" * 20_000)], "at most 16384"),
        ([(HEADER, b'{"keyid": 7}')], "keyid"),
        ([("rollguard-signatures", header[1])], "no signature"),
    ):
        with pytest.raises(Unverified, match=reason):
            verify(replace(record, headers=headers), message)


@each_message
def test_a_key_of_another_role_and_an_unknown_one_may_not_say_it(name: str) -> None:
    message, by = SAID[name]
    for other in ("ann", "applier", "detector", "stranger"):
        if other != by:
            with pytest.raises(Unverified, match=r"is not in the trust file|is of the role"):
                verify(signed(message, other), message)


@each_message
def test_a_signature_holds_in_its_own_system_alone(name: str) -> None:
    message, by = SAID[name]
    with pytest.raises(Unverified, match="is not one of this record"):
        verify(signed(message, by, "staging-"), message)


def test_the_signature_of_a_version_is_none_of_its_activation() -> None:
    """Engines may read versions, and may write to the log of the tool."""
    current = version(2, "x = 1")
    stolen = signed(current, "applier")
    forged = replace(stolen, value=current.as_activation().to_bytes())
    with pytest.raises(Unverified, match="is not one of this record"):
        verify(forged, current.as_activation())


def test_names_come_from_the_key() -> None:
    said = deployment("robot-7", "x = 1", created_by="human")
    deployed = VERIFIER.deployment(signed(said, "robot"), said)
    assert (deployed.created_by, deployed.author) == ("autonomous", "robot")
    assert isinstance(deployed, AuthoredDeployment)
    manual = command(issued_by="boss")
    assert VERIFIER.command(signed(manual, "ann"), manual).issued_by == "ann"
    by_detector = automatic(issued_by="boss")
    assert VERIFIER.command(signed(by_detector, "detector"), by_detector).issued_by == "detector"
    approval = automatic(issued_by="detector", approved_by="boss")
    approved = VERIFIER.command(signed(approval, "ann"), approval)
    assert (approved.approved_by, approved.issued_by) == ("ann", "ann")
    dismissal = automatic(dismissed_by="boss")
    assert VERIFIER.command(signed(dismissal, "ann"), dismissal).dismissed_by == "ann"
    for answer in ("approved_by", "dismissed_by"):
        held = deployment("parser", "x = 1", **{answer: "boss"})
        answered = verify(signed(held, "ann"), held)
        assert not isinstance(answered, AuthoredDeployment)
        assert getattr(answered, answer) == "ann"


def test_whoever_deploys_as_a_machine_answers_no_held_deployment() -> None:
    verifier = Verifier(trust(entry("robot", "person")), "")
    for answer in ("approved_by", "dismissed_by"):
        said = deployment("robot-7", "x = 1", **{answer: "ann"})
        for by in ("robot", "detector", "applier", "stranger", None):
            with pytest.raises(Unverified):
                verify(signed(said, by), said)
        with pytest.raises(Unverified, match="deploys as a machine"):
            verify(signed(said, "robot"), said, verifier)


def test_an_answer_is_no_signature_of_an_author() -> None:
    """Ann is an author, too. What she dismisses must not run as code that she has signed."""
    for answer in ("approved_by", "dismissed_by"):
        said = deployment("parser", "x = 1", **{answer: "ann"})
        record = signed(said, "ann")
        header = json.loads(dict(record.headers)[HEADER])
        for message in (said, said.model_copy(update={answer: None})):
            statement = statement_of("", message, record.value or b"")
            stolen = Authorship.of(header["keyid"], header["sig"], statement)
            current = version(2, "x = 1", authorship=stolen.to_text())
            with pytest.raises(Unverified):
                STRICT.version(signed(current, "applier"), current)


def test_an_author_deploys_its_own_tools_alone() -> None:
    said = deployment("parser", "x = 1")
    with pytest.raises(Unverified, match="the author 'robot' may not deploy 'parser'"):
        VERIFIER.deployment(signed(said, "robot"), said)


@pytest.mark.parametrize(
    ("bounds", "reason"),
    [
        ({"not_before": NOW + timedelta(hours=1)}, "not valid before"),
        ({"not_after": NOW - timedelta(hours=1)}, "not valid after"),
    ],
)
def test_a_key_is_valid_at_the_time_of_the_record(bounds: dict[str, datetime], reason: str) -> None:
    verifier = Verifier(trust(entry("old", "applier", **bounds)), "")
    said = activation("parser", 3, 2)
    record = signed(said, "old")
    with pytest.raises(Unverified, match=reason):
        verify(record, said, verifier)
    hours = 2 if "not_before" in bounds else -2
    then = replace(record, timestamp=micros_of(NOW + timedelta(hours=hours)) // 1000)
    assert verify(then, said, verifier) == said


def test_two_keys_of_a_role_are_valid_at_once() -> None:
    verifier = Verifier(trust(entry("second", "applier", name="applier")), "")
    said = activation("parser", 3, 2)
    for by in ("applier", "second"):
        assert verify(signed(said, by), said, verifier) == said


def test_an_adoption_cannot_be_published_again_later() -> None:
    said = activation("parser", 3, 2, adopts=True)
    record = signed(said, "applier")
    assert verify(record, said) == said
    with pytest.raises(Unverified, match="adoption"):
        verify(replace(record, timestamp=record.timestamp + 601_000), said)


def authored(tool: str, code: str, by: str) -> str:
    """Return what an author has signed, as Postgres keeps it."""
    said = deployment(tool, code)
    deployed = VERIFIER.deployment(signed(said, by), said)
    return deployed.authorship


STRICT = Verifier(trust(require_author=("par*",)), "")


def test_a_tool_may_require_its_author() -> None:
    code = version(2, "x = 1")
    with pytest.raises(Unverified, match="requires its author"):
        STRICT.version(signed(code, "applier"), code)
    by_ann = version(2, "x = 1", authorship=authored("parser", "x = 1", "ann"))
    STRICT.version(signed(by_ann, "applier"), by_ann)
    free = version(2, "x = 1", "other")
    STRICT.version(signed(free, "applier"), free)


@pytest.mark.parametrize(
    ("authorship", "reason"),
    [
        (authored("parser", "x = 2", "ann"), "has signed other code"),
        (authored("robot-1", "x = 1", "ann"), "has signed other code"),
        (authored("robot-1", "x = 1", "robot"), "may not deploy"),
    ],
)
def test_the_author_must_have_signed_this_code_of_this_tool(authorship: str, reason: str) -> None:
    stolen = version(2, "x = 1", authorship=authorship)
    with pytest.raises(Unverified, match=reason):
        STRICT.version(signed(stolen, "applier"), stolen)


@given(place=st.integers(0), change=st.integers(1, 255))
def test_any_changed_byte_of_what_the_author_signed_fails(place: int, change: int) -> None:
    good = Authorship.from_bytes(authored("parser", "x = 1", "ann").encode())
    payload = bytearray(good.statement.payload)
    payload[place % len(payload)] ^= change
    forged = Authorship.of(good.keyid, good.sig, good.statement._replace(payload=bytes(payload)))
    stolen = version(2, "x = 1", authorship=forged.to_text())
    with pytest.raises(Unverified):
        STRICT.version(signed(stolen, "applier"), stolen)


def test_with_warn_what_does_not_verify_is_counted_and_used_but_adopts_nothing() -> None:
    counted: list[str] = []
    warns = signatures(mode="warn")
    warns.count = counted.append
    forged = activation("parser", 3, 2, adopts=True)
    assert warns.checked(signed(forged, "ann"), forged).adopts is None
    said = deployment("parser", "x = 1")
    assert warns.checked(signed(said, None), said) is said
    assert counted == ["Activation", "Deployment"]


def test_kinds_are_all_that_is_signed() -> None:
    assert {type(message) for message, _ in SAID.values()} == {
        Deployment,
        Activation,
        ToolVersion,
        RollbackCommand,
    }
    assert private_key("ann").public_key.keyid == trust().keys[0].key.keyid

"""Two versions side by side: the diff, the metrics, and what is shown of them."""

import json
import re
import subprocess
from collections import Counter
from datetime import UTC, datetime
from math import isnan
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.comparer.line_diff import hunks_of, one_hunk
from db.versions.reading import VersionRecord
from policy.breaking.compare import compare_code
from policy.breaking.finding import new_finding
from policy.deployments.accepted_breaks import acceptance_of
from rollguard.management.version_comparison import (
    code_diff,
    comparison_of,
    metrics_comparison,
)
from rollguard.printing import print_json
from schemas.deployment import AcceptedBreak, code_hash_of
from schemas.execution import ActivatedBy
from schemas.printable import printable
from tests.support.cpu_time import reference_seconds

DATA = Path(__file__).parents[2] / "data"
TEXTS = st.text(st.sampled_from("ab \n\n\r\x0b\x0c\x1c\x85\u2028é+-@\\"), max_size=60)
CODES = st.lists(st.sampled_from(["a", "b = 1", "", "\tc\r", "é 🛡️", "\x0c", "\u2028 d"])).flatmap(
    lambda lines: st.sampled_from(["\n".join(lines), "\n".join([*lines, ""])])
)


def diff_of(before: VersionRecord, after: VersionRecord) -> str:
    return code_diff(before, after, hunks_of(before.code, after.code))


def version(number: int, code: str, executions: int = 0, successes: int = 0) -> VersionRecord:
    now = datetime(2026, 1, 31, 12, number, tzinfo=UTC)
    return VersionRecord(
        tool_name="t",
        version_id=number,
        version_number=number,
        code=code,
        code_hash=code_hash_of(code),
        created_by="human",
        improvement_type="initial",
        is_breaking_change=False,
        breaking_changes=[],
        deployment_id=uuid4(),
        activation=number,
        activated_at=now,
        activated_by=ActivatedBy(kind="deployment", id=uuid4()),
        success_rate=successes / executions if executions else None,
        total_executions=executions,
        successful_executions=successes,
        deployment_count=1,
        is_current=False,
        created_at=now,
        trusted=True,
        checks=[],
        hold=None,
        activations=[],
        rollbacks=[],
        stops=[],
    )


def body_of(diff: str) -> list[str]:
    """Return the changed lines, without headers and line numbers."""
    lines = diff.split("\n")[2:]
    return [line for line in lines if line[:1] in ("+", "-")]


def _net(diff: str, more: str, less: str) -> Counter[str]:
    """Return the lines that the diff adds on one side and does not remove elsewhere.

    If a line occurs more than once, the diff may move another one of them.
    """
    lines = body_of(diff)
    signs = {sign: Counter(line[1:] for line in lines if line[0] == sign) for sign in "+-"}
    return signs[more] - signs[less]


@given(CODES, CODES)
def test_forward_and_backward_mirror_each_other(one: str, two: str) -> None:
    before, after = version(1, one, 10, 4), version(2, two, 20, 19)
    forward, backward = diff_of(before, after), diff_of(after, before)
    assert _net(forward, "+", "-") == _net(backward, "-", "+")
    assert _net(forward, "-", "+") == _net(backward, "+", "-")
    assert (forward == "") == (one == two)
    there, back = metrics_comparison(before, after), metrics_comparison(after, before)
    assert there["success_rate_change"] == -back["success_rate_change"]
    low, high = there["confidence_interval"]
    assert back["confidence_interval"] == pytest.approx([-high, -low])


@given(CODES)
def test_a_version_with_itself_is_empty(code: str) -> None:
    same = version(1, code, 7, 3)
    found = comparison_of(same, same, diff_of(same, same), compare_code(code, code))
    assert found["code_diff"] == ""
    assert found["findings"] == found["breaking_changes"] == []
    assert found["metrics_comparison"]["success_rate_change"] == 0
    assert found["metrics_comparison"]["confidence_interval"] == [0, 0]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("a\nb\n", "a\nc\n"),
        ("a\nb", "a\nb\n"),
        ("a\r\nb\r\n", "a\nb\r\n"),
        ("", "a"),
        ("a\n", ""),
        ("x = '\u2028'\n\x0c\n", "x = '\u2029'\n\x0c\n"),
        ("é\n🛡️\n", "é\n🛠️\n"),
    ],
)
def test_patch_takes_the_diff(tmp_path: Path, one: str, two: str) -> None:
    file = tmp_path / "tool.py"
    file.write_bytes(one.encode())
    diff = tmp_path / "it.diff"
    diff.write_bytes(diff_of(version(1, one), version(2, two)).encode())
    git = ["git", "apply", "--no-index", "--unsafe-paths", "-p0", str(diff)]
    renamed = diff.read_bytes().split(b"\n", 2)
    diff.write_bytes(b"\n".join([b"--- tool.py", b"+++ tool.py", renamed[2]]))
    subprocess.run(git, cwd=tmp_path, check=True)
    assert file.read_bytes() == two.encode()


def applied(diff: str, code: str) -> str:
    """Return what ``patch`` would make of the code; every line of the diff must fit."""
    old, new, position = re.findall(r"[^\n]*\n|[^\n]+", code), list[str](), 0
    marker = "\\ No newline at end of file\n"
    lines = re.findall(r"[^\n]*\n", diff)[2:]
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if hunk := re.fullmatch(r"@@ -(\d+)(,0)?(?:,\d+)? \+\d+(?:,\d+)? @@\n", line):
            start = int(hunk[1]) - (0 if hunk[2] else 1)
            assert start >= position
            new += old[position:start]
            position = start
        elif line != marker:
            text = line[1:-1] if following == marker else line[1:]
            if line[0] in " -":
                assert old[position] == text
                position += 1
            if line[0] in " +":
                new.append(text)
    return "".join(new + old[position:])


@given(TEXTS | CODES, TEXTS | CODES)
def test_the_diff_leads_from_any_text_to_any_other(one: str, two: str) -> None:
    before, after = version(1, one), version(2, two)
    for hunks in (hunks_of(one, two), one_hunk(one, two)):
        diff = code_diff(before, after, hunks)
        assert (applied(diff, one) if diff else one) == two


def test_the_diff_of_one_removed_entry_is_short() -> None:
    one, two = ((DATA / f"hosts_{name}.txt").read_text() for name in ("before", "after"))
    diff = diff_of(version(1, one), version(2, two))
    assert diff.count("\n") <= 20
    assert applied(diff, one) == two


@pytest.mark.exhaustive
def test_the_diff_of_a_long_text_is_fast_and_short() -> None:
    random = Random(1)
    lines = [f"    x = {random.randrange(150)}" for _ in range(12_500)]
    changed = list(lines)
    for row in range(200, 12_200, 400):
        changed[row] = f"    changed = {row}"
    one, two = version(1, "\n".join(lines)), version(2, "\n".join(changed))
    seconds, diff = reference_seconds(lambda: diff_of(one, two))
    assert seconds < 2
    assert len(re.findall(r"^@@ ", diff, re.MULTILINE)) == 30
    assert len(body_of(diff)) == 60
    assert applied(diff, one.code) == two.code


@pytest.mark.exhaustive
@pytest.mark.parametrize("kinds", [2, 8, 200, 10_000])
def test_the_diff_of_long_texts_of_similar_lines_is_fast(kinds: int) -> None:
    pool = [f"    x = {number}\n" for number in range(kinds)]
    one, two = ("".join(Random(seed).choices(pool, k=518_000 // len(pool[-1]))) for seed in (1, 2))
    seconds, diff = reference_seconds(lambda: diff_of(version(1, one), version(2, two)))
    assert seconds < 5
    assert applied(diff, one) == two


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("one", "two"),
    [
        (
            "".join(f"a{row}\n" for row in range(75_000)),
            "".join(f"b{row}\n" for row in range(75_000)),
        ),
        (
            "".join(f"{row}\n" for row in range(75_000)),
            "".join(f"{-row}\n" for row in range(75_000)),
        ),
        (
            "".join(f"{row}\n" for row in range(75_000)),
            "".join(f"{row}\n" for row in reversed(range(75_000))),
        ),
        ("x\n" * 250_000, "x\n" * 249_000),
        ("a\nb\n" * 125_000, "b\nb\na\n" * 83_000),
    ],
    ids=["nothing in common", "one line in common", "reversed", "equal", "alternating"],
)
def test_the_diff_of_other_long_texts_is_fast(one: str, two: str) -> None:
    seconds, diff = reference_seconds(lambda: diff_of(version(1, one), version(2, two)))
    assert seconds < 5
    assert applied(diff, one) == two


def test_the_header_names_versions_and_times() -> None:
    before, after = version(1, "a\n"), version(2, "b\n")
    assert diff_of(before, after).split("\n")[:2] == [
        "--- t v1 (id 1)\t2026-01-31T12:01:00Z",
        "+++ t v2 (id 2)\t2026-01-31T12:02:00Z",
    ]
    odd = after.model_copy(update={"tool_name": "two\nlines"})
    assert diff_of(before, odd).split("\n")[1].startswith("+++ two\\nlines v2 (id 2)\t")


def test_without_executions_nothing_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    before, after = version(1, "a", 10, 9), version(2, "b")
    told = comparison_of(before, after, "", [])
    assert isnan(told["to_metrics"]["success_rate"])
    assert isnan(told["metrics_comparison"]["success_rate_change"])
    print_json(told)
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert said["to_metrics"]["success_rate"] is None
    assert said["metrics_comparison"]["success_rate_change"] is None
    assert said["metrics_comparison"]["confidence_interval"] == [None, None]


@pytest.mark.parametrize(
    ("kind", "name", "accepts"),
    [
        ("method_removed", None, True),
        (None, "Parser.run", True),
        ("method_removed", "Parser.run", True),
        ("method_removed", "Parser.stop", False),
        ("class_removed", "Parser.run", False),
        (None, "Parser", False),
    ],
)
def test_which_finding_is_accepted(kind: str | None, name: str | None, accepts: bool) -> None:
    finding = new_finding("method_removed", "Parser.run", "Parser.run was removed.", 1)
    accepted = [AcceptedBreak(kind=kind, object=name, reason="no one calls it")]
    assert (acceptance_of(finding, accepted) is not None) == accepts


def test_a_break_is_accepted_by_name() -> None:
    with pytest.raises(ValueError, match="names neither a kind nor an object"):
        AcceptedBreak(reason="all of it")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain 工具 👩‍💻 \u3000wide", "plain 工具 👩‍💻 \u3000wide"),
        ("a\r\n\tb", "a␍\n\tb"),
        ("\x1b[31mred\x07", "␛[31mred␇"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\x7f\x9b2J\0", "\\u007f\\u009b2J␀"),
    ],
)
def test_a_terminal_shows_and_does_not_obey(text: str, shown: str) -> None:
    assert printable(text, keep_lines=True) == shown

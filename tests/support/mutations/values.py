"""The values that replace good values, by the sort of the field: wrong ones and strange ones."""

from typing import Any, Final

from tests.support.mutations.message import Kind, Raw

WRONG: Final[dict[str, list[Any]]] = {
    "text": [None, 0, -1.5, True, [], ["a"], {}, {"a": 1}, Raw("1e400"), Raw("NaN")],
    "line": [None, 0, True, [], {}, "a\nb", "\r", "a\v", "a\x1eb", "a\x85b", "a\u2028b"],
    "uuid": [None, 7, "", "7", "not-a-uuid", "0" * 31, "0" * 33, True, [], {}, "g" * 32,
             "123e4567-e89b-12d3-a456-42661417400", " 123e4567-e89b-12d3-a456-426614174000"],
    "bool": [None, 0, 1, "true", "false", "True", "", [], {}, 1.0, Raw("NaN")],
    "version": [0, -1, Raw("-0"), 2**31, 2**63, 10**400, Raw("1e400"), 1.5, "1", "", True, [], {},
                Raw("NaN"), Raw("-Infinity"), Raw("1e-400")],
    "number": [Raw("NaN"), Raw("Infinity"), Raw("-Infinity"), Raw("1e400"), Raw("-1e400"),
               10**400, Raw("9" * 5000), "5", "", True, [], {}, "NaN"],
    "time": [
        None, 0, 1769860800, 1769860800.5, True, [], {}, "", "now", "2026-01-31",
        "2026-01-31T12:00:00", "2026-01-31 12:00:00", "2026-01-31T12:00Z", "2026-01-31T12Z",
        "20260131T120000Z", "2026-01-31T12:00:00+0530", "2026-01-31T12:00:00+05",
        "2026-01-31T12:00:00 Z", " 2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z\n",
        "2026-01-31T12:00:00,5Z", "2026-01-31T12:00:00.Z", "2026-13-01T00:00:00Z",
        "2026-00-10T00:00:00Z", "2026-02-30T00:00:00Z", "2025-02-29T00:00:00Z",
        "2026-01-31T24:00:00Z", "2026-01-31T23:60:00Z", "2026-01-31T23:59:61Z",
        "2026-01-31T12:00:00+24:00", "2026-01-31T12:00:00+99:99", "2026-01-31T12:00:00−05:00",
        "２０２６-01-31T12:00:00Z", "2026-01-31T12:00:00Z[Europe/Berlin]", "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59", "0000-01-01T00:00:00Z", "-001-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00+00:01", "10000-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999-23:59", "2026-01-31T12:00:00\u0000Z",
        "2026-W05-6T12:00:00Z", "2026-031T12:00:00Z", "+2026-01-31T12:00:00Z",
    ],
    "name": [None, 7, "", "n" * 256, "数" * 256, "a\0b", "\0", True, [], {}, "lone \ud800"],
    "code": [None, 7, True, [], {}, "a\0b", "x" * 524_289, "é" * 262_145, "lone \udfff"],
    "author": [None, "", "robot", "Human", "HUMAN", "human ", 1, [], {}],
    "kind": ["", "remark", "Execution", "EXECUTION", "activation", "execution\0", 1, True, [], {}],
    "improvement": [None, 7, "i" * 51, "a\0b", "two\nlines", "\u2028", True, [], {}],
    "tier": [None, "", "slow", "Immediate", "manual ", 1, [], {}],
    "reason": [None, "", "because", "Manual", 1, [], {}],
    "details": [7, "x", [], True, Raw("NaN"), Raw("1e400")],
    "breaks": [7, "x", {}, True, [7], [{}], [{"reason": "r"}], [{"kind": "k"}], [None]],
}  # fmt: skip
"""By the sort of the field: values that the contract forbids."""

STRANGE: Final[dict[str, list[Any]]] = {
    "text?": [None, "", "plain", "x" * 255, "数" * 255, "\0", "\ud800 alone", "\u202e\x1b[31m"],
    "error?": [None, "", "TypeError: no", "\0" * 10, "x" * 100_000, "\ud800\udc00 \udfff",
               "é" * 9000, "Traceback (most recent call last):\n  x\nKeyError: 'TypeErrorCount'"],
    "version?": [None, 2**31 - 1],
    "number?": [None, 0, Raw("-0"), Raw("-0.0"), 1e308, 5e-324, Raw("1e-400"), 10**15, 10**300,
                Raw("1E+2"), -5.5],
    "bool": [True, False],
    "time": ["1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000001Z", "1999-12-31T23:59:59.9Z",
             "2020-02-29T00:00:00.123456789+05:30", "2024-01-31t12:00:00z", "2024-01-31 12:00:00Z",
             "2024-01-31T12:00:00-00:00", "2024-01-31T12:00:00+23:59", "2024-01-31T12:00:00-23:59",
             "1970-01-01T12:00:00+12:00"],
    "kind?": [None, "execution"],
    "reason?": [None, "", "why", "w" * 60_000, "\0", "lone \ud800"],
    "code": ["", "\n", "def execute(:\n", "(" * 5_000, "x = 1\r\n", "# 🛡 é", "'\\\\x00'",
             "x" * 524_288, "[" * 200 + "]" * 200, "\ufeffx = 1", "async def f(): yield\n\tbad"],
    "author": ["human", "autonomous"],
    "improvement": ["", "bug_fix", "i" * 50, "数" * 50],
    "breaks?": [None, [], [{"kind": "k", "reason": "r"}], [{"object": "o", "reason": "\0\ud800"}]],
    "tier": ["immediate", "fast", "standard", "manual"],
    "reason": ["consecutive_failures", "signature_change", "complete_failure", "high_failure_rate",
               "success_rate_drop", "regression", "manual"],
    "activation?": [None, 1, 2**31 - 1],
    "details": [{}, {"recent": "no list"}, {"recent": ["x", 7, None]}, {"\0": "\ud800"},
                {"n": 10**400, "f": 1e308}, {"deep": [[[[[[{}]]]]]]}, {"": {"": ""}}],
}  # fmt: skip
"""By the sort of the field: values that are unusual, and good."""

SORTS: Final[dict[Kind, dict[str, tuple[str | None, str | None]]]] = {
    "execution": {
        "kind": ("kind", "kind?"),
        "execution_id": ("uuid", None),
        "tool_name": ("name", None),
        "version_id": ("version", "version?"),
        "success": ("bool", "bool"),
        "error": ("text", "error?"),
        "error_type": ("text", "text?"),
        "executed_at": ("time", "time"),
        "duration_ms": ("number", "number?"),
        "session_id": ("text", "text?"),
    },
    "deployment": {
        "deployment_id": ("uuid", None),
        "tool_name": ("name", None),
        "code": ("code", "code"),
        "created_by": ("author", "author"),
        "improvement_type": ("improvement", "improvement"),
        "improvement_reason": ("text", "reason?"),
        "deployed_at": ("time", "time"),
        "accepted_breaks": ("breaks", "breaks?"),
    },
    "command": {
        "command_id": ("uuid", None),
        "tool_name": ("name", None),
        "from_version_id": ("version", "version?"),
        "from_activation": ("version", "activation?"),
        "to_version_id": ("version", "version?"),
        "tier": ("tier", "tier"),
        "reason": ("reason", "reason"),
        "details": ("details", "details"),
        "issued_by": ("line", None),
        "issued_at": ("time", "time"),
    },
}
"""By the field: its sort in ``WRONG``, and its sort in ``STRANGE``."""

OPTIONAL: Final = frozenset(
    {"kind", "version_id", "error", "error_type", "duration_ms", "session_id", "improvement_reason",
     "accepted_breaks", "from_version_id", "from_activation", "to_version_id"}
)  # fmt: skip
"""Fields in which null means the same as no field."""
ABSENT_IS_GOOD: Final = OPTIONAL | {"details"}

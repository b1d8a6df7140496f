"""`compare_code` with code that is long, deep, strange or hostile."""

import sys
from pathlib import Path

import pytest

from policy.breaking.compare import compare_code
from policy.breaking.finding import MAX_SENTENCES, Finding, sentences

TOO_DEEP = {
    "parentheses": "x = " + "(" * 100_000 + ")" * 100_000,
    "brackets never closed": "[" * 100_000,
    "signs": "x = " + "-" * 100_000 + "1",
    "not": "x = " + "not " * 100_000 + "1",
    "lambdas": "x = " + "lambda: " * 50_000 + "1",
    "terms": "x = " + " + ".join(["a"] * 100_000),
    "attributes": "x = a" + ".b" * 50_000,
    "calls": "x = a" + "()" * 50_000,
    "elif": "if a: ...\n" + "elif b: ...\n" * 50_000,
    "blocks": "".join("    " * level + "if a:\n" for level in range(101)) + "    " * 101 + "...",
}
STRANGE = {
    "NUL": "x = 1\0",
    "a lone surrogate": "x = '\ud800'",
    "an emoji as a name": "def 🐍(): ...",
    "two byte order marks": "\ufeff\ufeffx = 1",
    "a quotation mark of typography": "x = “1”",
    "later syntax": "def f[T](a: T) -> T ...",
    "invented syntax": "maybe f(a) unless b",
    "Python 2": "print 'x'",
    "a number too long": "x = 1" + "0" * 5_000,
    "tabs among spaces": "if a:\n\tx = 1\n        y = 1",
    "nothing but a backslash": "\\",
}


def kinds(findings: list[Finding]) -> list[str]:
    return [f"{each.severity} {each.kind}" for each in findings]


@pytest.mark.parametrize("code", [*TOO_DEEP.values(), *STRANGE.values()], ids=[*TOO_DEEP, *STRANGE])
def test_code_that_python_cannot_read(code: str) -> None:
    for old in (None, "x = 1", "def broken(:"):
        [finding] = compare_code(old, code)
        assert (finding.severity, finding.kind) == ("breaking", "unparseable")
        assert len(finding.sentence) < 250
        assert finding.sentence.isprintable()
    assert kinds(compare_code(code, "x = 1")) == ["note previous_unparseable"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="syntax of Python 3.12")
def test_type_parameters() -> None:
    old = "type Pair[T] = tuple[T, T]\ndef f[T](a: T, b: T) -> T: ..."
    assert kinds(compare_code(old, "def f[T](a: T) -> T: ...")) == [
        "breaking constant_removed",
        "breaking parameter_removed",
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("def f(a): ...\n", "def f(a): ...\r\n"),
        ("def f(a):\n    return 1\n", "def f(a):\r\n    return 1\r\n"),
        ("def f(a): ...\n", "\f\ndef f(a): ...\n\f"),
        ("def f(a): ...\n", "# -*- coding: nonsense -*-\ndef f(a): ..."),
        ("def f(a): ...\n", "def f(a): ...  # 🐍\n"),
        ("naïve = 1", "nai\u0308ve = 1"),
        ("x = 1", "x = '\\d'"),
        ("x = 1", "\ufeffx = 1"),
    ],
)
def test_the_same_code_in_other_characters_has_no_findings(old: str, new: str) -> None:
    assert compare_code(old, new) == []


@pytest.mark.exhaustive
def test_ten_thousand_functions() -> None:
    old = "\n".join(f"def f{i}(a, b: int = {i}) -> int:\n    return a + b\n" for i in range(10_000))
    new = old.replace("def f777(a, ", "def f777(").replace("def f9000(", "def g9000(")
    assert [(each.kind, each.object, each.line) for each in compare_code(old, new)] == [
        ("parameter_removed", "f777", 1 + 3 * 777),
        ("function_removed", "f9000", 1 + 3 * 9000),
        ("added", "g9000", 1 + 3 * 9000),
    ]


@pytest.mark.exhaustive
def test_half_a_megabyte_on_one_line() -> None:
    old = "def f(a): return [" + "1, " * 160_000 + "]"
    assert kinds(compare_code(old, old.replace("f(a)", "f()"))) == ["breaking parameter_removed"]


def test_three_thousand_parameters() -> None:
    old = f"def f({', '.join(f'a{i}' for i in range(3_000))}): ..."
    assert kinds(compare_code(old, old.replace("a1500, ", ""))) == ["breaking parameter_removed"]


@pytest.mark.exhaustive
def test_a_thousand_classes_each_derived_from_the_one_before() -> None:
    old = "\n".join(f"class C{i}(C{i - 1}): x{i} = 1" for i in range(1_000))
    new = old.replace("x500 = 1", "...")
    assert kinds(compare_code(old, new)) == ["breaking attribute_removed"]


def test_deep_expressions_that_python_can_read() -> None:
    """Python compiles about 2,900 terms; these cannot be written out, but are still compared."""
    terms = " + ".join(["1"] * 2_000)
    old = f"def f(a: 'int' = {terms}): ...\nX = {terms}"
    assert kinds(compare_code(old, old + " + 2")) == []
    [finding] = compare_code(old, old.replace("1):", "2):"))
    assert finding.kind == "default_changed"
    assert finding.new is not None
    assert finding.new.startswith("<an expression of ")


def test_deep_annotations_that_python_can_read() -> None:
    union = " | ".join(["int"] * 2_000)
    old = f"def f(a: {union}): ..."
    assert compare_code(old, old + "\n") == []
    changed = old.replace("int):", "str):")
    assert kinds(compare_code(old, changed)) == ["risky parameter_annotation_changed"]


def test_a_default_with_a_list_too_deep_to_be_written_out() -> None:
    terms = " + ".join(["1"] * 2_000)
    old = f"def f(a=[{terms}, 1]): ..."
    assert compare_code(old, old + "\n") == []
    assert kinds(compare_code(old, old.replace(", 1]", ", 1, 1]"))) == ["risky default_changed"]


def test_a_default_too_long_to_be_written_out() -> None:
    old = f"def f(a=0x{'f' * 10_000}): ..."
    assert kinds(compare_code(old, old.replace("ff)", "fe)"))) == ["risky default_changed"]
    assert compare_code(old, old + "\n") == []


def test_classes_as_deep_as_python_can_read() -> None:
    depth = 95
    old = "".join("    " * level + f"class C{level}:\n" for level in range(depth))
    old += "    " * depth + "def m(self, a): ...\n"
    [finding] = compare_code(old, old.replace("self, a", "self"))
    assert finding.kind == "parameter_removed"
    path = ".".join(f"C{level}" for level in range(depth)) + ".m"
    assert finding.object == path[:254] + "…", "a name may be as long as the code, so it is cut"


def test_nothing_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code = (
        f"import os\nopen({str(mark)!r}, 'w').write('run')\n"
        "class M(type):\n    def __new__(*args): os._exit(3)\n"
        "class C(metaclass=M): ...\n"
        "def f(a=os._exit(4), *, b: os._exit(5) = 1) -> os._exit(6): ...\n"
        "os._exit(7)\n"
    )
    findings = compare_code(code, code.replace("a=os._exit(4), ", ""))
    assert kinds(findings) == ["breaking parameter_removed"]
    assert not mark.exists()
    assert "os" not in {each.object for each in compare_code(code, "")}


def test_texts_of_findings_stay_short() -> None:
    """A version must fit into one Kafka record together with the sentences of its findings."""
    name = "A" * 100_000
    many = "".join(f"    def method_{number}(self): ...\n" for number in range(1_000))
    old = f"class {name}:\n{many}"
    findings = compare_code(old, old.replace("(self)", "(self, more)"))
    assert len(findings) == 1_000
    assert all(len(finding.sentence) <= 300 for finding in findings)
    assert all(len(finding.object) <= 255 for finding in findings)
    texts = sentences(findings)
    assert len(texts) == MAX_SENTENCES + 1
    assert texts[-1] == f"There are {1_000 - MAX_SENTENCES} more."

"""A pair of versions of code with its findings, and functions that make such pairs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A pair of versions. Each finding is a text 'severity kind object'; their order is free."""

    name: str
    old: str
    new: str
    findings: tuple[str, ...] = ()


def function_case(name: str, old: str, new: str, *findings: str) -> Case:
    """Return a case of two signatures of a function ``f``; a finding is 'severity kind'."""
    body = ":\n    return 1\n"
    expected = tuple(f"{finding} f" for finding in findings)
    return Case(name, f"def f{old}{body}", f"def f{new}{body}", expected)


def dataclass_case(name: str, old: str, new: str, *findings: str) -> Case:
    """Return a case of two lists of fields, separated by ``;``, of a dataclass ``P``."""
    head = "from dataclasses import KW_ONLY, dataclass, field\nfrom typing import ClassVar\n"
    head += "@dataclass\nclass P:\n    "
    old_code, new_code = (head + fields.replace("; ", "\n    ") for fields in (old, new))
    return Case(name, old_code, new_code, findings)

"""Generated requests: what the API answers is what its description says, and never a fault."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi import checks

from console.app import api, description
from tests.support.console import Console

pytestmark = pytest.mark.timeout(450)

CHECKS: Final = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
EXAMPLES: Final = 3
"""So few, because each may be a deployment that the applier carries out."""
NOT_GENERATED: Final = {"events"}
"""Its answer has no end; ``test_events.py`` reads it."""
ANSWERS_EACH: Final = {"publish"}
"""It says of each item by itself what is wrong with it."""


def operations(console: Console) -> Iterator[Any]:
    schema = schemathesis.openapi.from_url(f"{console.url}/openapi.json")
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.definition.raw["operationId"] not in NOT_GENERATED:
            yield operation


def statuses_of(operation: Any, mode: GenerationMode) -> set[int]:
    """Send some requests, check each answer, and return their statuses."""
    seen: set[int] = set()
    answers_each = operation.definition.raw["operationId"] in ANSWERS_EACH
    all_checks = CHECKS + [checks.negative_data_rejection] * (not answers_each)

    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case) -> None:
        seen.add(case.call_and_validate(checks=all_checks, timeout=60).status_code)

    ask()
    return seen


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_answer_is_documented(console: Console, mode: GenerationMode) -> None:
    statuses: dict[str, set[int]] = {}
    for operation in operations(console):
        statuses[operation.label] = statuses_of(operation, mode)
    print(statuses)
    assert len(statuses) == len(description(api())["paths"]) + 1 - len(NOT_GENERATED)
    assert any(200 in each for each in statuses.values()) == (mode is GenerationMode.POSITIVE)


def test_the_description_has_examples_and_one_kind_of_error() -> None:
    described = description(api())
    assert described["openapi"].startswith("3.1")
    for path, methods in described["paths"].items():
        for method, route in methods.items():
            for kind, body in route.get("requestBody", {}).get("content", {}).items():
                named = body["schema"].get("$ref", "").rpartition("/")[2]
                schema = described["components"]["schemas"].get(named, {})
                assert body.get("examples") or schema.get("examples"), (path, kind)
            problems = {status for status in route["responses"] if status >= "400"}
            assert {"401", "403", "404", "405", "421", "422", "503"} <= problems, (path, method)
            for status in problems:
                content = route["responses"][status]["content"]
                assert list(content) == ["application/problem+json"], (path, status)

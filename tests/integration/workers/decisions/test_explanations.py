"""The author of a version that failed learns why: the outcome says it, and so does `explain`."""

import json

from schemas.explanation import SeenError
from schemas.rollback import RollbackOutcome
from tests.support.inputs.messages import execution
from tests.support.systems.command_line import rollguard
from tests.support.systems.system import System


async def test_the_outcome_says_why(shared_system: System, tool: str) -> None:
    """Errors come from the detector, so it does not matter how far the recorder is."""
    await shared_system.deploy(tool, "def execute(x): pass")
    await shared_system.deploy(tool, "def execute(x, limit): pass")
    failed = [execution(tool, f"TypeError: {word}") for word in ("a", "b")]
    await shared_system.run(*failed)
    record = await shared_system.first(
        shared_system.topics.outcomes,
        lambda value: RollbackOutcome.from_bytes(value).tool_name == tool,
    )
    outcome = RollbackOutcome.from_bytes(record.value)
    found = outcome.explanation
    assert found is not None
    assert found.errors == [SeenError(error=f"TypeError: {word}", executions=1) for word in "ba"]
    assert found.breaking_changes == ["execute() needs a new parameter 'limit'."]
    assert found.decided_by == [each.execution_id for each in reversed(failed)]
    assert found.thresholds["signature_failures"] == 2
    assert (found.executions, found.failures) == (2, 2)

    # `explain` shows the thresholds that were in force, whatever is set now.
    env = shared_system.environment(ROLLGUARD_SIGNATURE_FAILURES="9")
    named = (str(outcome.command_id), "--tool", tool)
    explained = await rollguard("explain", *named, env=env)
    assert "at least 2 failures are TypeError or AttributeError" in explained.out
    assert "signature_failures 2" in explained.out
    assert "1 × TypeError: b" in explained.out
    document = json.loads((await rollguard("explain", *named, "--json", env=env)).out)
    assert document["explanation"] == found.model_dump(mode="json")

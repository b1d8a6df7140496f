"""The code of the README runs as it is printed."""

import re
from pathlib import Path
from typing import Any

import pytest

from rollguard_client import Rollguard

README = Path(__file__).parents[1] / "README.md"


def test_the_code_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLGUARD_KAFKA_BROKERS", "127.0.0.1:1")
    blocks = re.findall(
        r"^```python\n(.*?)^```$", README.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    assert len(blocks) >= 4
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, str(README), "exec", dont_inherit=True), names)
    assert isinstance(names["guard"], Rollguard)
    names["search"]("x")
    assert names["guard"].buffered == 1
    names["guard"].close(0)

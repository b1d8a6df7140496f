"""The table in `streams/driver/README.md` names tests and files that exist."""

import re
from pathlib import Path

import streams.driver

FOLDER = Path(streams.driver.__file__).parent
TESTS = Path(__file__).parents[2] / "integration" / "streams"


def test_each_line_of_the_list_names_a_test_and_a_file_that_exist() -> None:
    tests = "\n".join(path.read_text() for path in TESTS.glob("test_*.py"))
    lines = [
        line
        for line in (FOLDER / "README.md").read_text().splitlines()
        if line.startswith("|") and "`test_" in line
    ]
    assert len(lines) > 10
    for line in lines:
        for name in re.findall(r"`(test_\w+)`", line):
            assert f"def {name}(" in tests, name
        for name in re.findall(r"`(\w+\.py)`", line):
            assert (FOLDER / name).is_file(), name

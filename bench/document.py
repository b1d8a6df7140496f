"""The document ``docs/bench.md``, in which each part of the benchmarks has a section."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

HEADER: Final = """# Benchmarks

`make bench` writes this file; `make bench PART=latency` writes one section of it. A cell shows the
median of the rounds. If there were several rounds, the least and the greatest value follow in
brackets. Programs that are compared ran in turn in the same run. CPU time is the time of a process
in user and in kernel mode, over all its threads. Kafka, Postgres, the workers and the programs that
send the load run on the same machine. CPU times and wall times in µs are for one execution.
"""
_SECTION: Final = re.compile(r"^## (\S+)$", re.MULTILINE)


def replace_section(document: str, part: str, text: str, order: Sequence[str]) -> str:
    """Return the document with ``text`` as the section of this part, and all others unchanged.

    The sections are in the given order. Sections of parts that are not in it are left out.
    """
    pieces = _SECTION.split(document)
    sections = {
        name: f"## {name}{body}".rstrip() + "\n"
        for name, body in zip(pieces[1::2], pieces[2::2], strict=True)
    }
    sections[part] = text
    return "\n".join([HEADER, *(sections[name] for name in order if name in sections)])


def write(path: Path, part: str, text: str, order: Sequence[str]) -> None:
    """Put the section of a part into the file."""
    document = path.read_text() if path.exists() else ""
    path.write_text(replace_section(document, part, text, order))

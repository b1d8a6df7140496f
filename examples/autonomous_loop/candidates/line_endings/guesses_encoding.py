"""How a source file is written down: encoding, byte order mark, line endings."""

import codecs
import re

import chardet  # type: ignore[import-not-found]


def execute(path: str) -> dict[str, object]:
    """The encoding that it most likely is in, and what ends its lines ('mixed' for several)."""
    with open(path, "rb") as file:
        content = file.read()
    endings = {ending.decode() for ending in re.findall(rb"\r\n|\r|\n", content)}
    return {
        "encoding": chardet.detect(content)["encoding"],
        "bom": content.startswith(codecs.BOM_UTF8),
        "endings": "mixed" if len(endings) > 1 else next(iter(endings), ""),
        "ends_with_newline": content.endswith((b"\n", b"\r")),
        "tabs": content.count(b"\t"),
    }

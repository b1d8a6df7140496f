"""How a source file is written down: encoding, byte order mark, line endings."""

import codecs
import re
import tokenize


def execute(path: str) -> dict[str, object]:
    """The encoding that Python would read it in, and what ends its lines ('mixed' for several)."""
    with open(path, "rb") as file:
        encoding, _ = tokenize.detect_encoding(file.readline)
        file.seek(0)
        content = file.read()
    endings = {ending.decode() for ending in re.findall(rb"\r\n|\r|\n", content)}
    return {
        "encoding": encoding,
        "bom": content.startswith(codecs.BOM_UTF8),
        "endings": "mixed" if len(endings) > 1 else next(iter(endings), ""),
        "ends_with_newline": content.endswith((b"\n", b"\r")),
        "tabs": content.count(b"\t"),
    }

"""How a source file is written down: encoding, byte order mark, line endings."""

import codecs
import tokenize
from io import BytesIO
from pathlib import Path


def execute(path: str) -> dict[str, object]:
    """The encoding that Python would read it in, what ends its lines ('mixed' for several), and how
    many lines each ending ends.
    """
    content = Path(path).read_bytes()
    encoding, _ = tokenize.detect_encoding(BytesIO(content).readline)
    crlf = content.count(b"\r\n")
    counts = {"\r\n": crlf, "\r": content.count(b"\r") - crlf, "\n": content.count(b"\n") - crlf}
    endings = [ending for ending, count in counts.items() if count]
    return {
        "encoding": encoding,
        "bom": content.startswith(codecs.BOM_UTF8),
        "endings": "mixed" if len(endings) > 1 else "".join(endings),
        "ends_with_newline": content.endswith((b"\n", b"\r")),
        "tabs": content.count(b"\t"),
        "counts": counts,
    }

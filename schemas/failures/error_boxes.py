"""The tracebacks of Rich, which draws boxes, as Python writes them.

Takes time proportional to the text.
"""

import re
from typing import Final

_TRACEBACK: Final = "Traceback (most recent call last)"
_BOX: Final = re.compile(
    r"[╭┌+][─-]+ (?:(Traceback) \(most recent call last\)|Sub-exception #([0-9]+)) [─-]+[╮┐+]"
)
_BOX_OF_SYNTAX: Final = re.compile(r"[╭┌+][─-]+[╮┐+]")
"""It follows the frames of a SyntaxError."""
_END: Final = re.compile(r"[╰└+][─-]+[╯┘+]")
_DEEPEST: Final = 20
"""So many boxes can be in each other: no terminal is wide enough for more."""


def without_boxes(text: str) -> str:
    """Return a text with tracebacks of Python where it has those of Rich.

    The frames are left out. A leaf of an exception group, which has a box of its own, gets the
    margin that Python gives it.
    """
    if f"{_TRACEBACK} ─" not in text and f"{_TRACEBACK} -" not in text:
        return text
    lines: list[str] = []
    depth, in_frames, after_frames = 0, False, False
    for line in text.split("\n"):
        if not (depth or in_frames or after_frames) and "─ " not in line and "- " not in line:
            lines.append(line)
            continue
        inner = _inner(line, depth)
        margin = " " * (2 + 2 * depth)
        if in_frames:
            in_frames, after_frames = _END.fullmatch(inner) is None, True
            continue
        if after_frames and _BOX_OF_SYNTAX.fullmatch(inner):
            in_frames = True
        elif (box := _BOX.fullmatch(inner)) is None:
            if depth and _END.fullmatch(inner):
                lines.append(f"{margin}+------------------------------------")
                depth -= 1
            else:
                lines.append(f"{margin}| {inner}" if depth else line)
        elif box[1]:
            begin = f"{margin}| " if depth else line[: len(line) - len(line.lstrip())]
            lines.append(f"{begin}{_TRACEBACK}:")
            in_frames = True
        elif depth < _DEEPEST:
            begin = f"{margin}+-+" if box[2] == "1" else f"{margin}  +"
            lines.append(f"{begin}---------------- {box[2]} ----------------")
            depth += 1
        after_frames = False
    return "\n".join(lines)


def _inner(line: str, depth: int) -> str:
    """Return what stands in the boxes of a line; a line that ends a box is in one box less."""
    inner = line.strip()
    for _ in range(depth):
        if inner[:1] in ("│", "|"):
            inner = inner[1:-1].strip()
    return inner

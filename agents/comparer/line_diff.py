"""The comparison of two texts line by line, with limited work."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import Match, SequenceMatcher
from typing import Final

# In comparisons of two lines. Only long texts that differ much reach it, after a second or two.
WORK: Final = 2_000_000
CONTEXT: Final = 3  # unchanged lines before and after a change


def hunks_of(before: str, after: str) -> str:
    """Return the hunks of a unified diff that ``patch`` accepts; empty if the texts are the same.

    Only a line feed ends a line: any other character, a carriage return too, is part of the line.
    Long texts with little in common take some seconds, and hostile ones may take minutes.
    """
    return _joined(unified_hunks(_lines(before), _lines(after)))


def one_hunk(before: str, after: str) -> str:
    """Return a diff that is as right as that of `hunks_of`, and longer: it takes a moment only.

    All lines between the equal lines at both ends are removed and added again.
    """
    old, new = _lines(before), _lines(after)
    shorter = min(len(old), len(new))
    start = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    shorter -= start
    end = next((n for n in range(shorter) if old[-1 - n] != new[-1 - n]), shorter)
    if start == len(old) == len(new):
        return ""
    first, after_old, after_new = max(start - CONTEXT, 0), len(old) - end, len(new) - end
    more = min(end, CONTEXT)
    lines = [f"@@ -{_range(first, after_old + more)} +{_range(first, after_new + more)} @@\n"]
    lines += [f" {line}" for line in old[first:start]]
    lines += [f"-{line}" for line in old[start:after_old]]
    lines += [f"+{line}" for line in new[start:after_new]]
    lines += [f" {line}" for line in old[after_old : after_old + more]]
    return _joined(lines)


def _joined(lines: Iterable[str]) -> str:
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def _lines(code: str) -> list[str]:
    lines = [f"{line}\n" for line in code.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def unified_hunks(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    """Yield the hunks of a unified diff; nothing if the texts are the same.

    The shortest diff is found with the algorithm of Myers, as in ``diff``. If that takes too much
    work, because the texts are long and very different, the diff is complete and correct but may be
    longer than necessary.
    """
    for group in _Blocks(before, after).get_grouped_opcodes(CONTEXT):
        first, last = group[0], group[-1]
        yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@\n"
        for tag, start, end, new_start, new_end in group:
            if tag == "equal":
                yield from (f" {line}" for line in before[start:end])
            else:
                yield from (f"-{line}" for line in before[start:end])
                yield from (f"+{line}" for line in after[new_start:new_end])


def _range(start: int, end: int) -> str:
    """Return a range of lines as a hunk names it: an empty one by the line before it."""
    length = end - start
    if length == 1:
        return f"{start + 1}"
    return f"{start + 1 if length else start},{length}"


class _Blocks(SequenceMatcher[str]):
    """The standard library's grouping of changes, with equal lines from `partners`."""

    def __init__(self, before: Sequence[str], after: Sequence[str]) -> None:
        super().__init__(None, (), ())
        self.a, self.b = before, after

    def get_matching_blocks(self) -> list[Match]:
        blocks: list[Match] = []
        start, new_start, length = 0, 0, 0
        for index, partner in enumerate(partners(self.a, self.b)):
            if partner < 0:
                continue
            if length and index == start + length and partner == new_start + length:
                length += 1
                continue
            if length:
                blocks.append(Match(start, new_start, length))
            start, new_start, length = index, partner, 1
        if length:
            blocks.append(Match(start, new_start, length))
        return [*blocks, Match(len(self.a), len(self.b), 0)]


def partners(before: Sequence[str], after: Sequence[str], work: int = WORK) -> list[int]:
    """Return for each line of ``before`` the index of the same line in ``after``; -1 if removed.

    The indices ascend. ``work`` limits the number of comparisons: above it, some lines that could
    stay are removed and added again.
    """
    found = [-1] * len(before)
    in_before, in_after = set(before), set(after)
    # a line that only one text has needs no search
    rows = [index for index, line in enumerate(before) if line in in_after]
    columns = [index for index, line in enumerate(after) if line in in_before]
    numbers = {line: number for number, line in enumerate(in_before)}
    search = _Search(
        [numbers[before[row]] for row in rows], [numbers[after[column]] for column in columns], work
    )
    for x, y, length in search.matches():
        for step in range(length):
            found[rows[x + step]] = columns[y + step]
    return found


@dataclass(slots=True)
class _Part:
    """The lines ``left`` to ``right`` of one text and ``top`` to ``bottom`` of the other."""

    left: int
    right: int
    top: int
    bottom: int
    may_anchor: bool = True  # whether lines that occur once may divide it


@dataclass(slots=True)
class _Front:
    """How far the paths from one corner of a part come: the furthest x on each diagonal x - y."""

    x: int
    y: int
    step: int  # -1 from the end of the texts to their beginning
    middle: int  # the index of diagonal 0
    reach: list[int] = field(init=False)
    low: int = 0  # diagonals that left the part on either side
    high: int = 0

    def __post_init__(self) -> None:
        self.reach = [-1] * (2 * self.middle + 1)
        self.reach[self.middle + 1] = 0


class _Search:
    """The equal lines of two texts, whose lines are numbers."""

    def __init__(self, before: Sequence[int], after: Sequence[int], work: int) -> None:
        self.before = before
        self.after = after
        self.work = work
        # A part that is cut off after n rounds is n lines long or longer. The search for its end
        # and the search within it take up to 2 n² comparisons, so that the work is enough for all.
        self.rounds = max(work // (2 * (len(before) + len(after) + 1)), 4)

    def matches(self) -> Iterator[tuple[int, int, int]]:
        """Yield x, y and length of each run of equal lines, in no order."""
        parts = [_Part(0, len(self.before), 0, len(self.after))]
        while parts:
            part = parts.pop()
            yield from self._trim(part)
            if part.left < part.right and part.top < part.bottom and self.work > 0:
                parts.extend(self._divide(part))

    def _trim(self, part: _Part) -> Iterator[tuple[int, int, int]]:
        """Take the equal lines at both ends out of the part."""
        before, after = self.before, self.after
        x, y = part.left, part.top
        while x < part.right and y < part.bottom and before[x] == after[y]:
            x, y = x + 1, y + 1
        if x > part.left:
            yield part.left, part.top, x - part.left
        end, new_end = part.right, part.bottom
        while end > x and new_end > y and before[end - 1] == after[new_end - 1]:
            end, new_end = end - 1, new_end - 1
        if end < part.right:
            yield end, new_end, part.right - end
        part.left, part.top, part.right, part.bottom = x, y, end, new_end

    def _divide(self, part: _Part) -> list[_Part]:
        """Return smaller parts that together have the matches of this one; none if it has none."""
        width, height = part.right - part.left, part.bottom - part.top
        longest = (width + height + 1) // 2
        rounds = min(longest, self.rounds)
        forward = _Front(part.left, part.top, 1, rounds + 1)
        backward = _Front(part.right - 1, part.bottom - 1, -1, rounds + 1)
        for paces in range(rounds):
            point = self._extend(part, forward, backward, paces)
            if point is None:
                point = self._extend(part, backward, forward, paces)
                if point is not None:
                    point = width - point[0], height - point[1]
            if point is not None:
                return _cut(part, *point, part.may_anchor)
        if rounds == longest:
            return []
        if part.may_anchor and (divided := self._anchored(part)):
            return divided
        return _cut(part, *_furthest(forward, backward, width, height), False)

    def _extend(self, part: _Part, near: _Front, far: _Front, paces: int) -> tuple[int, int] | None:
        """Take one more pace on each path; return the end of a path that meets one of ``far``."""
        before, after, reach, step = self.before, self.after, near.reach, near.step
        width, height = part.right - part.left, part.bottom - part.top
        shift = width - height
        may_meet = (shift % 2 == 1) == (step == 1)
        for diagonal in range(near.low - paces, paces + 1 - near.high, 2):
            index = near.middle + diagonal
            is_down = diagonal == -paces or (
                diagonal != paces and reach[index - 1] < reach[index + 1]
            )
            x = start = reach[index + 1] if is_down else reach[index - 1] + 1
            y = x - diagonal
            row, column = near.x + step * x, near.y + step * y
            while x < width and y < height and before[row] == after[column]:
                x, y, row, column = x + 1, y + 1, row + step, column + step
            reach[index] = x
            self.work -= 1 + x - start
            if x > width:
                near.high += 2
            elif y > height:
                near.low += 2
            elif may_meet:
                other = far.middle + shift - diagonal
                if 0 <= other < len(far.reach) and 0 <= width - x <= far.reach[other]:
                    return x, y
        return None

    def _anchored(self, part: _Part) -> list[_Part]:
        """Divide at lines that occur once in both texts: at the most of them in the same order."""
        before = self.before[part.left : part.right]
        after = self.after[part.top : part.bottom]
        self.work -= len(before) + len(after)
        count, new_count = Counter(before), Counter(after)
        place = {line: y for y, line in enumerate(after) if new_count[line] == 1}
        pairs = [
            (x, place[line]) for x, line in enumerate(before) if count[line] == 1 and line in place
        ]
        parts, x, y = [], 0, 0
        for anchor, new_anchor in _ascending(pairs):
            parts.append(_inner(part, x, anchor, y, new_anchor))
            x, y = anchor, new_anchor
        return [*parts, _inner(part, x, len(before), y, len(after))] if parts else []


def _cut(part: _Part, x: int, y: int, may_anchor: bool) -> list[_Part]:
    """Divide the part at a point within it."""
    width, height = part.right - part.left, part.bottom - part.top
    if (x, y) in ((0, 0), (width, height)):
        return []
    first, second = _inner(part, 0, x, 0, y), _inner(part, x, width, y, height)
    first.may_anchor = second.may_anchor = may_anchor
    return [first, second]


def _inner(part: _Part, left: int, right: int, top: int, bottom: int) -> _Part:
    return _Part(part.left + left, part.left + right, part.top + top, part.top + bottom)


def _furthest(forward: _Front, backward: _Front, width: int, height: int) -> tuple[int, int]:
    """Return the end of the path that has come furthest, from either corner."""
    points = []
    for front in (forward, backward):
        ends = [(x, x - index + front.middle) for index, x in enumerate(front.reach)]
        points.append(
            max(((x, y) for x, y in ends if 0 <= x <= width and 0 <= y <= height), key=sum)
        )
    (x, y), (back, up) = points
    return (x, y) if x + y >= back + up else (width - back, height - up)


def _ascending(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest selection of pairs, in order, whose second numbers ascend."""
    lasts: list[int] = []  # the smallest last number of a selection of each length
    chosen: list[int] = []  # the pair that it belongs to
    previous: list[int] = []
    for index, (_, number) in enumerate(pairs):
        length = bisect_left(lasts, number)
        previous.append(chosen[length - 1] if length else -1)
        lasts[length : length + 1] = [number]
        chosen[length : length + 1] = [index]
    selection = []
    index = chosen[-1] if chosen else -1
    while index >= 0:
        selection.append(pairs[index])
        index = previous[index]
    return selection[::-1]

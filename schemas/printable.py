"""The one escape for texts that come from outside, before they are shown to a person.

Code, names, errors and reasons are written by programs that may be hostile. On a terminal their
control characters would be obeyed, and a line break in a name would forge a line of the output.
"""

import unicodedata
from typing import Final

_ZWNJ_AND_ZWJ: Final = "\u200c\u200d"
"""Joiners: characters without a shape of their own that Persian, Hindi and emoji need."""
_KEPT_WITH_LINES: Final = "\n\t"
_VIRAMA: Final = 9
"""The combining class of the signs that join consonants in the scripts of India."""


def printable(text: str, *, keep_lines: bool = False) -> str:
    """Return the text so that it is shown and not obeyed, on one line.

    Control characters become their pictures (``␍``) or escapes. Line separators, characters that
    change the order of a text or that cannot be seen, and lone surrogates become escapes; so does a
    joiner that joins nothing. With ``keep_lines``, line feeds and tabs stay.
    """
    if text.isprintable():
        return text
    kept = _KEPT_WITH_LINES if keep_lines else ""
    return "".join(
        each if each in kept or _is_joining(text, index) else _visible(each)
        for index, each in enumerate(text)
    )


def _is_joining(text: str, index: int) -> bool:
    """Return whether this is a joiner that changes how its neighbours look.

    For letters these are the conditions under which a domain name may have one (RFC 5892, appendix
    A). Anywhere else a joiner would make a second name that looks like the first one.
    """
    if text[index] not in _ZWNJ_AND_ZWJ or not 0 < index < len(text) - 1:
        return False
    before, after = text[index - 1], text[index + 1]
    if unicodedata.combining(before) == _VIRAMA:
        return True
    if unicodedata.category(after) == "So":  # an emoji
        return unicodedata.category(before) in ("So", "Sk") or before == "\ufe0f"
    return unicodedata.bidirectional(before) == unicodedata.bidirectional(after) == "AL"


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if unicodedata.category(character) == "Zs":  # wide and narrow spaces
        return character
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

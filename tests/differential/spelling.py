"""The many ways to write the same thing, of which each version takes one at random."""

from random import Random


def indented(text: str, spaces: int = 4) -> str:
    """Return the text, each line moved to the right."""
    return "".join(f"{' ' * spaces}{line}" for line in text.splitlines(keepends=True))


def placed(random: Random, definition: str, decoy: str) -> str:
    """Return the definition, perhaps under a condition that the running Python decides.

    ``decoy`` is what another Python or platform, a script or a type checker would see.
    """
    body, other = indented(definition), indented(decoy)
    return random.choice(
        (
            *[definition] * 6,
            f"if sys.version_info >= (3, 8):\n{body}else:\n{other}",
            f"if sys.version_info < (3, 8):\n{other}else:\n{body}",
            f"if sys.platform == 'win95':\n{other}elif True:\n{body}",
            f"{definition}if '__main__' == __name__:\n{other}",
            f"MYPY = False\nif MYPY:\n{other}else:\n{body}",
            f"{definition}if typing.TYPE_CHECKING:\n{other}",
            f"try:\n    import json\nexcept ImportError:\n{other}else:\n{body}",
            f"match os.name:\n    case 'amiga':\n{indented(other)}    case _:\n{indented(body)}",
        )
    )

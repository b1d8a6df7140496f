"""Code that takes much longer to compare than other code of its length."""

from typing import Final

INHERITANCE: Final = "class C0:\n    x = 0\n" + "".join(
    f"class C{n}(C{n - 1}):\n    x{n} = 1\n" for n in range(1, 900)
)

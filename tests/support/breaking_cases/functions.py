"""Cases of functions besides their parameters: async, generators, decorators, and annotations."""

from typing import Final

from tests.support.breaking_cases.case import Case

FUNCTIONS: Final = [
    Case("def to async", "def f(): ...", "async def f(): ...", ("breaking became_async f",)),
    Case("async to def", "async def f(): ...", "def f(): ...", ("breaking became_sync f",)),
    Case(
        "return to yield", "def f(): return 1", "def f(): yield 1", ("breaking became_generator f",)
    ),
    Case(
        "yield to return",
        "def f(): yield from g()",
        "def f(): return g()",
        ("breaking no_longer_generator f",),
    ),
    Case("yield in an inner function", "def f(): ...", "def f():\n    def g(): yield\n"),
    Case("yield in an inner lambda", "def f(): ...", "def f(): return lambda: (yield)"),
    Case(
        "yield deep inside",
        "def f(): ...",
        "def f():\n    if 1:\n        for x in y:\n            z = [(yield x)]\n",
        ("breaking became_generator f",),
    ),
    Case(
        "a context manager is no generator to callers",
        "def f(): return g()",
        "from contextlib import contextmanager\n@contextmanager\ndef f(): yield g()",
        ("risky decorator_changed f",),
    ),
    Case(
        "decorator added", "def f(): ...", "@cached\ndef f(): ...", ("risky decorator_changed f",)
    ),
    Case(
        "decorator removed", "@cached\ndef f(): ...", "def f(): ...", ("risky decorator_changed f",)
    ),
    Case(
        "decorator's arguments changed",
        "@cached(1)\ndef f(): ...",
        "@cached(2)\ndef f(): ...",
        ("risky decorator_changed f",),
    ),
    Case(
        "decorators in another order",
        "@a\n@b\ndef f(): ...",
        "@b\n@a\ndef f(): ...",
        ("risky decorator_changed f",),
    ),
    Case(
        "decorator imported otherwise",
        "import functools\n@functools.cache\ndef f(): ...",
        "from functools import cache\n@cache\ndef f(): ...",
    ),
    Case(
        "today's annotations",
        "from typing import Dict, List, Optional, Union\n"
        "def f(a: Optional[List[int]], b: Union[int, str]) -> Dict[str, int]: ...",
        "def f(a: list[int] | None, b: int | str) -> dict[str, int]: ...",
    ),
    Case(
        "a union in a union, and in a list",
        "from typing import Optional, Union\n"
        "def f(a: Union[int, Optional[str]], b: list[Optional[int]]): ...",
        "def f(a: 'str | None | int', b: 'list[None | int]'): ...",
    ),
    Case(
        "Literal's texts are no annotations",
        "from typing import Literal\ndef f(a: Literal['a']): ...",
        "from typing import Literal\ndef f(a: Literal['b']): ...",
        ("risky parameter_annotation_changed f",),
    ),
    Case(
        "what Annotated adds is no part of the annotation",
        "from typing import Annotated\ndef f(a: Annotated[int, 'metres']): ...",
        "def f(a: int): ...",
    ),
    Case(
        "Callable's parameters changed",
        "from typing import Callable\ndef f(a: Callable[[int, str], None]): ...",
        "from collections.abc import Callable\ndef f(a: Callable[[int], None]): ...",
        ("risky parameter_annotation_changed f",),
    ),
    Case(
        "Callable imported from its new module",
        "from typing import Callable\ndef f(a: Callable[[int], None]): ...",
        "from collections.abc import Callable\ndef f(a: Callable[[int], None]): ...",
    ),
    Case(
        "a quoted annotation that is no expression",
        "def f(a: 'an int'): ...",
        "def f(a: 'a str'): ...",
        ("risky parameter_annotation_changed f",),
    ),
    Case(
        "overloads without an implementation: the first one counts",
        "def f(a): ...",
        "from typing import overload\n@overload\ndef f(a): ...\n@overload\ndef f(a, b): ...",
        ("risky decorator_changed f",),
    ),
    Case(
        "lambda's parameters",
        "f = lambda a, b: a",
        "f = lambda a: a",
        ("breaking parameter_removed f",),
    ),
    Case("lambda to def", "f = lambda a: a", "def f(a): return a"),
    Case(
        "overloads do not count",
        "def f(a): ...",
        "from typing import overload\n@overload\ndef f(a: int): ...\n"
        "@overload\ndef f(a: str): ...\ndef f(a): ...",
    ),
]

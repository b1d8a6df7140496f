"""What is said of a change: a table of pairs of versions."""

from dataclasses import dataclass
from typing import get_args

import pytest

from policy.breaking.compare import compare_code
from policy.breaking.finding import Finding, Kind, is_breaking, sentences, severity_of


@dataclass(frozen=True)
class Case:
    """``says`` holds 'severity kind object' for each finding, in any order."""

    name: str
    old: str
    new: str
    says: tuple[str, ...] = ()


def function(name: str, old: str, new: str, *says: str) -> Case:
    """Two signatures of ``f``; each saying is 'severity kind'."""
    body = ":\n    return 1\n"
    said = tuple(f"{each} f" for each in says)
    return Case(name, f"def f{old}{body}", f"def f{new}{body}", said)


def dataclass_(name: str, old: str, new: str, *says: str) -> Case:
    """Two lists of fields, one per ``;``, of a dataclass ``P``."""
    head = "from dataclasses import KW_ONLY, dataclass, field\nfrom typing import ClassVar\n"
    head += "@dataclass\nclass P:\n    "
    return Case(name, head + old.replace("; ", "\n    "), head + new.replace("; ", "\n    "), says)


IN_CLASS = "class C:\n    "

SIGNATURES = [
    function("nothing changed but the body", "(a)", "(a) "),
    function("the only parameter removed", "(a)", "()", "breaking parameter_removed"),
    function("the first of two removed", "(a, b)", "(b)", "breaking parameter_removed"),
    function("the last of two removed", "(a, b=1)", "(a)", "breaking parameter_removed"),
    function("keyword-only removed", "(*, a=1)", "()", "breaking parameter_removed"),
    function("*args removed", "(a, *args)", "(a)", "breaking parameter_removed"),
    function("**kwargs removed", "(a, **kwargs)", "(a)", "breaking parameter_removed"),
    function(
        "both removed",
        "(*args, **kwargs)",
        "()",
        *["breaking parameter_removed"] * 2,
    ),
    function("*args renamed", "(*args)", "(*items)"),
    function("**kwargs renamed", "(**kwargs)", "(**options)"),
    function("*args added", "(a)", "(a, *args)", "note optional_parameter_added"),
    function("renamed", "(a, b)", "(a, c)", "breaking parameter_renamed"),
    function("both renamed", "(a, b)", "(c, d)", *["breaking parameter_renamed"] * 2),
    function(
        "renamed and required",
        "(a, b=1)",
        "(a, c)",
        "breaking parameter_renamed",
        "breaking parameter_made_required",
    ),
    function("positional-only renamed: no call gave its name", "(a, /)", "(b, /)"),
    function("positional-only opened and renamed", "(a, /)", "(b)"),
    function("swapped", "(a, b)", "(b, a)", "breaking parameter_moved"),
    function("rotated", "(a, b, c)", "(c, a, b)", "breaking parameter_moved"),
    function("keyword-only in another order", "(*, a, b)", "(*, b, a)"),
    function("required appended", "(a)", "(a, b)", "breaking required_parameter_added"),
    function("required in front", "(a, b)", "(x, a, b)", "breaking required_parameter_added"),
    function("required keyword-only", "(a)", "(a, *, b)", "breaking required_parameter_added"),
    function("optional appended", "(a)", "(a, b=1)", "note optional_parameter_added"),
    function("optional keyword-only", "(a)", "(a, *, b=1)", "note optional_parameter_added"),
    function(
        "optional in front", "(a=1)", "(x=0, a=1)", "breaking optional_parameter_inserted"
    ),
    function(
        "optional between",
        "(a, b=1)",
        "(a, x=0, b=1)",
        "breaking optional_parameter_inserted",
    ),
    function(
        "optional before *args: it takes what these got",
        "(a, *args)",
        "(a, b=1, *args)",
        "breaking optional_parameter_inserted",
    ),
    function(
        "optional keyword beside **kwargs",
        "(a, **kwargs)",
        "(a, b=1, **kwargs)",
        "note optional_parameter_added",
    ),
    function("made required", "(a=1)", "(a)", "breaking parameter_made_required"),
    function("made optional", "(a)", "(a=1)", "note parameter_made_optional"),
    function(
        "made keyword-only", "(a, b)", "(a, *, b)", "breaking parameter_made_keyword_only"
    ),
    function(
        "made positional-only", "(a, b)", "(a, /, b)", "breaking parameter_made_positional_only"
    ),
    function(
        "keyword-only made positional-only",
        "(*, a)",
        "(a, /)",
        "breaking parameter_made_positional_only",
    ),
    function(
        "positional-only made keyword-only",
        "(a, /)",
        "(*, a)",
        "breaking parameter_made_keyword_only",
    ),
    function("positional-only opened", "(a, /)", "(a)"),
    function("keyword-only opened at the end", "(a, *, b)", "(a, b)"),
    function(
        "keyword-only opened in front", "(a, *, b)", "(b, a)", "breaking parameter_moved"
    ),
    function(
        "swallowed by **kwargs", "(*, a=1)", "(**kwargs)",
        "note parameter_now_variadic", "note optional_parameter_added",
    ),
    function(
        "swallowed by *args and **kwargs", "(a)", "(*args, **kwargs)",
        "note parameter_now_variadic", *["note optional_parameter_added"] * 2,
    ),
    function(
        "**kwargs does not take what was positional", "(a)", "(**kwargs)",
        "breaking parameter_removed", "note optional_parameter_added",
    ),
    function("default changed", "(a=1)", "(a=2)", "risky default_changed"),
    function("default spelt otherwise", "(a='x', b=0x10)", '(a="x", b=16)'),
    function("annotation changed", "(a: int)", "(a: str)", "risky parameter_annotation_changed"),
    function("annotation of *args changed", "(*a: int)", "(*a: str)",
             "risky parameter_annotation_changed"),
    function("annotations added", "(a)", "(a: int) -> int"),
    function("annotations deleted (griffe: return)", "(a: int) -> int", "(a)"),
    function("annotation quoted", "(a: int | None)", "(a: 'int | None')"),
    function("union in another order", "(a: int | None)", "(a: None | int)"),
    function("return annotation changed", "() -> dict", "() -> list",
             "risky return_annotation_changed"),
    function("return annotation to None", "() -> dict", "() -> None",
             "risky return_annotation_changed"),
    function(
        "execute() in many ways",
        "(path, depth=1, *, strict=False)",
        "(root, depth=2, *, lax=True)",
        "breaking parameter_renamed",
        "risky default_changed",
        "breaking parameter_removed",
        "note optional_parameter_added",
    ),
]  # fmt: skip

NATURES = [
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

MODULES = [
    Case("function removed", "def f(): ...", "", ("breaking function_removed f",)),
    Case("async function removed", "async def f(): ...", "", ("breaking function_removed f",)),
    Case(
        "function renamed",
        "def f(): ...",
        "def g(): ...",
        ("breaking function_removed f", "note added g"),
    ),
    Case("renamed, the old name kept", "def f(a): ...", "def g(a): ...\nf = g", ("note added g",)),
    Case(
        "the old name kept for something else",
        "def f(a): ...",
        "def g(): ...\nf = g",
        ("note added g", "breaking parameter_removed f"),
    ),
    Case(
        "class renamed",
        "class A: ...",
        "class B: ...",
        ("breaking class_removed A", "note added B"),
    ),
    Case("constant removed", "X = 1", "", ("breaking constant_removed X",)),
    Case("annotated constant removed", "X: int = 1", "", ("breaking constant_removed X",)),
    Case("constant's value changed", "X = 1", "X = 2"),
    Case(
        "constant's annotation changed",
        "X: int = 1",
        "X: str = ''",
        ("risky attribute_annotation_changed X",),
    ),
    Case("constant only declared", "X: int = 1", "X: int", ("breaking value_removed X",)),
    Case("one of several unpacked", "X, Y = 1, 2", "X = 1", ("breaking constant_removed Y",)),
    Case("deleted again", "X = 1", "X = 1\ndel X", ("breaking constant_removed X",)),
    Case("function to class", "def f(): ...", "class f: ...", ("breaking kind_changed f",)),
    Case("class to function", "class f: ...", "def f(): ...", ("breaking kind_changed f",)),
    Case("function to value", "def f(): ...", "f = 1", ("breaking kind_changed f",)),
    Case("value to function", "f = 1", "def f(): ...", ("breaking kind_changed f",)),
    Case("imported instead", "def f(): ...", "from lib import f", ("note became_imported f",)),
    Case("imported under this name", "def f(): ...", "import lib\nf = lib.f",
         ("note became_imported f",)),
    Case("an import removed", "import os", ""),
    Case("an imported thing's second name removed", "import os\nX = os.path\nY = os", "import os",
         ("breaking constant_removed X", "breaking constant_removed Y")),
    Case("an imported thing's second name in a class", "import os\nclass C:\n    X = os.path",
         "import os\nclass C: ...", ("breaking attribute_removed C.X",)),
    Case("what stands in for an import changed",
         "try:\n    from lib import f\nexcept ImportError:\n    def f(a): ...",
         "try:\n    from lib import f\nexcept ImportError:\n    def f(): ...",
         ("breaking parameter_removed f",)),
    Case("private function removed", "def _f(): ...", ""),
    Case("private class removed", "class _A: ...", ""),
    Case("private constant removed", "_X = 1", ""),
    Case("inner function changed", "def f():\n    def g(a): ...", "def f():\n    def h(): ..."),
    Case("inner class changed", "def f():\n    class A: ...", "def f(): ..."),
    Case("__version__ removed", "__version__ = '1'", "",
         ("breaking constant_removed __version__",)),
    Case("__doc__ and __slots__", "__doc__ = ''\nclass A:\n    __slots__ = ()", "class A: ..."),
    Case("things added", "", "def f(): ...\nclass A: ...\nX = 1\n_Y = 2",
         ("note added f", "note added A", "note added X")),
    Case("in `if` then and now", "if X:\n    def f(a): ...", "if Y:\n    def f(): ...",
         ("breaking parameter_removed f",)),
    Case("moved into `try`", "def f(): ...",
         "try:\n    def f(): ...\nexcept E:\n    def f(a): ..."),
    Case("removed from `try`", "try:\n    X = 1\nfinally:\n    Y = 1", "Y = 1",
         ("breaking constant_removed X",)),
    Case("only in `else` then", "if A: ...\nelse:\n    def f(): ...", "",
         ("breaking function_removed f",)),
    Case("in `with`, loops and `match`",
         "with x:\n    A = 1\nfor y in z:\n    B = 1\nwhile z:\n    C = 1\n"
         "match z:\n    case 1:\n        D = 1",
         "", tuple(f"breaking constant_removed {each}" for each in "ABCD")),
    Case("only a script's", "if __name__ == '__main__':\n    code = main()", ""),
    Case("only a type checker's",
         "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    def f(): ...", ""),
    Case("the last definition counts", "def f(a): ...\ndef f(): ...", "def f(): ..."),
    Case("name left __all__", "__all__ = ['f', 'g']\ndef f(): ...\ndef g(): ...",
         "__all__ = ['f']\ndef f(): ...\ndef g(): ...", ("breaking name_left_all g",)),
    Case("name left __all__ and is removed", "__all__ = ['f', 'g']\ndef f(): ...\ndef g(): ...",
         "__all__ = ['f']\ndef f(): ...", ("breaking function_removed g",)),
    Case("import left __all__", "from a import b\n__all__ = ['b']", "__all__ = []",
         ("breaking name_left_all b",)),
    Case("__all__ removed, its names kept", "__all__ = ['f']\ndef f(): ...", "def f(): ..."),
    Case("__all__ removed, its private name kept", "__all__ = ['_f']\ndef _f(): ...",
         "def _f(): ...", ("breaking name_left_all _f",)),
    Case("private name in __all__ changed", "__all__ = ['_f']\ndef _f(a): ...",
         "__all__ = ['_f']\ndef _f(): ...", ("breaking parameter_removed _f",)),
    Case("public name not in __all__ removed", "__all__ = ['f']\ndef f(): ...\ndef g(): ...",
         "__all__ = ['f']\ndef f(): ...", ("breaking function_removed g",)),
    Case("__all__ in pieces", "__all__ = ['a'] + ['b']\n__all__ += ['c']\n__all__.extend(['d'])\n"
         "__all__.append('e')\na = b = c = d = e = 1", "__all__ = ['a']\na = b = c = d = e = 1",
         tuple(f"breaking name_left_all {each}" for each in "bcde")),
    Case("__all__ that can no longer be read", "__all__ = ['_f']\ndef _f(): ...",
         "__all__ = names()\ndef _f(): ..."),
    Case("__all__ that cannot be read", "__all__ = names()\nf = 1", "__all__ = []\nf = 1"),
]  # fmt: skip

CLASSES = [
    Case("method removed", IN_CLASS + "def m(self): ...", IN_CLASS + "x = 1",
         ("breaking method_removed C.m", "note added C.x")),
    Case("method's parameter removed", IN_CLASS + "def m(self, a): ...",
         IN_CLASS + "def m(self): ...", ("breaking parameter_removed C.m",)),
    Case("`self` under another name", IN_CLASS + "def m(self, a): ...",
         IN_CLASS + "def m(this, a): ..."),
    Case("private method removed", IN_CLASS + "def _m(self): ...", IN_CLASS + "..."),
    Case("special method removed", IN_CLASS + "def __call__(self): ...", IN_CLASS + "...",
         ("breaking method_removed C.__call__",)),
    Case("special method's parameters", IN_CLASS + "def __call__(self, a): ...",
         IN_CLASS + "def __call__(self, a, b): ...",
         ("breaking required_parameter_added C.__call__",)),
    Case("method made static", IN_CLASS + "def m(self, a): ...",
         IN_CLASS + "@staticmethod\n    def m(a): ..."),
    Case("method made static, its call changed", IN_CLASS + "def m(self, a): ...",
         IN_CLASS + "@staticmethod\n    def m(): ...", ("breaking parameter_removed C.m",)),
    Case("static method made a class method", IN_CLASS + "@staticmethod\n    def m(a): ...",
         IN_CLASS + "@classmethod\n    def m(cls, a): ..."),
    Case("static method made one of instances", IN_CLASS + "@staticmethod\n    def m(a): ...",
         IN_CLASS + "def m(self, a): ...", ("breaking became_instance_method C.m",)),
    Case("method made async", IN_CLASS + "def m(self): ...", IN_CLASS + "async def m(self): ...",
         ("breaking became_async C.m",)),
    Case("method moved to a base in the file", IN_CLASS + "def m(self, a): ...",
         "class B:\n    def m(self, a): ...\nclass C(B): ...",
         ("note added B", "note base_class_added C")),
    Case("method moved to a base, its call changed", IN_CLASS + "def m(self, a): ...",
         "class _B:\n    def m(self): ...\nclass C(_B): ...", ("breaking parameter_removed C.m",)),
    Case("inherited method changed: told once",
         "class B:\n    def m(self, a): ...\nclass C(B): ...",
         "class B:\n    def m(self): ...\nclass C(B): ...", ("breaking parameter_removed B.m",)),
    Case("method of a private base removed", "class _B:\n    def m(self): ...\nclass C(_B): ...",
         "class _B: ...\nclass C(_B): ...", ("breaking method_removed C.m",)),
    Case("inherited method overridden otherwise",
         "class B:\n    def m(self, a): ...\nclass C(B): ...",
         "class B:\n    def m(self, a): ...\nclass C(B):\n    def m(self): ...",
         ("breaking parameter_removed C.m",)),
    Case("base lost with what it gave", "class B:\n    def m(self): ...\nclass C(B): ...",
         "class B:\n    def m(self): ...\nclass C: ...",
         ("breaking base_class_removed C", "breaking method_removed C.m")),
    Case("the nearest base gives it",
         "class A:\n    def m(self, a): ...\nclass B(A): ...\n"
         "class D(A):\n    def m(self): ...\nclass C(B, D): ...",
         "class A:\n    def m(self, a): ...\nclass B(A): ...\n"
         "class D(A):\n    def m(self): ...\nclass C(B, D):\n    def m(self): ...",),
    Case("bases in a circle", "class A(B):\n    x = 1\nclass B(A): ...",
         "class A(B): ...\nclass B(A): ...", ("breaking attribute_removed A.x",)),
    Case("base removed", "class C(A): ...", "class C: ...", ("breaking base_class_removed C",)),
    Case("one of two bases removed", "class C(A, B): ...", "class C(B): ...",
         ("breaking base_class_removed C",)),
    Case("base swapped", "class C(A): ...", "class C(B): ...", ("breaking base_class_changed C",)),
    Case("base added", "class C(A): ...", "class C(A, B): ...", ("note base_class_added C",)),
    Case("base imported otherwise", "import abc\nclass C(abc.ABC): ...",
         "from abc import ABC\nclass C(ABC): ..."),
    Case("base's type arguments", "class C(A[int]): ...", "class C(A[str]): ..."),
    Case("private base removed", "class _A: ...\nclass C(_A): ...", "class C: ..."),
    Case("base behind a private one removed", "class _A(B): ...\nclass C(_A): ...", "class C: ...",
         ("breaking base_class_removed C",)),
    Case("base between", "class C(A): ...", "class _B(A): ...\nclass C(_B): ..."),
    Case("exception narrowed", "class E(Exception): ...", "class E(ValueError): ...",
         ("note base_class_added E",)),
    Case("exception widened", "class E(ValueError): ...", "class E(Exception): ...",
         ("breaking base_class_changed E",)),
    Case("__init__ with a required parameter is new", IN_CLASS + "...",
         IN_CLASS + "def __init__(self, a): ...",
         ("breaking required_parameter_added C.__init__",)),
    Case("__init__ with an optional parameter is new", IN_CLASS + "...",
         IN_CLASS + "def __init__(self, a=1): ...",
         ("note optional_parameter_added C.__init__",)),
    Case("__init__ with parameters removed", IN_CLASS + "def __init__(self, a): ...",
         IN_CLASS + "...", ("breaking parameter_removed C.__init__",)),
    Case("__init__ without parameters removed", IN_CLASS + "def __init__(self): ...",
         IN_CLASS + "..."),
    Case("__init__ removed, an unknown base's remains", "class C(A):\n    def __init__(self): ...",
         "class C(A): ...", ("breaking method_removed C.__init__",)),
    Case("__init__'s parameter added", IN_CLASS + "def __init__(self, a): ...",
         IN_CLASS + "def __init__(self, a, b): ...",
         ("breaking required_parameter_added C.__init__",)),
    Case("__new__'s parameter removed", IN_CLASS + "def __new__(cls, a): ...",
         IN_CLASS + "def __new__(cls): ...", ("breaking parameter_removed C.__init__",)),
    Case("class attribute renamed", IN_CLASS + "x = 1", IN_CLASS + "y = 1",
         ("breaking attribute_removed C.x", "note added C.y")),
    Case("attribute's annotation changed", IN_CLASS + "x: int = 1", IN_CLASS + "x: str = ''",
         ("risky attribute_annotation_changed C.x",)),
    Case("attribute only declared", IN_CLASS + "x: int = 1", IN_CLASS + "x: int",
         ("breaking value_removed C.x",)),
    Case("self.x dropped", IN_CLASS + "def __init__(self): self.x, self.y = 1, 2",
         IN_CLASS + "def __init__(self): self.y = 2", ("breaking attribute_removed C.x",)),
    Case("private self._x dropped", IN_CLASS + "def __init__(self): self._x = 1",
         IN_CLASS + "def __init__(self): ..."),
    Case("self.x set by a method that __init__ may call",
         IN_CLASS + "def __init__(self): self.x = 1",
         IN_CLASS + "def __init__(self): self._reset()\n    def _reset(self): self.x = 1"),
    Case("self.x moved to the class", IN_CLASS + "def __init__(self): self.x = 1",
         IN_CLASS + "x = 1"),
    Case("attribute of another object", IN_CLASS + "def __init__(self, o): o.x = 1",
         IN_CLASS + "def __init__(self, o): ..."),
    Case("attribute to method", IN_CLASS + "m = 1", IN_CLASS + "def m(self): ...",
         ("breaking kind_changed C.m",)),
    Case("method to property", IN_CLASS + "def m(self): ...",
         IN_CLASS + "@property\n    def m(self): ...", ("breaking kind_changed C.m",)),
    Case("property to method", IN_CLASS + "@property\n    def m(self): ...",
         IN_CLASS + "def m(self): ...", ("breaking kind_changed C.m",)),
    Case("property removed", IN_CLASS + "@property\n    def m(self): ...", IN_CLASS + "...",
         ("breaking attribute_removed C.m",)),
    Case("setter removed",
         IN_CLASS + "@property\n    def m(self): ...\n    @m.setter\n    def m(self, v): ...",
         IN_CLASS + "@property\n    def m(self): ...", ("breaking setter_removed C.m",)),
    Case("setter added", IN_CLASS + "@property\n    def m(self): ...",
         IN_CLASS + "@property\n    def m(self): ...\n    @m.setter\n    def m(self, v): ..."),
    Case("attribute to a property that cannot be set", IN_CLASS + "m = 1",
         IN_CLASS + "@property\n    def m(self): ...", ("breaking setter_removed C.m",)),
    Case("property to attribute", IN_CLASS + "@property\n    def m(self): ...", IN_CLASS + "m = 1"),
    Case("cached property to attribute",
         "from functools import cached_property\n" + IN_CLASS
         + "@cached_property\n    def m(self) -> int: ...",
         IN_CLASS + "m: int = 1"),
    Case("property's annotation changed", IN_CLASS + "@property\n    def m(self) -> int: ...",
         IN_CLASS + "@property\n    def m(self) -> str: ...",
         ("risky attribute_annotation_changed C.m",)),
    Case("method under a second name", IN_CLASS + "def m(self, a): ...\n    n = m",
         IN_CLASS + "def m(self, a): ...", ("breaking method_removed C.n",)),
    Case("method that is a function of the module", IN_CLASS + "def m(self, a): ...",
         "def _m(self, a): ...\n" + IN_CLASS + "m = _m"),
    Case("method that is a lambda", IN_CLASS + "m = lambda self, a: a",
         IN_CLASS + "def m(self, a): ..."),
    Case("property made by a call", IN_CLASS + "m = property(get, put)",
         IN_CLASS + "m = property(get)", ("breaking setter_removed C.m",)),
    Case("class of a class changed", IN_CLASS + "class D:\n        def m(self, a): ...",
         IN_CLASS + "class D:\n        def m(self): ...", ("breaking parameter_removed C.D.m",)),
    Case("class decorator added", "class C: ...", "@final\nclass C: ...",
         ("risky decorator_changed C",)),
    Case("class decorator that says nothing", "class C: ...",
         "from typing import final\n@final\nclass C: ..."),
    Case("enum member renamed", "from enum import Enum\nclass C(Enum):\n    A = 1",
         "from enum import Enum\nclass C(Enum):\n    B = 1",
         ("breaking enum_member_removed C.A", "note added C.B")),
    Case("enum member removed", "import enum\nclass C(enum.StrEnum):\n    A = 'a'\n    B = 'b'",
         "import enum\nclass C(enum.StrEnum):\n    A = 'a'",
         ("breaking enum_member_removed C.B",)),
    Case("TypedDict key removed", "from typing import TypedDict\nclass C(TypedDict):\n    a: int\n"
         "    b: int", "from typing import TypedDict\nclass C(TypedDict):\n    a: int",
         ("breaking attribute_removed C.b",)),
]  # fmt: skip

NAMED_TUPLE = "from typing import NamedTuple\nclass P(NamedTuple):\n    "
FIELDS = [
    dataclass_("field removed", "x: int; y: int", "x: int", "breaking field_removed P.y"),
    dataclass_("field renamed", "x: int; y: int", "x: int; z: int", "breaking field_renamed P.y"),
    dataclass_(
        "required field added",
        "x: int",
        "x: int; y: int",
        "breaking required_parameter_added P.__init__",
    ),
    dataclass_(
        "optional field added",
        "x: int",
        "x: int; y: int = 1",
        "note optional_parameter_added P.__init__",
    ),
    dataclass_(
        "field with a factory added",
        "x: int",
        "x: int; y: list = field(default_factory=list)",
        "note optional_parameter_added P.__init__",
    ),
    dataclass_(
        "optional field inserted",
        "x: int = 1",
        "y: int = 2; x: int = 1",
        "breaking optional_parameter_inserted P.__init__",
    ),
    dataclass_(
        "fields in another order",
        "x: int; y: int",
        "y: int; x: int",
        "breaking parameter_moved P.__init__",
    ),
    dataclass_(
        "default removed",
        "x: int = 1",
        "x: int",
        "breaking parameter_made_required P.__init__",
    ),
    dataclass_(
        "default changed", "x: int = 1", "x: int = 2", "risky default_changed P.__init__"
    ),
    dataclass_(
        "annotation changed", "x: int", "x: str", "risky parameter_annotation_changed P.__init__"
    ),
    dataclass_(
        "field made keyword-only",
        "x: int",
        "_: KW_ONLY; x: int",
        "breaking parameter_made_keyword_only P.__init__",
    ),
    dataclass_("field left to itself", "x: int", "x: int; y: int = field(init=False)",
               "note added P.y"),
    dataclass_("class variable", "x: int", "x: int; y: ClassVar[int] = 1", "note added P.y"),
    Case("dataclass made a plain class",
         "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int",
         "class P:\n    def __init__(self, x: int): self.x = x", ("risky decorator_changed P",)),
    Case("dataclass frozen", "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int",
         "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass P:\n    x: int",
         ("risky decorator_changed P",)),
    Case("field of a base dataclass",
         "from dataclasses import dataclass\n@dataclass\nclass _B:\n    x: int\n"
         "@dataclass\nclass P(_B):\n    y: int",
         "from dataclasses import dataclass\n@dataclass\nclass _B:\n    x: int\n    z: int\n"
         "@dataclass\nclass P(_B):\n    y: int",
         ("breaking required_parameter_added P.__init__",)),
    Case("NamedTuple field removed", NAMED_TUPLE + "x: int\n    y: int", NAMED_TUPLE + "x: int",
         ("breaking field_removed P.y",)),
    Case("NamedTuple field in front", NAMED_TUPLE + "x: int = 1",
         NAMED_TUPLE + "y: int = 1\n    x: int = 1",
         ("breaking optional_parameter_inserted P.__init__",)),
    Case("namedtuple() field removed",
         "from collections import namedtuple\nP = namedtuple('P', 'x y')",
         "from collections import namedtuple\nP = namedtuple('P', ['x'])",
         ("breaking field_removed P.y",)),
    Case("namedtuple() to NamedTuple",
         "import collections\nP = collections.namedtuple('P', 'x, y', defaults=[1])",
         NAMED_TUPLE + "x: int\n    y: int = 1"),
    Case("pydantic's fields have no order",
         "from pydantic import BaseModel, Field\nclass P(BaseModel):\n    x: int\n    y: int",
         "from pydantic import BaseModel, Field\nclass P(BaseModel):\n    y: int\n    x: int\n"
         "    z: int = Field(1)\n    w: int = Field(gt=0)",
         ("note optional_parameter_added P.__init__",
          "breaking required_parameter_added P.__init__")),
    Case("field of a model below a model",
         "from pydantic import BaseModel\nclass B(BaseModel): ...\nclass P(B):\n    x: int",
         "from pydantic import BaseModel\nclass B(BaseModel): ...\nclass P(B): ...",
         ("breaking field_removed P.x",)),
]  # fmt: skip

UNREADABLE = [
    Case("a mistake in the new code", "def f(): ...", "def f(:", ("breaking unparseable ",)),
    Case("a mistake in the old code", "def f(:", "def f(): ...", ("note previous_unparseable ",)),
    Case("mistakes in both", "def f(:", "def g(:", ("breaking unparseable ",)),
    Case("the same mistake", "def f(:", "def f(:"),
    Case("parses, does not compile", "X = 1", "X = 1\nreturn X", ("breaking unparseable ",)),
    Case("one parameter twice", "def f(a): ...", "def f(a, a): ...", ("breaking unparseable ",)),
]

CASES = [*SIGNATURES, *NATURES, *MODULES, *CLASSES, *FIELDS, *UNREADABLE]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_what_is_said(case: Case) -> None:
    findings = compare_code(case.old, case.new)
    assert sorted(f"{f.severity} {f.kind} {f.object}" for f in findings) == sorted(case.says)
    assert all(f.severity == severity_of(f.kind) for f in findings)
    for finding in findings:
        check_form(finding, case.old, case.new)
    assert findings == sorted(findings, key=lambda finding: finding.line or 0)
    assert is_breaking(findings) == any(said.startswith("breaking") for said in case.says)


def check_form(finding: Finding, old: str, new: str) -> None:
    """One printable sentence that names the object, and a line that exists."""
    sentence = finding.sentence
    assert sentence.endswith(".")
    assert sentence.isprintable()
    assert finding.object.removesuffix(".__init__") in sentence or "field" in sentence
    if finding.line is not None:
        assert 1 <= finding.line <= max(len(code.split("\n")) for code in (old, new))


def test_names_of_cases_are_unique() -> None:
    groups = [SIGNATURES, NATURES, MODULES, CLASSES, FIELDS, UNREADABLE]
    for group in groups:
        names = [case.name for case in group]
        assert len(names) == len(set(names))


def test_every_kind_is_in_the_table() -> None:
    said = {each.split()[1] for case in CASES for each in case.says}
    assert set(get_args(Kind)) - said == {"not_comparable"}


def test_the_first_version_breaks_nothing() -> None:
    assert compare_code(None, "def f(): ...") == []
    assert [each.kind for each in compare_code(None, "def f(:")] == ["unparseable"]


def test_a_mistake_is_found_where_it_is() -> None:
    [finding] = compare_code("", "x = 1\ny = = 2\n")
    assert (finding.line, finding.column) == (2, 5)
    assert finding.sentence == (
        "The code does not parse (line 2, column 5): SyntaxError: invalid syntax."
    )


def test_breaking_ones_are_told_first_and_notes_are_not() -> None:
    old = "def f(a=1): ...\ndef g(a): ...\ndef h(): ...\n"
    new = "def f(a=2): ...\ndef g(b): ...\ndef h(a=1): ...\n"
    assert sentences(compare_code(old, new)) == [
        "g() calls its parameter 'a' now 'b'.",
        "f() takes 2 where 'a' is not given, which was 1.",
    ]


def test_lines_are_those_of_the_new_code_and_of_the_old_for_what_was_removed() -> None:
    old = "\n\ndef gone(): ...\ndef kept(a): ...\n"
    new = "def kept(): ...\n"
    assert [(each.object, each.line) for each in compare_code(old, new)] == [
        ("kept", 1),
        ("gone", 3),
    ]


def test_long_texts_are_cut() -> None:
    [finding] = compare_code("def f(a=1): ...", f"def f(a={'x' * 5000!r}): ...")
    assert finding.new is not None
    assert len(finding.new) == 100
    assert len(finding.sentence) < 300
